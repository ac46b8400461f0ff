package radio

import (
	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/dot11"
)

// Times of the 2.4 GHz band with long slots, 19.4.
const (
	sifs       = 10 * emu.Microsecond
	difs       = 50 * emu.Microsecond
	ackTimeout = sifs + 20*emu.Microsecond + 20*emu.Microsecond
	ackLen     = 14
	fcsLen     = 4
)

// Rates in units of 500 kbit/s, as in radiotap.
const (
	rate1M  = 2
	rate24M = 48
	rate54M = 108
)

// airtime returns how long a frame of n bytes, with FCS, occupies the medium:
// DSSS with the long preamble up to 11 Mbit/s (15.2, 16.2), OFDM above (17.4).
func airtime(n, rate int) emu.Duration {
	bits := 8 * n
	switch {
	case rate <= 0:
		rate = rate1M
		fallthrough
	case rate == 2, rate == 4, rate == 11, rate == 22:
		return 192*emu.Microsecond + emu.Duration((2*bits+rate-1)/rate)*emu.Microsecond
	}
	perSymbol := 2 * rate // 4 us at rate/2 Mbit/s
	symbols := (16 + bits + 6 + perSymbol - 1) / perSymbol
	return emu.Duration(20+4*symbols+6) * emu.Microsecond
}

// ackTime returns the time from the end of a frame to the end of its
// acknowledgement.
func ackTime(rate int) emu.Duration {
	if rate < 12 || rate == 22 {
		return sifs + airtime(ackLen, rate1M)
	}
	return sifs + airtime(ackLen, rate24M)
}

// rateOf returns the rate at which an access point transmits a frame.
func rateOf(f dot11.Frame) int {
	if f.Type() == dot11.Data && !f.A1().Group() {
		return rate54M
	}
	return rate1M
}
