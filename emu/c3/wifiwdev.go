package c3

import "espalier.dev/espalier/emu"

// Registers of the third page of the Wi-Fi MAC, at 60035000.
const (
	wdevTime      = 0x000 // MAC_TIME, microseconds
	wdevTSFCtrl   = 0x00c
	wdevTSFLoadLo = 0x010
	wdevTSFLoadHi = 0x014
	wdevTSFTimeLo = 0x018
	wdevTSFTimeHi = 0x01c
	wdevRandom    = 0x07c
	wdevPwrEnable = 0x110
	wdevPwrStatus = 0x118
	wdevPwrClear  = 0x11c
)

// wifiWDEV is the page of the Wi-Fi MAC with time and power: a counter of
// microseconds and, on top of it, the TSF of each interface, which is latched
// and loaded. TBTT and the TSF's timers are only stored: the drivers that were
// tried count beacons with timers of the operating system.
type wifiWDEV struct {
	block
	soc *soc
	s   struct {
		Random uint64
		Offset [4]uint64 // of TSF n from MAC_TIME
	}
}

func newWiFiWDEV(c *soc, seed uint64) *wifiWDEV {
	d := &wifiWDEV{soc: c}
	d.s.Random = seed ^ 0x77646576
	d.block = newBlock("WIFI_MAC_WDEV", 0x60035000, []reg{
		{wdevTime, "MAC_TIME", 0}, {wdevTSFCtrl, "TSF_CTRL", 0}, {wdevTSFLoadLo, "TSF_LOAD_LO", 0}, {wdevTSFLoadHi, "TSF_LOAD_HI", 0},
		{wdevTSFTimeLo, "TSF_TIME_LO", 0}, {wdevTSFTimeHi, "TSF_TIME_HI", 0}, {wdevRandom, "RANDOM", 0},
		{wdevPwrEnable, "PWR_INT_ENABLE", 0}, {wdevPwrStatus, "PWR_INT_STATUS", 0}, {wdevPwrClear, "PWR_INT_CLEAR", 0},
	})
	d.know(0x020, 0x0b0)
	d.know(0x114, 0x114)
	d.know(0x128, 0x128)
	d.mark(varies, wdevTime, wdevRandom)
	return d
}

// macMicros is MAC_TIME.
func macMicros(now emu.Time) uint32 { return uint32(uint64(now) / uint64(emu.Microsecond)) }

func (d *wifiWDEV) micros() uint64 { return uint64(d.soc.m.Now()) / uint64(emu.Microsecond) }

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
		return
	case wdevTSFCtrl:
		for i := range d.s.Offset {
			if v>>(4+i)&1 != 0 { // load
				d.s.Offset[i] = uint64(d.get(wdevTSFLoadHi))<<32 + uint64(d.get(wdevTSFLoadLo)) - d.micros()
			}
			if v>>i&1 != 0 { // latch
				t := d.micros() + d.s.Offset[i]
				d.set(wdevTSFTimeLo, uint32(t))
				d.set(wdevTSFTimeHi, uint32(t>>32))
			}
		}
	}
	d.set(off, v)
}

func (d *wifiWDEV) reset() {
	d.block.reset()
	d.s.Offset = [4]uint64{}
}

func (d *wifiWDEV) state(s *emu.State) { s.Fixed(&d.words, &d.s) }
