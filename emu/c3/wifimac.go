package c3

import "espalier.dev/espalier/emu/chip"

// Registers of the Wi-Fi MAC at 60033000. They are not in the manual; names as
// in the public description of the chip's registers where it has them. Queue q
// of the driver is slot 4-q of the hardware.
const (
	macBSSID       = 0x000 // FILTER_BANK0 ADDR_LOW, ADDR_HIGH of interface 0; 8 bytes each, 4 interfaces
	macBSSIDMask   = 0x020 // MASK_LOW, MASK_HIGH
	macOwn         = 0x040 // FILTER_BANK1: the interface's own address
	macOwnMask     = 0x060
	macRXCtrl      = 0x084
	macRXBase      = 0x088
	macRXNext      = 0x08c
	macRXLast      = 0x090
	macFilterCtrl  = 0x0d8 // one for each interface
	macKeyState    = 0x814 // a bit for each key slot in use
	macIntStatus   = 0xc3c
	macIntClear    = 0xc40
	macDMABase     = 0xc64
	macTXErrClear  = 0xca4
	macTXErrStatus = 0xca8
	macTXDoneClear = 0xcac
	macTXDone      = 0xcb0
	macTXConfig    = 0xce4 // slot 0; 8 bytes each, 5 slots
	macPLCP0       = 0xce8
	macHandshake   = 0xd14

	macRXReload    = 1 << 0
	macRXEnable    = 1 << 31
	macMaskEnable  = 1 << 16 // of MASK_HIGH
	macAddress20   = 1<<20 - 1
	macInterfaces  = 4
	macSlots       = 5
	macLastPrefix  = 1 << 24
	macIntTXDone   = 1 << 7
	macIntRXDone   = 1<<24 | 1<<14
	plcp0WaitACK   = 1 << 24
	plcp0Valid     = 1 << 30
	plcp0Enable    = 1 << 31
	dramBase       = 0x3fc00000 // what 20 bits of a DMA address are relative to
	wifiDescriptor = 12
)

// wifiMAC is the Wi-Fi MAC: three pages of registers, a ring of receive
// descriptors and five transmit slots. It is the lower half of 802.11: address
// filter, acknowledgements, CCMP with the keys in its slots. The firmware does
// the rest: retries, sequence and packet numbers, associations.
//
// This page has the interrupts, the receiver and the transmit triggers.
type wifiMAC struct {
	block
	soc  *soc
	ctrl *apbCtrl
	plcp *wifiPLCP
	wdev *wifiWDEV
	intr *line // source 0
	next *chip.Timer
	done [macSlots]*chip.Timer // end of a transmission, by slot

	s struct {
		Channel    uint8 // channel of the synthesizer, 0 between channels
		Listening  uint8 // channel that the radio was last set to
		Acked      [macSlots]bool
		Dropped    uint64 // frames for which there was no descriptor
		Undecipher uint64 // protected frames without a key or with a wrong MIC
	}
}

func newWiFiMAC(c *soc, ctrl *apbCtrl, seed uint64) *wifiMAC {
	w := &wifiMAC{soc: c, ctrl: ctrl, intr: c.intc.source(srcWiFiMAC)}
	ctrl.modem = w.tune
	w.plcp, w.wdev = newWiFiPLCP(), newWiFiWDEV(c, seed)
	w.block = newBlock("WIFI_MAC", 0x60033000, []reg{
		{macRXCtrl, "RX_CTRL", 0}, {macRXBase, "RX_DSCR_BASE", 0}, {macRXNext, "RX_DSCR_NEXT", 0}, {macRXLast, "RX_DSCR_LAST", 0},
		{0x064 + 0x10, "RX_STAT", 0}, {0x080, "RX_CONF", 0}, {0x094, "RX_STAT2", 0}, {0x098, "RX_STAT3", 0}, {0x09c, "RX_STAT4", 0}, {0x0a0, "RX_STAT5", 0},
		{macIntStatus, "INTERRUPT_STATUS", 0}, {macIntClear, "INTERRUPT_CLEAR", 0}, {macDMABase, "DMA_BASE", 0},
		{macTXErrClear, "TX_ERROR_CLEAR", 0}, {macTXErrStatus, "TX_ERROR_STATUS", 0},
		{macTXDoneClear, "TX_COMPLETE_CLEAR", 0}, {macTXDone, "TX_COMPLETE_STATUS", 0}, {macHandshake, "INIT_HANDSHAKE", 0},
	})
	// Configuration that has no effect in the model: rates, back-off,
	// coexistence.
	for _, r := range [][2]uint32{
		{0x000, 0x07c}, {0x0d8, 0x11c}, {0x120, 0x16c}, {0x2a8, 0x2b8}, {0x318, 0x320}, {0x400, 0x418}, {0x800, 0x814}, {0x840, 0x840},
		{0xc10, 0xc34}, {0xc50, 0xc60}, {0xc6c, 0xca0}, {macTXConfig, 0xd08},
	} {
		w.know(r[0], r[1])
	}
	w.next = c.m.NewTimer(w.receive)
	for i := range w.done {
		w.done[i] = c.m.NewTimer(func() { w.transmitted(i) })
	}
	c.m.OnRun(w.look)
	return w
}

func (w *wifiMAC) read(off uint32) uint32 {
	switch off {
	case macHandshake:
		return w.get(off) | 1 // initialisation completes at once
	case macIntClear, macTXErrClear, macTXDoneClear:
		return 0 // drivers clear by read-modify-write
	}
	return w.get(off)
}

func (w *wifiMAC) write(off, v uint32) {
	switch off {
	case macRXCtrl:
		w.set(off, v&^macRXReload)
		if v&macRXReload != 0 {
			w.reload()
		}
		w.tune()
	case macRXBase:
		w.set(off, v)
		w.set(macRXNext, v&macAddress20)
	case macRXNext, macRXLast, macIntStatus, macTXErrStatus, macTXDone:
	case macIntClear:
		w.set(macIntStatus, w.get(macIntStatus)&^v)
		w.update()
	case macTXErrClear:
		w.set(macTXErrStatus, w.get(macTXErrStatus)&^v)
	case macTXDoneClear:
		w.set(macTXDone, w.get(macTXDone)&^v)
	default:
		w.set(off, v)
		if slot := (off - macPLCP0) / 8; off >= macPLCP0 && off < macPLCP0+8*macSlots && (off-macPLCP0)%8 == 0 && v&plcp0Enable != 0 {
			w.transmit(int(slot))
		}
	}
}

// raise sets bits of the interrupt status.
func (w *wifiMAC) raise(bits uint32) {
	w.set(macIntStatus, w.get(macIntStatus)|bits)
	w.update()
}

func (w *wifiMAC) update() { w.intr.set(w.get(macIntStatus) != 0) }

// tune sets the receive channel of the radio. A driver in power save mode stops
// the clocks of the radio, and changes nothing else.
func (w *wifiMAC) tune() {
	ch := w.s.Channel
	if w.get(macRXCtrl)&macRXEnable == 0 || !w.ctrl.modemOn() {
		ch = 0
	}
	if ch != w.s.Listening {
		w.s.Listening = ch
		w.soc.m.Radio().Tune(w.soc.m.Now(), int(ch))
		w.look()
	}
}

// synthesize is called by the PHY with the channel of the synthesizer.
func (w *wifiMAC) synthesize(channel uint8) {
	w.s.Channel = channel
	w.tune()
}

// look sets the deadline of the next frame.
func (w *wifiMAC) look() { w.next.Set(w.soc.m.Radio().Next()) }

// reset also ends the current transmission of a slot; its frame is sent all the
// same.
func (w *wifiMAC) reset() {
	w.block.reset()
	w.update()
	for _, t := range w.done {
		t.Stop()
	}
	w.s.Channel = 0
	w.tune()
}

func (w *wifiMAC) state(s *chip.State) {
	s.Fixed(&w.words, &w.s)
	if s.Loading() { // the radio is not part of the snapshot
		w.soc.m.Radio().Tune(w.soc.m.Now(), int(w.s.Listening))
	}
}
