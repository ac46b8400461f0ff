package c3

import (
	"espalier.dev/espalier/emu/chip"
	"espalier.dev/espalier/rv32"
)

// RTC_CNTL registers, TRM 9.8 (and 12.4 for its watchdogs).
const (
	rtcOptions0    = 0x00
	rtcSlpTimer0   = 0x04
	rtcSlpTimer1   = 0x08
	rtcTimeUpdate  = 0x0c
	rtcTimeLow0    = 0x10
	rtcTimeHigh0   = 0x14
	rtcState0      = 0x18
	rtcResetState  = 0x38
	rtcWakeupState = 0x3c
	rtcIntEna      = 0x40
	rtcIntRaw      = 0x44
	rtcIntSt       = 0x48
	rtcIntClr      = 0x4c
	rtcClkConf     = 0x70
	rtcWDTConfig   = 0x90 // WDTCONFIG0 to 4
	rtcWDTFeed     = 0xa4
	rtcWDTKey      = 0xa8
	rtcSWDConf     = 0xac
	rtcSWDKey      = 0xb0
	rtcTimeLow1    = 0xdc
	rtcTimeHigh1   = 0xe0
	rtcOption1     = 0xf4
	rtcFibSel      = 0x10c
	rtcWakeupCause = 0xf8
	rtcIntEnaW1TS  = 0x100
	rtcIntEnaW1TC  = 0x104

	rtcSWCPUReset = 1 << 5
	rtcSWSysReset = 1 << 31

	rtcIntSlpWakeup = 1 << 0
	rtcIntWDT       = 1 << 3
	rtcIntMainTimer = 1 << 10
	rtcIntSWD       = 1 << 15

	rtcFibSuperWDT = 1 << 1 // if clear, the analog part controls the reset by the super watchdog instead of SWD_CONF

	rtcSWDAutoFeed = 1 << 31
	rtcSWDBypass   = 1 << 30 // SWD_BYPASS_RST
	rtcSWDFeed     = 1 << 29
	swdKey         = 0x8f1d312a
	// swdTimeout is the timeout of the super watchdog, TRM 12.3: slightly less
	// than a second.
	swdTimeout = 950 * chip.Millisecond
)

// rtc is RTC_CNTL: software resets, the reset cause, the slow-clock counter and
// its alarm, the RTC watchdog RWDT, the super watchdog, the brown-out detector, and
// sleep (sleep.go).
// Registers of power control are storage.
type rtc struct {
	block
	soc  *soc
	intr interrupts
	s    struct {
		Base  uint64 // slow-clock count at Since
		Since chip.Time
		Sleep sleepMode
	}
	main *chip.Timer
	swd  *chip.Timer
	wdt  watchdog
	low  brownOut
}

func newRTC(c *soc) *rtc {
	r := &rtc{soc: c}
	r.intr.line = c.intc.source(srcRTC)
	r.main = c.m.NewTimer(r.alarm)
	r.swd = c.m.NewTimer(r.superWatchdog)
	r.wdt = watchdog{soc: c, act: func(action uint32) {
		switch action {
		case 1:
			r.intr.raise(rtcIntWDT)
		case 2:
			c.requestReset(causeRTCWDTCPU)
		case 3:
			c.requestReset(causeRTCWDTSys)
		case 4, 5: // 5 is not documented, but written by Espressif's tools
			c.requestReset(causeRTCWDTRTC)
		}
	}}
	r.wdt.timer = c.m.NewTimer(r.wdt.expire)
	r.low.rtc, r.low.s.MilliVolts = r, chip.Supply
	r.low.timer = c.m.NewTimer(r.low.waited)
	r.block = newBlock("RTC_CNTL", 0x60008000, rtcTable())
	r.unmodelled(rtcWakeupState, (wakeWiFi|wakeBT)<<15, 0)
	r.mark(clocked, rtcTimeLow0, rtcTimeHigh0)
	r.mark(latch, rtcTimeUpdate)
	return r
}

func rtcTable() []reg {
	return []reg{
		{0x00, "OPTIONS0", 0x1c00a000}, {0x04, "SLP_TIMER0", 0}, {0x08, "SLP_TIMER1", 0}, {0x0c, "TIME_UPDATE", 0}, {0x10, "TIME_LOW0", 0},
		{0x14, "TIME_HIGH0", 0}, {0x18, "STATE0", 0}, {0x1c, "TIMER1", 0x28140403}, {0x20, "TIMER2", 0x1000000}, {0x24, "TIMER3", 0xa080a08},
		{0x28, "TIMER4", 0x10200a08}, {0x2c, "TIMER5", 0x8000}, {0x30, "TIMER6", 0xa080000}, {0x34, "ANA_CONF", 0xc40000}, {0x38, "RESET_STATE", 0x3000},
		{0x3c, "WAKEUP_STATE", 0x60000}, {0x40, "INT_ENA", 0}, {0x44, "INT_RAW", 0}, {0x48, "INT_ST", 0}, {0x4c, "INT_CLR", 0},
		{0x50, "STORE0", 0}, {0x54, "STORE1", 0}, {0x58, "STORE2", 0}, {0x5c, "STORE3", 0}, {0x60, "EXT_XTL_CONF", 0x66c80}, {0x64, "EXT_WAKEUP_CONF", 0},
		{0x68, "SLP_REJECT_CONF", 0}, {0x6c, "CPU_PERIOD_CONF", 0}, {0x70, "CLK_CONF", 0x11583218}, {0x74, "SLOW_CLK_CONF", 0x400000},
		{0x78, "SDIO_CONF", 0xab0be0a}, {0x7c, "BIAS_CONF", 0x10800}, {0x80, "RTC", 0xa0000000}, {0x84, "PWC", 0}, {0x88, "DIG_PWC", 0x555010},
		{0x8c, "DIG_ISO", 0xaa805080}, {0x90, "WDTCONFIG0", 0x13214}, {0x94, "WDTCONFIG1", 0x30d40}, {0x98, "WDTCONFIG2", 0x13880},
		{0x9c, "WDTCONFIG3", 0xfff}, {0xa0, "WDTCONFIG4", 0xfff}, {0xa4, "WDTFEED", 0}, {0xa8, "WDTWPROTECT", 0}, {0xac, "SWD_CONF", 0x4b00000},
		{0xb0, "SWD_WPROTECT", 0}, {0xb4, "SW_CPU_STALL", 0}, {0xb8, "STORE4", 0}, {0xbc, "STORE5", 0}, {0xc0, "STORE6", 0}, {0xc4, "STORE7", 0},
		{0xc8, "LOW_POWER_ST", 0x8140140}, {0xcc, "DIAG0", 0}, {0xd0, "PAD_HOLD", 0}, {0xd4, "DIG_PAD_HOLD", 0}, {0xd8, "BROWN_OUT", 0x43ff0010},
		{0xdc, "TIME_LOW1", 0}, {0xe0, "TIME_HIGH1", 0}, {0xe4, "XTAL32K_CLK_FACTOR", 0}, {0xe8, "XTAL32K_CONF", 0xff00000}, {0xec, "USB_CONF", 0},
		{0xf0, "SLP_REJECT_CAUSE", 0}, {0xf4, "OPTION1", 0}, {0xf8, "SLP_WAKEUP_CAUSE", 0}, {0xfc, "ULP_CP_TIMER_1", 0xc800},
		{0x100, "INT_ENA_W1TS", 0}, {0x104, "INT_ENA_W1TC", 0}, {0x108, "RETENTION_CTRL", 0xa0d00000}, {0x10c, "FIB_SEL", 7},
		{0x110, "GPIO_WAKEUP", 0}, {0x114, "DBG_SEL", 0}, {0x118, "DBG_MAP", 0}, {0x11c, "SENSOR_CTRL", 0}, {0x120, "DBG_SAR_SEL", 0}, {0x1fc, "DATE", 0x2007270},
	}
}

func (r *rtc) read(off uint32) uint32 {
	switch off {
	case rtcIntRaw:
		return r.intr.Raw
	case rtcIntSt:
		return r.intr.status()
	case rtcIntEna:
		return r.intr.Ena
	case rtcBrownOut:
		return r.low.read()
	case rtcTimeUpdate, rtcIntClr, rtcWDTFeed, rtcIntEnaW1TS, rtcIntEnaW1TC:
		return 0
	}
	return r.block.read(off)
}

func (r *rtc) write(off, v uint32) {
	switch off {
	case rtcOptions0:
		r.set(off, v&^(rtcSWCPUReset|rtcSWSysReset))
		switch {
		case v&rtcSWSysReset != 0:
			r.soc.requestReset(causeSWSystem)
		case v&rtcSWCPUReset != 0:
			r.soc.requestReset(causeSWCPU)
		}
	case rtcSlpTimer0:
		r.set(off, v)
	case rtcSlpTimer1:
		r.set(off, v&^(1<<16))
		if v>>16&1 != 0 { // MAIN_TIMER_ALARM_EN
			r.arm()
		}
	case rtcState0:
		r.set(off, v&^(1<<31))
		if v>>31 != 0 { // SLEEP_EN
			r.sleep()
		}
	case rtcTimeUpdate:
		if v>>31 != 0 {
			n := r.count()
			r.set(rtcTimeLow0, uint32(n))
			r.set(rtcTimeHigh0, uint32(n>>32)&0xffff)
		}
	case rtcResetState:
		const readOnly = 0xfff // causes of both CPUs
		r.set(off, v&^readOnly|r.get(off)&readOnly)
	case rtcIntEna:
		r.intr.enable(v)
	case rtcIntEnaW1TS:
		r.intr.enable(r.intr.Ena | v)
	case rtcIntEnaW1TC:
		r.intr.enable(r.intr.Ena &^ v)
	case rtcIntClr:
		r.intr.clear(v)
	case rtcClkConf:
		r.fold()
		r.wdt.pause()
		r.set(off, v)
		r.wdt.resume(r.wdtStep())
	case rtcWDTConfig, rtcWDTConfig + 4, rtcWDTConfig + 8, rtcWDTConfig + 12, rtcWDTConfig + 16, rtcWDTFeed:
		r.writeWDT(off, v)
	case rtcSWDConf:
		r.writeSWD(v)
	case rtcBrownOut:
		r.low.write(v)
	case rtcDigISO, rtcPadHold, rtcDigPadHold:
		r.soc.gpio.writeHold(off, v)
	case rtcFibSel:
		r.set(off, v)
		r.feedSWD()
	case rtcIntRaw, rtcIntSt, rtcTimeLow0, rtcTimeHigh0, rtcTimeLow1, rtcTimeHigh1, rtcWakeupCause:
	default:
		r.block.write(off, v)
	}
}

// slowHz returns the frequency of the slow clock, CLK_CONF ANA_CLK_RTC_SEL.
func (r *rtc) slowHz() uint64 {
	switch r.get(rtcClkConf) >> 30 {
	case 1:
		return xtal32kHz
	case 2:
		return rcFastHz / 256
	}
	return r.soc.slowRC
}

// count returns the 48-bit slow-clock counter. Its speed depends on the clock
// source; fold adds the elapsed counts before a change.
func (r *rtc) count() uint64 { return r.countAt(r.soc.m.Now()) }

func (r *rtc) countAt(at chip.Time) uint64 {
	return r.s.Base + scale(uint64(at-r.s.Since), r.slowHz(), chip.TicksPerSecond)
}

// spinLoad implements counter.
func (r *rtc) spinLoad(off uint32, to chip.Time) rv32.SpinValue {
	latched := uint64(r.get(rtcTimeHigh0))<<32 | uint64(r.get(rtcTimeLow0))
	return spinValue(latched, r.countAt(to), off == rtcTimeHigh0)
}

func (r *rtc) fold() { r.s.Base, r.s.Since = r.count(), r.soc.m.Now() }

// arm schedules the main timer's alarm.
func (r *rtc) arm() {
	goal := uint64(r.get(rtcSlpTimer1)&0xffff)<<32 | uint64(r.get(rtcSlpTimer0))
	r.fold()
	if goal <= r.s.Base {
		r.main.Set(r.soc.m.Now())
		return
	}
	ticks := scale(goal-r.s.Base, chip.TicksPerSecond, r.slowHz())
	if ticks > 1<<62 {
		r.main.Stop()
		return
	}
	r.main.Set(r.soc.m.Now() + chip.Time(ticks+1))
}

func (r *rtc) alarm() {
	r.intr.raise(rtcIntMainTimer)
	r.wake(wakeTimer)
}

// booted sets the registers for software after a reset. A reset of the core
// feeds the watchdog: a chip without a bootable image is repeatedly reset by
// timer group 0, never by this watchdog.
func (r *rtc) booted(cause resetCause) {
	r.set(rtcResetState, r.get(rtcResetState)&^0xfff|cause.code()|cause.code()<<6)
	if cause.level() >= resetCore {
		r.startWDT()
		r.low.restart()
	}
}

// reset is a reset of the RTC domain.
func (r *rtc) reset() {
	r.fold()
	r.block.reset()
	r.main.Stop()
	r.intr.reset(0)
	r.startWDT()
	r.feedSWD()
}

func (r *rtc) state(s *chip.State) {
	s.Fixed(&r.words, &r.s, &r.wdt.s, &r.intr.Raw, &r.intr.Ena, &r.low.s)
}
