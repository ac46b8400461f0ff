package c3

import "espalier.dev/espalier/emu/chip"

// Bits of RTCCALICFG and RTCCALICFG2.
const (
	tgCaliCycling = 1 << 12
	tgCaliRdy     = 1 << 15
	tgCaliStart   = 1 << 31
	tgCaliTimeout = 1 << 0
)

// calibration is the RTC clock calibration of a timer group, TRM 6.2.4: it
// counts crystal cycles during MAX cycles of a slow clock, once (START) or
// continuously (START_CYCLING, which is set at reset). It needs no timer: the
// registers' values are computed when they are read.
type calibration struct {
	Begun   chip.Time
	Active  bool
	Ready   bool // of the last one, after it was stopped
	Timeout bool
	Result  uint32
}

// beginCalibration restarts calibration with the current configuration.
func (t *timg) beginCalibration() {
	t.s.Cali = calibration{Begun: t.soc.m.Now(), Active: t.get(tgCaliCfg)&(tgCaliStart|tgCaliCycling) != 0, Result: t.s.Cali.Result}
}

// writeCali writes RTCCALICFG.
func (t *timg) writeCali(v uint32) {
	old := t.get(tgCaliCfg)
	t.settleCali()
	t.set(tgCaliCfg, v&^tgCaliRdy)
	const on = tgCaliStart | tgCaliCycling
	switch {
	case v&on&^old != 0:
		t.beginCalibration()
	case v&on == 0:
		t.s.Cali.Active = false
	}
}

// settleCali updates the state to the current time.
func (t *timg) settleCali() {
	c := &t.s.Cali
	if !c.Active {
		return
	}
	elapsed := uint64(t.soc.m.Now()-c.Begun) / xtalTicks
	need := t.caliCycles()
	limit := uint64(field(t.get(tgCaliCfg2), 31, 7))
	if elapsed >= need {
		c.Ready, c.Result = true, uint32(min(need, 1<<25-1))
	}
	if limit < need && elapsed >= limit {
		c.Timeout = true
	}
}

// readCali returns RTCCALICFG, RTCCALICFG1 or RTCCALICFG2.
func (t *timg) readCali(off uint32) uint32 {
	t.settleCali()
	c, v := &t.s.Cali, t.get(off)
	switch off {
	case tgCaliCfg:
		if c.Ready {
			v |= tgCaliRdy
		}
	case tgCaliCfg1:
		v = c.Result << 7
		if c.Ready {
			v |= 1 // CYCLING_DATA_VLD
		}
	case tgCaliCfg2:
		v &^= tgCaliTimeout
		if c.Timeout {
			v |= tgCaliTimeout
		}
	}
	return v
}

// caliCycles returns the duration of MAX slow cycles in crystal cycles.
func (t *timg) caliCycles() uint64 {
	cfg := t.get(tgCaliCfg)
	hz := t.soc.slowRC
	switch field(cfg, 14, 13) {
	case 1:
		hz = rcFastHz / 256
	case 2:
		hz = xtal32kHz
	}
	return max(1, uint64(field(cfg, 30, 16))*xtalHz/hz)
}
