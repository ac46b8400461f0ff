package c3

import "espalier.dev/espalier/emu/chip"

// wdtStep returns the guest ticks per slow-clock cycle, rounded.
func (r *rtc) wdtStep() uint64 {
	return (chip.TicksPerSecond + r.slowHz()/2) / r.slowHz()
}

// writeWDT writes a register of the RTC watchdog, if the key is set.
func (r *rtc) writeWDT(off, v uint32) {
	if r.get(rtcWDTKey) != wdtKey {
		return
	}
	if off == rtcWDTFeed {
		if v>>31 != 0 {
			r.wdt.start()
		}
		return
	}
	old := r.get(off)
	r.block.write(off, v)
	switch {
	case off == rtcWDTConfig && (v^old)&(1<<31|wdtFlashboot(12)) != 0:
		r.startWDT()
	default:
		r.loadWDT()
	}
}

// loadWDT loads stages and clock from the registers, TRM 12.2.2.
func (r *rtc) loadWDT() {
	cfg := r.get(rtcWDTConfig)
	for n := range uint32(4) {
		r.wdt.s.Hold[n] = uint64(r.get(rtcWDTConfig + 4 + 4*n))
		r.wdt.s.Action[n] = cfg >> (28 - 3*n) & 7
	}
	// The eFuse field WDT_DELAY_SEL extends stage 0.
	r.wdt.s.Hold[0] <<= 1 + r.soc.efuse.wdtDelay()
	guard := cfg&wdtFlashboot(12) != 0 && r.soc.gpio.flashBoot()
	if guard {
		r.wdt.s.Action[0] = 4
	}
	r.wdt.s.On = cfg>>31 != 0 || guard
	r.wdt.s.Step = r.wdtStep()
}

func (r *rtc) startWDT() {
	r.loadWDT()
	r.wdt.start()
}

// writeSWD writes the super watchdog's configuration, if its key is set.
func (r *rtc) writeSWD(v uint32) {
	if r.get(rtcSWDKey) != swdKey {
		return
	}
	r.set(rtcSWDConf, v&^rtcSWDFeed&^3|r.get(rtcSWDConf)&3)
	if v>>28&1 != 0 { // SWD_RST_FLAG_CLR
		r.set(rtcSWDConf, r.get(rtcSWDConf)&^(1|1<<28))
	}
	r.feedSWD()
}

// feedSWD restarts the super watchdog, or stops it when hardware feeds it or
// its reset is disabled. Until the second-stage bootloader clears the bit in
// FIB_SEL, it does not reset the chip: the ROM's loader waits without feeding
// it.
func (r *rtc) feedSWD() {
	if r.get(rtcSWDConf)&(rtcSWDAutoFeed|rtcSWDBypass) != 0 || r.get(rtcFibSel)&rtcFibSuperWDT != 0 {
		r.swd.Stop()
		return
	}
	r.swd.Set(r.soc.m.Now().Add(swdTimeout))
}

func (r *rtc) superWatchdog() {
	r.intr.raise(rtcIntSWD)
	r.soc.requestReset(causeSuperWDT)
}
