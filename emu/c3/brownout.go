package c3

import "espalier.dev/espalier/emu/chip"

// Brown-out detector, TRM 9.3.5: BROWN_OUT of RTC_CNTL. While the supply is below
// the threshold and the detector enabled, it counts slow-clock cycles: after INT_WAIT
// it raises its interrupt and ends sleep, after RST_WAIT it resets. What it does to
// flash and radio (CLOSE_FLASH_ENA, PD_RF_ENA) is not modelled, nor that a chip with
// less than about 2.3 V does not run.
const (
	rtcBrownOut = 0xd8

	boResetEnable = 1 << 26
	boResetChip   = 1 << 27 // RST_SEL: the chip, else the system
	boAnalog      = 1 << 28 // ANA_RST_EN: resets the chip at once
	boClear       = 1 << 29
	boEnable      = 1 << 30
	boDetected    = 1 << 31

	rtcIntBrownOut = 1 << 9
	wakeBrownOut   = 1 << 16

	// The threshold is a register of an analog block (ESP-IDF, regi2c_brownout.h).
	boSlave     = 0x61
	boThreshold = 5
)

// boMilliVolts are the thresholds (ESP-IDF, Kconfig of the detector); levels 0 and 1
// have the default of the TRM.
var boMilliVolts = [8]int32{2700, 2700, 3270, 3100, 2920, 2760, 2640, 2510}

// brownOut is the detector's state.
type brownOut struct {
	rtc   *rtc
	timer *chip.Timer // of the interrupt, then of the reset
	s     struct {
		MilliVolts int32
		Raised     bool // the interrupt of this brown-out
	}
}

// low reports whether the detector sees too low a supply.
func (b *brownOut) low() bool {
	level := b.rtc.soc.analog.slave(boSlave, boThreshold) & 7
	return b.rtc.get(rtcBrownOut)&boEnable != 0 && b.s.MilliVolts < boMilliVolts[level]
}

// supply sets the voltage of the chip's supply.
func (b *brownOut) supply(mv int32) {
	b.s.MilliVolts = mv
	b.look()
}

// look starts or ends a brown-out after a change of the voltage or of registers.
func (b *brownOut) look() {
	switch {
	case !b.low():
		b.timer.Stop()
		b.s.Raised = false
	case b.rtc.get(rtcBrownOut)&boAnalog != 0:
		b.rtc.soc.requestReset(causeBrownOutChip)
	case !b.timer.Armed() && !b.s.Raised:
		b.wait(field(b.rtc.get(rtcBrownOut), 13, 4))
	case !b.timer.Armed() && b.rtc.get(rtcBrownOut)&boResetEnable != 0:
		b.wait(field(b.rtc.get(rtcBrownOut), 25, 16))
	}
}

func (b *brownOut) wait(cycles uint32) {
	b.timer.Set(b.rtc.soc.m.Now().Add(chip.Duration(uint64(max(1, cycles)) * b.rtc.wdtStep())))
}

// waited is the end of INT_WAIT, or of the rest of RST_WAIT.
func (b *brownOut) waited() {
	conf := b.rtc.get(rtcBrownOut)
	if !b.s.Raised {
		b.s.Raised = true
		b.rtc.intr.raise(rtcIntBrownOut)
		b.rtc.wake(wakeBrownOut)
		if intr, reset := field(conf, 13, 4), field(conf, 25, 16); conf&boResetEnable != 0 {
			b.wait(max(reset, intr+1) - intr)
		}
		return
	}
	if conf&boResetEnable == 0 {
		return
	}
	cause := causeBrownOut
	if conf&boResetChip != 0 {
		cause = causeBrownOutChip
	}
	b.rtc.soc.requestReset(cause)
}

func (b *brownOut) read() uint32 {
	v := b.rtc.get(rtcBrownOut) &^ (boDetected | boClear)
	if b.low() {
		v |= boDetected
	}
	return v
}

func (b *brownOut) write(v uint32) {
	b.rtc.set(rtcBrownOut, v&^(boDetected|boClear))
	if v&boClear != 0 { // the counter starts again
		b.timer.Stop()
		b.s.Raised = false
	}
	b.look()
}

// restart is called after a reset: a supply that is still too low is detected again.
func (b *brownOut) restart() {
	b.timer.Stop()
	b.s.Raised = false
	b.look()
}
