package c3

import (
	"math/bits"

	"espalier.dev/espalier/emu/chip"
)

// watchdog has the four stages that the MWDTs and the RWDT share, TRM 12.2.2:
// each stage has a duration and an action; feeding restarts at stage 0. The
// owner configures the stages and performs the actions.
type watchdog struct {
	soc   *soc
	timer *chip.Timer
	act   func(action uint32)
	s     struct {
		On     bool
		Stage  uint32
		Hold   [4]uint64 // counts of each stage
		Action [4]uint32 // 0 is none: the stage only takes time
		Step   uint64    // guest ticks per count
		Left   uint64    // counts left while the clock changes
	}
}

// wdtFlashboot returns the bit at n as a mask: FLASHBOOT_MOD_EN.
func wdtFlashboot(n uint) uint32 { return 1 << n }

// start begins at stage 0 with the configuration in s.
func (w *watchdog) start() {
	w.s.Stage = 0
	w.arm(w.s.Hold[0])
}

func (w *watchdog) arm(counts uint64) {
	if !w.s.On {
		w.timer.Stop()
		return
	}
	hi, ticks := bits.Mul64(max(1, counts), w.s.Step)
	if hi != 0 || ticks > 1<<62 {
		w.timer.Stop()
		return
	}
	w.timer.Set(w.soc.m.Now() + chip.Time(ticks))
}

// expire ends a stage. After the last stage the watchdog continues with the
// first.
func (w *watchdog) expire() {
	action := w.s.Action[w.s.Stage]
	w.s.Stage = (w.s.Stage + 1) % 4
	w.arm(w.s.Hold[w.s.Stage])
	w.act(action)
}

// pause and resume preserve the remaining time of a stage over a change of the
// clock.
func (w *watchdog) pause() {
	w.s.Left = 0
	if w.timer.Armed() {
		w.s.Left = (uint64(w.timer.When()-min(w.soc.m.Now(), w.timer.When())) + w.s.Step - 1) / max(1, w.s.Step)
	}
}

func (w *watchdog) resume(step uint64) {
	w.s.Step = step
	if w.timer.Armed() {
		w.arm(w.s.Left)
	}
}

// wdtStep returns the guest ticks per count of the MWDT: APB or crystal,
// divided by the prescaler in WDTCONFIG1.
func (t *timg) wdtStep() uint64 {
	base := t.soc.apbTicks()
	if t.get(tgWDTConfig)>>21&1 != 0 { // WDT_USE_XTAL
		base = xtalTicks
	}
	return base * uint64(max(1, field(t.get(tgWDTConfig+4), 31, 16)))
}

// writeWDT writes a watchdog register, if the key is set. A new configuration
// takes effect at CONF_UPDATE_EN (bit 22).
func (t *timg) writeWDT(off, v uint32) {
	if t.get(tgWDTKey) != wdtKey {
		return
	}
	switch off {
	case tgWDTFeed:
		t.wdt.start()
	case tgWDTConfig:
		old := t.get(off)
		t.block.write(off, v&^(1<<22))
		if v>>22&1 != 0 || (v^old)&(1<<31|1<<14) != 0 {
			t.startWDT()
		}
	default:
		t.block.write(off, v)
		if !t.wdt.s.On {
			return
		}
		t.loadWDT()
	}
}

// loadWDT loads stages and clock from the registers.
func (t *timg) loadWDT() {
	cfg := t.get(tgWDTConfig)
	for n := range uint32(4) {
		t.wdt.s.Hold[n] = uint64(t.get(tgWDTConfig + 8 + 4*n))
		t.wdt.s.Action[n] = cfg >> (29 - 2*n) & 3
	}
	guard := cfg&wdtFlashboot(14) != 0 && t.soc.gpio.flashBoot()
	if guard {
		// Flash boot protection: stage 0 resets the system, regardless of STG0.
		t.wdt.s.Action[0] = 3
	}
	t.wdt.s.On = cfg>>31 != 0 || guard
	t.wdt.s.Step = t.wdtStep()
}

func (t *timg) startWDT() {
	t.loadWDT()
	t.wdt.start()
}
