package c3

// signal is the number of a peripheral's signal in the GPIO matrix, TRM table
// 5.10-1. Inputs and outputs are numbered separately; most peripherals use the
// same number for both directions.
type signal uint8

// Peripheral signals. A signal with two names differs between input and output.
const (
	sigSPIQ       signal = 0
	sigSPID       signal = 1
	sigSPIHD      signal = 2
	sigSPIWP      signal = 3
	sigSPICLK     signal = 4 // output only
	sigSPICS0     signal = 5 // output only
	sigU0RXD      signal = 6 // output U0TXD
	sigU0TXD      signal = 6
	sigU0CTS      signal = 7 // output U0RTS
	sigU0RTS      signal = 7
	sigU0DSR      signal = 8 // output U0DTR
	sigU0DTR      signal = 8
	sigU1RXD      signal = 9 // output U1TXD
	sigU1TXD      signal = 9
	sigU1CTS      signal = 10
	sigU1RTS      signal = 10
	sigU1DSR      signal = 11
	sigU1DTR      signal = 11
	sigI2SMCLK    signal = 12
	sigI2SOBCK    signal = 13
	sigI2SOWS     signal = 14
	sigI2SISD     signal = 15 // output I2SO_SD
	sigI2SOSD     signal = 15
	sigI2SIBCK    signal = 16
	sigI2SIWS     signal = 17
	sigCPUGPIO0   signal = 28 // to 35
	sigExtADC     signal = 45 // input only
	sigLEDC0      signal = 45 // to 50, output only
	sigRMT0       signal = 51 // and 52; inputs belong to the receiving channels
	sigI2CSCL     signal = 53
	sigI2CSDA     signal = 54
	sigGPIOSD0    signal = 55 // to 58, output only
	sigI2SOSD1    signal = 59 // output only
	sigFSPICLK    signal = 63
	sigFSPIQ      signal = 64
	sigFSPID      signal = 65
	sigFSPIHD     signal = 66
	sigFSPIWP     signal = 67
	sigFSPICS0    signal = 68 // outputs CS1 69, CS3 70, CS2 71, CS4 72, CS5 73
	sigTWAIRX     signal = 74 // output TWAI_TX
	sigTWAITX     signal = 74
	sigTWAIBusOff signal = 75 // output only
	sigTWAIClkOut signal = 76 // output only
	sigFunc97     signal = 97 // to 100: inputs that are outputs of the same number
	sigNone       signal = 127
	sigGPIO       signal = 128 // FUNC_OUT_SEL: the bit of GPIO_OUT, no peripheral

	signals = 128
)

// direct is the pair of signals of a pad's function that goes past the GPIO
// matrix; sigNone where a direction is missing.
type direct struct{ in, out signal }

// directSignals returns the signals of function fn of pad n, TRM table 5.11-1.
// Function 1 and functions that are the GPIO matrix have none: ok is false and
// matrix is true. Functions that do not exist have neither.
func directSignals(n, fn uint32) (d direct, matrix bool) {
	flash := func() (direct, bool) { return direct{sigNone, sigNone}, false } // MSPI: not modelled by wire
	switch {
	case fn == 1:
		return direct{}, true
	case fn == 0 && n >= 4 && n <= 7: // JTAG, of which no pin is driven without a debugger
		return direct{sigNone, sigNone}, false
	case fn == 0 && n >= 12 && n <= 17:
		return flash()
	case fn == 0 && n == 20:
		return direct{sigU0RXD, sigNone}, false
	case fn == 0 && n == 21:
		return direct{sigNone, sigU0TXD}, false
	case fn == 0:
		return direct{}, true
	case fn == 2:
		switch n {
		case 2:
			return direct{sigFSPIQ, sigFSPIQ}, false
		case 4:
			return direct{sigFSPIHD, sigFSPIHD}, false
		case 5:
			return direct{sigFSPIWP, sigFSPIWP}, false
		case 6:
			return direct{sigFSPICLK, sigFSPICLK}, false
		case 7:
			return direct{sigFSPID, sigFSPID}, false
		case 10:
			return direct{sigFSPICS0, sigFSPICS0}, false
		}
	}
	return direct{sigNone, sigNone}, false
}

// directPad returns the pad and function by which an input signal can go past
// the GPIO matrix.
func directPad(in signal) (n, fn uint32, ok bool) {
	switch in {
	case sigU0RXD:
		return 20, 0, true
	case sigFSPIQ:
		return 2, 2, true
	case sigFSPIHD:
		return 4, 2, true
	case sigFSPIWP:
		return 5, 2, true
	case sigFSPICLK:
		return 6, 2, true
	case sigFSPID:
		return 7, 2, true
	case sigFSPICS0:
		return 10, 2, true
	}
	return 0, 0, false
}

// restsHigh reports whether an input signal that no pad feeds is high: the
// buses and receivers that rest at that level. CTS rests low, as UART_STATUS of a
// chip shows.
func restsHigh(in signal) bool {
	switch in {
	case sigU0RXD, sigU1RXD, sigI2CSCL, sigI2CSDA, sigTWAIRX:
		return true
	}
	return false
}
