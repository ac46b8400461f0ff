package c3

import (
	"espalier.dev/espalier/emu/chip"
	"espalier.dev/espalier/rv32"
)

// TIMG registers, TRM 11.4 (timer) and 12.4 (watchdog).
const (
	tgT0Config  = 0x00
	tgT0Lo      = 0x04
	tgT0Hi      = 0x08
	tgT0Update  = 0x0c
	tgT0AlarmLo = 0x10
	tgT0AlarmHi = 0x14
	tgT0LoadLo  = 0x18
	tgT0LoadHi  = 0x1c
	tgT0Load    = 0x20
	tgWDTConfig = 0x48 // WDTCONFIG0; 1 is the prescaler, 2 to 5 the stages
	tgWDTFeed   = 0x60
	tgWDTKey    = 0x64
	tgCaliCfg   = 0x68
	tgCaliCfg1  = 0x6c
	tgIntEna    = 0x70
	tgIntRaw    = 0x74
	tgIntSt     = 0x78
	tgIntClr    = 0x7c
	tgCaliCfg2  = 0x80
	tgDate      = 0xf8
	tgRegClk    = 0xfc

	tgUseXTAL    = 1 << 9
	tgAlarmEn    = 1 << 10
	tgAutoreload = 1 << 29
	tgIncrease   = 1 << 30
	tgEn         = 1 << 31
	tgCountMask  = 1<<54 - 1

	tgIntT0  = 1 << 0
	tgIntWDT = 1 << 1

	wdtKey = 0x50d83aa1 // disables the write protection of TIMG and RTC watchdogs
)

// timg is TIMG0 or TIMG1: the 54-bit timer T0, TRM 11, and the main system
// watchdog MWDT, TRM 12.2. The clock calibration is in calibration.go.
type timg struct {
	block
	soc    *soc
	t0line *line
	wdline *line
	alarm  *chip.Timer
	wdt    watchdog
	s      struct {
		Base     uint64 // count at Since
		Since    chip.Time
		Raw, Ena uint32
		Cali     calibration
	}
}

func newTIMG(c *soc, n int, base uint32, t0, wdt uint, cpuReset, sysReset resetCause) *timg {
	t := &timg{soc: c, t0line: c.intc.source(t0), wdline: c.intc.source(wdt)}
	t.alarm = c.m.NewTimer(t.fire)
	t.wdt = watchdog{soc: c, act: func(action uint32) {
		switch action {
		case 1:
			t.s.Raw |= tgIntWDT
			t.update()
		case 2:
			c.requestReset(cpuReset)
		case 3:
			c.requestReset(sysReset)
		}
	}}
	t.wdt.timer = c.m.NewTimer(t.wdt.expire)
	t.block = newBlock([]string{"TIMG0", "TIMG1"}[n], base, []reg{
		{tgT0Config, "T0CONFIG", 0x60002000}, {tgT0Lo, "T0LO", 0}, {tgT0Hi, "T0HI", 0}, {tgT0Update, "T0UPDATE", 0}, {tgT0AlarmLo, "T0ALARMLO", 0},
		{tgT0AlarmHi, "T0ALARMHI", 0}, {tgT0LoadLo, "T0LOADLO", 0}, {tgT0LoadHi, "T0LOADHI", 0}, {tgT0Load, "T0LOAD", 0},
		{tgWDTConfig, "WDTCONFIG0", 0x4c000}, {0x4c, "WDTCONFIG1", 0x10000}, {0x50, "WDTCONFIG2", 0x18cba80}, {0x54, "WDTCONFIG3", 0x7ffffff},
		{0x58, "WDTCONFIG4", 0xfffff}, {0x5c, "WDTCONFIG5", 0xfffff}, {tgWDTFeed, "WDTFEED", 0}, {tgWDTKey, "WDTWPROTECT", wdtKey},
		{tgCaliCfg, "RTCCALICFG", 0x13000}, {tgCaliCfg1, "RTCCALICFG1", 0}, {tgIntEna, "INT_ENA_TIMERS", 0}, {tgIntRaw, "INT_RAW_TIMERS", 0},
		{tgIntSt, "INT_ST_TIMERS", 0}, {tgIntClr, "INT_CLR_TIMERS", 0}, {tgCaliCfg2, "RTCCALICFG2", 0xffffff98}, {tgDate, "NTIMERS_DATE", 0x2006191},
		{tgRegClk, "REGCLK", 0x60000000},
	})
	t.mark(varies, tgCaliCfg, tgCaliCfg1, tgCaliCfg2)
	t.mark(clocked, tgT0Lo, tgT0Hi)
	t.mark(latch, tgT0Update)
	if n == 1 {
		// Only the watchdog of group 0 is active while booting from flash, TRM
		// 12.2.2.3.
		t.block.table[9].value &^= wdtFlashboot(14)
		t.block.reset()
	}
	return t
}

func (t *timg) read(off uint32) uint32 {
	switch off {
	case tgT0Update, tgT0Load, tgIntClr, tgWDTFeed:
		return 0
	case tgIntRaw:
		return t.s.Raw
	case tgIntSt:
		return t.s.Raw & t.s.Ena
	case tgIntEna:
		return t.s.Ena
	case tgCaliCfg, tgCaliCfg1, tgCaliCfg2:
		return t.readCali(off)
	}
	return t.block.read(off)
}

func (t *timg) write(off, v uint32) {
	switch off {
	case tgT0Config:
		t.fold()
		t.block.write(off, v&^(1<<12)) // DIVCNT_RST clears itself
		t.schedule()
	case tgT0Update:
		n := t.count()
		t.set(tgT0Lo, uint32(n))
		t.set(tgT0Hi, uint32(n>>32))
	case tgT0AlarmLo, tgT0AlarmHi:
		t.block.write(off, v)
		t.schedule()
	case tgT0Load:
		t.s.Base = (uint64(t.get(tgT0LoadHi))<<32 | uint64(t.get(tgT0LoadLo))) & tgCountMask
		t.s.Since = t.soc.m.Now()
		t.schedule()
	case tgIntEna:
		t.s.Ena = v & 3
		t.update()
	case tgIntClr:
		t.s.Raw &^= v
		t.update()
	case tgCaliCfg:
		t.writeCali(v)
	case tgWDTKey:
		t.block.write(off, v)
	case tgT0Lo, tgT0Hi, tgIntRaw, tgIntSt, tgCaliCfg1:
	default:
		if off >= tgWDTConfig && off <= tgWDTFeed {
			t.writeWDT(off, v)
			return
		}
		t.block.write(off, v)
	}
}

// step returns the guest ticks per count of T0: APB or crystal, divided.
func (t *timg) step() uint64 {
	cfg := t.get(tgT0Config)
	div := uint64(field(cfg, 28, 13))
	switch div {
	case 0:
		div = 65536
	case 1:
		div = 2
	}
	if cfg&tgUseXTAL != 0 {
		return div * xtalTicks
	}
	return div * t.soc.apbTicks()
}

// count returns T0's value now.
func (t *timg) count() uint64 { return t.countAt(t.soc.m.Now()) }

func (t *timg) countAt(at chip.Time) uint64 {
	if t.get(tgT0Config)&tgEn == 0 {
		return t.s.Base
	}
	n := uint64(at-t.s.Since) / t.step()
	if t.get(tgT0Config)&tgIncrease == 0 {
		return (t.s.Base - n) & tgCountMask
	}
	return (t.s.Base + n) & tgCountMask
}

// fold adds the elapsed counts to the base before the clock changes. The
// fraction of a count is kept.
func (t *timg) fold() {
	now := t.soc.m.Now()
	if t.get(tgT0Config)&tgEn == 0 {
		t.s.Since = now
		return
	}
	rest := uint64(now-t.s.Since) % t.step()
	t.s.Base = t.count()
	t.s.Since = now - chip.Time(rest)
}

// schedule sets the deadline of the alarm. An alarm in the past, for an up
// counter at or below the count, fires at once: esp-rtos uses 0 for "now".
func (t *timg) schedule() {
	cfg := t.get(tgT0Config)
	if cfg&tgEn == 0 || cfg&tgAlarmEn == 0 {
		t.alarm.Stop()
		return
	}
	goal := (uint64(t.get(tgT0AlarmHi))<<32 | uint64(t.get(tgT0AlarmLo))) & tgCountMask
	count := t.count()
	left := goal - count
	if cfg&tgIncrease == 0 {
		left = count - goal
	}
	if int64(left) <= 0 {
		t.alarm.Set(t.soc.m.Now())
		return
	}
	done := uint64(t.soc.m.Now()-t.s.Since) / t.step()
	if left+done > uint64(chip.Never)/t.step()/2 {
		t.alarm.Stop() // centuries away
		return
	}
	t.alarm.Set(t.s.Since + chip.Time((left+done)*t.step()))
}

// spinLoad implements counter.
func (t *timg) spinLoad(off uint32, to chip.Time) rv32.SpinValue {
	latched := uint64(t.get(tgT0Hi))<<32 | uint64(t.get(tgT0Lo))
	return spinValue(latched, t.countAt(to), off == tgT0Hi)
}

func (t *timg) fire() {
	t.s.Raw |= tgIntT0
	cfg := t.get(tgT0Config)
	t.fold()
	t.set(tgT0Config, cfg&^tgAlarmEn)
	if cfg&tgAutoreload != 0 {
		t.s.Base = (uint64(t.get(tgT0LoadHi))<<32 | uint64(t.get(tgT0LoadLo))) & tgCountMask
		t.s.Since = t.soc.m.Now()
	}
	t.update()
}

func (t *timg) update() {
	st := t.s.Raw & t.s.Ena
	t.t0line.set(st&tgIntT0 != 0)
	t.wdline.set(st&tgIntWDT != 0)
}

func (t *timg) reset() {
	t.block.reset()
	t.s.Base, t.s.Since = 0, t.soc.m.Now()
	t.s.Raw, t.s.Ena = 0, 0
	t.alarm.Stop()
	t.beginCalibration()
	t.update()
	t.startWDT()
}

// clockChanged is called before APB changes its frequency (before) and after.
func (t *timg) clockChanged(before bool) {
	if before {
		t.fold()
		t.wdt.pause()
		return
	}
	t.schedule()
	t.wdt.resume(t.wdtStep())
}

func (t *timg) state(s *chip.State) {
	s.Fixed(&t.words, &t.s, &t.wdt.s)
}
