package c3

import "espalier.dev/espalier/emu/chip"

// Registers of the third page of the Wi-Fi MAC, at 60035000.
const (
	wdevTime      = 0x000 // MAC_TIME, microseconds
	wdevTSFCtrl   = 0x00c
	wdevTSFLoadLo = 0x010
	wdevTSFLoadHi = 0x014
	wdevTSFTimeLo = 0x018
	wdevTSFTimeHi = 0x01c
	wdevTBTTStart = 0x020 // 25:0 of the TSF
	wdevTSFCfg    = 0x028 // of interface 0; 12 bytes each
	wdevTBTTCfg   = 0x030
	wdevRandom    = 0x07c
	wdevPwrEnable = 0x110
	wdevPwrStatus = 0x118
	wdevPwrClear  = 0x11c

	tsfLatch    = 0x00f     // TSF_CTRL: a bit for each interface
	tsfTBTTOn   = 1 << 26   // TSF_CFG
	tsfOn       = 1 << 31   // TSF_CFG
	pwrTBTT0    = 1 << 4    // PWR_INT: TBTT of interface 0
	tbttModulus = 1<<26 - 1 // of TBTT_START
	timeUnit    = 1024      // us
)

// wifiWDEV is the page of the Wi-Fi MAC with time and power: a counter of
// microseconds and, based on it, the TSF of each interface, which is latched
// and loaded. The TBTT of the station's interface interrupts some time before a
// beacon is due: a driver in power save mode sleeps until then. The TSF's own
// timers are storage.
type wifiWDEV struct {
	block
	soc  *soc
	intr *line // source 2
	tbtt *chip.Timer
	s    struct {
		Random uint64
		Offset [4]uint64 // of TSF n from MAC_TIME
		TBTT   uint64    // the TSF of START, when it was loaded
	}
}

func newWiFiWDEV(c *soc, seed uint64) *wifiWDEV {
	d := &wifiWDEV{soc: c}
	d.s.Random = seed ^ 0x77646576
	d.intr = c.intc.source(srcWiFiPWR)
	d.tbtt = c.m.NewTimer(d.beaconDue)
	d.block = newBlock("WIFI_MAC_WDEV", 0x60035000, []reg{
		{wdevTime, "MAC_TIME", 0}, {wdevTSFCtrl, "TSF_CTRL", 0}, {wdevTSFLoadLo, "TSF_LOAD_LO", 0}, {wdevTSFLoadHi, "TSF_LOAD_HI", 0},
		{wdevTSFTimeLo, "TSF_TIME_LO", 0}, {wdevTSFTimeHi, "TSF_TIME_HI", 0}, {wdevRandom, "RANDOM", 0},
		{wdevPwrEnable, "PWR_INT_ENABLE", 0}, {wdevPwrStatus, "PWR_INT_STATUS", 0}, {wdevPwrClear, "PWR_INT_CLEAR", 0},
		{wdevTBTTStart + 4, "TBTT_CFG", 0x24e01ff}, {wdevTSFCfg, "TSF_CFG0", 0xb0000000}, {wdevTSFCfg + 4, "TSF_CFG1", 2},
		{wdevTBTTCfg, "TBTT_CFG0", 0x64}, {wdevTBTTCfg + 12, "TBTT_CFG1", 0x64}, {wdevTBTTCfg + 24, "TBTT_CFG2", 0x64},
		{wdevTBTTCfg + 36, "TBTT_CFG3", 0x64}, {0x080, "WDEV_080", 0x7ff}, {0x084, "WDEV_084", 0x3202}, {0x094, "WDEV_094", 4},
	})
	d.know(0x020, 0x0b0)
	d.know(0x114, 0x114)
	d.know(0x128, 0x128)
	d.mark(varies, wdevTime, wdevRandom)
	return d
}

// macMicros is MAC_TIME.
func macMicros(now chip.Time) uint32 { return uint32(uint64(now) / uint64(chip.Microsecond)) }

func (d *wifiWDEV) micros() uint64 { return uint64(d.soc.m.Now()) / uint64(chip.Microsecond) }

func (d *wifiWDEV) read(off uint32) uint32 {
	switch off {
	case wdevTime:
		return macMicros(d.soc.m.Now())
	case wdevRandom:
		return splitmix(&d.s.Random)
	case wdevPwrClear:
		return 0
	}
	return d.get(off)
}

func (d *wifiWDEV) write(off, v uint32) {
	switch off {
	case wdevTime, wdevRandom, wdevPwrStatus, wdevTSFTimeLo, wdevTSFTimeHi:
		return
	case wdevPwrClear:
		d.set(wdevPwrStatus, d.get(wdevPwrStatus)&^v)
		d.update()
		return
	case wdevTSFCtrl:
		d.control(v)
		v &= tsfLatch // the load bits clear themselves
	}
	d.set(off, v)
	switch off {
	case wdevPwrEnable:
		d.update()
	case wdevTSFCfg, wdevTBTTCfg:
		d.arm()
	}
}

// control loads and latches.
func (d *wifiWDEV) control(v uint32) {
	for i := range d.s.Offset {
		if v>>(4+i)&1 != 0 { // load the TSF
			d.s.Offset[i] = uint64(d.get(wdevTSFLoadHi))<<32 + uint64(d.get(wdevTSFLoadLo)) - d.micros()
		}
		if v>>i&1 != 0 { // latch it
			t := d.micros() + d.s.Offset[i]
			d.set(wdevTSFTimeLo, uint32(t))
			d.set(wdevTSFTimeHi, uint32(t>>32))
		}
	}
	if v>>4&0x11 != 0 { // the TSF or the TBTT of interface 0 has changed
		// START has the lower bits of a time close to now.
		tsf := d.micros() + d.s.Offset[0]
		ahead := (uint64(d.get(wdevTBTTStart)) - tsf) & tbttModulus
		if ahead > tbttModulus/2 {
			ahead -= tbttModulus + 1
		}
		d.s.TBTT = tsf + ahead
		d.arm()
	}
}

// arm sets the deadline of the next TBTT interrupt: at START and every interval
// after it, minus the lead time that the driver has configured.
func (d *wifiWDEV) arm() {
	cfg := d.get(wdevTBTTCfg)
	interval := uint64(cfg&0xffff) * timeUnit
	if on := uint32(tsfOn | tsfTBTTOn); d.get(wdevTSFCfg)&on != on || interval == 0 {
		d.tbtt.Stop()
		return
	}
	early := uint64(cfg>>16) % interval
	wait := interval
	if since := int64(d.micros() + d.s.Offset[0] + early - d.s.TBTT); since < 0 { // START is in the future
		wait = uint64(-since)
	} else {
		wait -= uint64(since) % interval
	}
	d.tbtt.Set(d.soc.m.Now().Add(chip.Duration(wait) * chip.Microsecond))
}

// beaconDue is the TBTT of interface 0.
func (d *wifiWDEV) beaconDue() {
	d.set(wdevPwrStatus, d.get(wdevPwrStatus)|pwrTBTT0)
	d.update()
	d.arm()
}

func (d *wifiWDEV) update() {
	d.intr.set(d.get(wdevPwrStatus)&d.get(wdevPwrEnable) != 0)
}

func (d *wifiWDEV) reset() {
	d.block.reset()
	d.s.Offset, d.s.TBTT = [4]uint64{}, 0
	d.tbtt.Stop()
	d.update()
}

func (d *wifiWDEV) state(s *chip.State) { s.Fixed(&d.words, &d.s) }
