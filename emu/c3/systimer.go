package c3

import (
	"espalier.dev/espalier/emu/chip"
	"espalier.dev/espalier/rv32"
)

// SYSTIMER registers, TRM 10.6.
const (
	stConf       = 0x00
	stUnit0Op    = 0x04
	stUnit0Load  = 0x0c // HI, LO; unit 1 at +8
	stTarget0    = 0x1c // HI, LO; target n at +8n
	stTarget0Cfg = 0x34 // +4n
	stUnit0Value = 0x40 // HI, LO; unit 1 at +8
	stComp0Load  = 0x50 // +4n
	stUnit0Start = 0x5c // UNITn_LOAD, +4n
	stIntEna     = 0x64
	stIntRaw     = 0x68
	stIntClr     = 0x6c
	stIntSt      = 0x70

	stTicks = 10 // guest ticks per count: 16 MHz
	stMask  = 1<<52 - 1

	stOpValid     = 1 << 29
	stOpUpdate    = 1 << 30
	stCfgPeriod   = 1 << 30
	stCfgUnitSel  = 1 << 31
	stConfTarget0 = 24 // TARGETn_WORK_EN is bit 24-n
	stConfUnit0   = 30 // UNITn_WORK_EN is bit 30-n
	stConfReset   = 0x46000000
	stPeriodMask  = 1<<26 - 1
	stDate        = 0x2006171
	stTargets     = 3
	stUnits       = 2
)

// systimer is SYSTIMER, TRM 10: two 52-bit counters at 16 MHz, independent of
// the CPU clock, and three comparators with an interrupt each. Unit 0 runs from
// reset, which esp-hal requires.
type systimer struct {
	block
	soc *soc
	s   struct {
		Base  [stUnits]uint64    // count at Since
		Since [stUnits]chip.Time // when the unit was started
		Latch [stUnits]uint64    // value latched by UPDATE
		Valid [stUnits]bool      // UPDATE was used since the reset
		Armed [stTargets]bool    // comparator loaded and not fired
		Goal  [stTargets]uint64  // count at which it fires
		Raw   uint32
		Ena   uint32
	}
	lines  [stTargets]*line
	alarms [stTargets]*chip.Timer
}

func newSystimer(c *soc) *systimer {
	t := &systimer{soc: c}
	for n := range stTargets {
		t.lines[n] = c.intc.source(srcSystimer0 + uint(n))
		t.alarms[n] = c.m.NewTimer(func() { t.fire(n) })
	}
	t.block = newBlock("SYSTIMER", 0x60023000, []reg{{stConf, "CONF", stConfReset}, {0xfc, "DATE", stDate}})
	t.know(0, stIntSt)
	t.mark(clocked, stUnit0Op, stUnit0Op+4, stUnit0Value, stUnit0Value+4, stUnit0Value+8, stUnit0Value+12)
	t.mark(latch, stUnit0Op, stUnit0Op+4)
	return t
}

func (t *systimer) running(unit int) bool {
	return t.words[stConf>>2]>>(stConfUnit0-unit)&1 != 0
}

// count returns the value of a unit now.
func (t *systimer) count(unit int) uint64 { return t.countAt(unit, t.soc.m.Now()) }

func (t *systimer) countAt(unit int, at chip.Time) uint64 {
	v := t.s.Base[unit]
	if t.running(unit) {
		v += uint64(at/stTicks) - uint64(t.s.Since[unit]/stTicks)
	}
	return v & stMask
}

// spinLoad implements counter.
func (t *systimer) spinLoad(off uint32, to chip.Time) rv32.SpinValue {
	if off < stUnit0Value {
		v := t.read(off)
		return rv32.SpinValue{OK: true, Lo: v, Hi: v, Latched: true}
	}
	unit := int(off-stUnit0Value) / 8
	return spinValue(t.s.Latch[unit], t.countAt(unit, to), off&4 == 0)
}

func (t *systimer) read(off uint32) uint32 {
	switch off {
	case stUnit0Op, stUnit0Op + 4:
		if t.s.Valid[(off-stUnit0Op)/4] {
			return stOpValid
		}
		return 0
	case stUnit0Value:
		return uint32(t.s.Latch[0] >> 32)
	case stUnit0Value + 4:
		return uint32(t.s.Latch[0])
	case stUnit0Value + 8:
		return uint32(t.s.Latch[1] >> 32)
	case stUnit0Value + 12:
		return uint32(t.s.Latch[1])
	case stIntEna:
		return t.s.Ena
	case stIntRaw:
		return t.s.Raw
	case stIntSt:
		return t.s.Raw & t.s.Ena
	case stIntClr, stComp0Load, stComp0Load + 4, stComp0Load + 8, stUnit0Start, stUnit0Start + 4:
		return 0
	}
	return t.block.read(off)
}

func (t *systimer) write(off, v uint32) {
	switch off {
	case stConf:
		t.configure(v)
	case stUnit0Op, stUnit0Op + 4:
		if v&stOpUpdate != 0 {
			unit := int(off-stUnit0Op) / 4
			t.s.Latch[unit], t.s.Valid[unit] = t.count(unit), true
		}
	case stUnit0Start, stUnit0Start + 4:
		if v&1 != 0 {
			t.loadUnit(int(off-stUnit0Start) / 4)
		}
	case stComp0Load, stComp0Load + 4, stComp0Load + 8:
		if v&1 != 0 {
			t.loadTarget(int(off-stComp0Load) / 4)
		}
	case stTarget0Cfg, stTarget0Cfg + 4, stTarget0Cfg + 8:
		t.block.write(off, v)
		t.schedule(int(off-stTarget0Cfg) / 4)
	case stIntEna:
		t.s.Ena = v & 7
		t.update()
	case stIntClr:
		t.s.Raw &^= v
		t.update()
	case stIntRaw, stIntSt, stUnit0Value, stUnit0Value + 4, stUnit0Value + 8, stUnit0Value + 12:
	default:
		t.block.write(off, v)
	}
}

// configure starts and stops units and comparators.
func (t *systimer) configure(v uint32) {
	old := t.get(stConf)
	for unit := range stUnits {
		t.s.Base[unit], t.s.Since[unit] = t.count(unit), t.soc.m.Now()
	}
	t.set(stConf, v)
	for n := range stTargets {
		bit := uint32(1) << (stConfTarget0 - n)
		if v&bit != 0 && old&bit == 0 {
			t.loadTarget(n)
		}
		t.schedule(n)
	}
}

func (t *systimer) loadUnit(unit int) {
	hi, lo := t.get(stUnit0Load+8*uint32(unit)), t.get(stUnit0Load+8*uint32(unit)+4)
	t.s.Base[unit], t.s.Since[unit] = (uint64(hi)<<32|uint64(lo))&stMask, t.soc.m.Now()
	for n := range stTargets {
		t.schedule(n)
	}
}

// target returns the configuration of comparator n: its unit, and its period
// or 0 in one-shot mode.
func (t *systimer) target(n int) (unit int, period uint64) {
	cfg := t.get(stTarget0Cfg + 4*uint32(n))
	if cfg&stCfgUnitSel != 0 {
		unit = 1
	}
	if cfg&stCfgPeriod != 0 {
		period = uint64(max(1, cfg&stPeriodMask))
	}
	return unit, period
}

func (t *systimer) loadTarget(n int) {
	unit, period := t.target(n)
	if period > 0 {
		t.s.Goal[n] = t.count(unit) + period
	} else {
		hi, lo := t.get(stTarget0+8*uint32(n)), t.get(stTarget0+8*uint32(n)+4)
		t.s.Goal[n] = (uint64(hi)<<32 | uint64(lo)) & stMask
	}
	t.s.Armed[n] = true
	t.schedule(n)
}

// schedule sets the deadline of comparator n. A target in the past fires at
// once.
func (t *systimer) schedule(n int) {
	unit, _ := t.target(n)
	on := t.get(stConf)>>(stConfTarget0-n)&1 != 0
	if !t.s.Armed[n] || !on || !t.running(unit) {
		t.alarms[n].Stop()
		return
	}
	now := t.soc.m.Now()
	left := int64(t.s.Goal[n] - t.count(unit))
	if left <= 0 {
		t.alarms[n].Set(now)
		return
	}
	// The counter changes at multiples of its period after power-on.
	t.alarms[n].Set(now/stTicks*stTicks + chip.Time(uint64(left)*stTicks))
}

func (t *systimer) fire(n int) {
	t.s.Raw |= 1 << n
	if _, period := t.target(n); period > 0 {
		t.s.Goal[n] += period
		t.schedule(n)
	} else {
		t.s.Armed[n] = false
	}
	t.update()
}

func (t *systimer) update() {
	for n := range stTargets {
		t.lines[n].set(t.s.Raw&t.s.Ena>>n&1 != 0)
	}
}

func (t *systimer) reset() {
	t.block.reset()
	for unit := range stUnits {
		t.s.Base[unit], t.s.Since[unit], t.s.Latch[unit], t.s.Valid[unit] = 0, t.soc.m.Now(), 0, false
	}
	for n := range stTargets {
		t.s.Armed[n], t.s.Goal[n] = false, 0
		t.alarms[n].Stop()
	}
	t.s.Raw, t.s.Ena = 0, 0
	t.update()
}

func (t *systimer) state(s *chip.State) { s.Fixed(&t.words, &t.s) }
