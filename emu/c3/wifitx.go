package c3

import (
	"encoding/binary"

	"espalier.dev/espalier/emu/chip"
	"espalier.dev/espalier/emu/dot11"
)

const (
	fcsLen       = 4
	maxMPDU      = 0xfff
	pmdOK        = 0
	pmdACKMissed = 5
)

// transmit starts the transmission of a slot. The descriptor's length counts
// the MAC header, the body, and four bytes for the FCS; its size field may be
// smaller and is ignored.
func (w *wifiMAC) transmit(slot int) {
	if w.done[slot].Armed() {
		return // it is still sending
	}
	plcp0 := w.plcp0(slot)
	now := w.soc.m.Now()
	frame, ok := w.fetch(dramBase | plcp0&macAddress20)
	if !ok {
		w.s.Acked[slot] = false
		w.done[slot].Set(now.Add(300 * chip.Microsecond))
		return
	}
	w.encrypt(slot, frame)
	done, acked := w.soc.m.Radio().Transmit(now, chip.RadioTX{
		Frame:   frame,
		Channel: int(w.s.Channel),
		Rate:    w.plcp.rate(slot),
		WaitACK: plcp0&plcp0WaitACK != 0,
	})
	w.s.Acked[slot] = acked || plcp0&plcp0WaitACK == 0
	w.done[slot].Set(max(done, now))
	w.look()
}

func (w *wifiMAC) plcp0(slot int) uint32 { return w.get(macPLCP0 + 8*uint32(slot)) }

// fetch returns the frame of a transmit descriptor, without FCS.
func (w *wifiMAC) fetch(descriptor uint32) (dot11.Frame, bool) {
	var d [wifiDescriptor]byte
	if !w.dmaRead(descriptor, d[:]) {
		return nil, false
	}
	n := binary.LittleEndian.Uint32(d[:]) >> 12 & maxMPDU
	if n < fcsLen {
		return nil, false
	}
	frame := make(dot11.Frame, n-fcsLen)
	if !w.dmaRead(binary.LittleEndian.Uint32(d[4:]), frame) || len(frame) < 2 || !frame.Valid() {
		return nil, false
	}
	return frame, true
}

// dmaRead and dmaWrite access internal SRAM only.
func (w *wifiMAC) dmaRead(addr uint32, p []byte) bool {
	return inSRAM(addr, len(p)) && w.soc.m.CPU.Memory().Read(addr, p)
}

func (w *wifiMAC) dmaWrite(addr uint32, p []byte) bool {
	return inSRAM(addr, len(p)) && w.soc.m.CPU.Memory().Write(addr, p)
}

func inSRAM(addr uint32, n int) bool {
	off := addr - sram1Data
	return off < sram1Size && int(sram1Size-off) >= n
}

// transmitted completes a transmission. A missing acknowledgement is reported
// by PMD with the same completion interrupt: the driver sends the frame again.
// The error bits of TX_ERROR_STATUS are for a medium that was never free.
func (w *wifiMAC) transmitted(slot int) {
	result := uint32(pmdOK)
	if !w.s.Acked[slot] {
		result = pmdACKMissed
	}
	w.plcp.result(slot, result)
	off := macPLCP0 + 8*uint32(slot)
	w.set(off, w.get(off)&^uint32(plcp0Enable|plcp0Valid))
	w.set(macTXDone, w.get(macTXDone)|1<<(macSlots-1-slot))
	w.raise(macIntTXDone)
}
