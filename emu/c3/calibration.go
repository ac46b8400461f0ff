package c3

import "espalier.dev/espalier/emu"

// calibrate starts RTC clock calibration, TRM 6.2.4: RTCCALICFG counts crystal
// cycles during MAX cycles of a slow clock. The result is ready after that
// time; software waits for RDY.
func (t *timg) calibrate(v uint32) {
	old := t.get(tgCaliCfg)
	t.set(tgCaliCfg, v&^tgCaliRdy|old&tgCaliRdy)
	const cycling = 1 << 12
	switch {
	case v&tgCaliStart != 0 && old&tgCaliStart == 0, v&cycling != 0 && !t.cali.Armed():
		t.set(tgCaliCfg, v&^tgCaliRdy)
		t.cali.Set(t.soc.m.Now().Add(emu.Duration(t.caliCycles() * xtalTicks)))
	case v&(tgCaliStart|cycling) == 0:
		t.cali.Stop()
	}
}

// caliCycles returns how many crystal cycles MAX slow cycles take.
func (t *timg) caliCycles() uint64 {
	cfg := t.get(tgCaliCfg)
	hz := uint64(rcSlowHz)
	switch field(cfg, 14, 13) {
	case 1:
		hz = rcFastHz / 256
	case 2:
		hz = xtal32kHz
	}
	return max(1, uint64(field(cfg, 30, 16))*xtalHz/hz)
}

func (t *timg) calibrated() {
	t.set(tgCaliCfg1, uint32(min(t.caliCycles(), 1<<25-1))<<7|1) // CYCLING_DATA_VLD
	t.set(tgCaliCfg, t.get(tgCaliCfg)|tgCaliRdy)
	if t.get(tgCaliCfg)>>12&1 != 0 { // START_CYCLING: again and again
		t.cali.Set(t.soc.m.Now().Add(emu.Duration(t.caliCycles() * xtalTicks)))
	}
}
