package c3

import (
	"encoding/binary"

	"espalier.dev/espalier/emu/chip"
	"espalier.dev/espalier/emu/dot11"
)

// Words of a receive descriptor.
const (
	descOwner   = 1 << 31 // owned by the hardware
	descHasData = 1 << 30
	descLength  = 0xfff << 12
	descSize    = 0xfff
)

// rxHeader is the header that the hardware writes before a frame.
const (
	rxHeader       = 48
	rxForUs        = 1 << 28 // word 0: address filter passed
	rxDestination  = 1 << 29
	rxNoiseFloor   = 0xa6 // -90 dBm
	rxSigLenOffset = 44
)

// receive handles the frames that have arrived.
func (w *wifiMAC) receive() {
	now := w.soc.m.Now()
	radio := w.soc.m.Radio()
	for {
		rx, ok := radio.Receive(now)
		if !ok {
			break
		}
		w.take(now, rx)
	}
	w.look()
}

// take filters and decrypts a frame, and puts it into the ring.
func (w *wifiMAC) take(now chip.Time, rx chip.RadioRX) {
	f := dot11.Frame(rx.Frame)
	if w.get(macRXCtrl)&macRXEnable == 0 || rx.Channel != int(w.s.Channel) || len(f) < 2 || !f.Valid() || !w.accept(f) {
		return
	}
	if !w.decrypt(f) {
		w.s.Undecipher++
		return
	}
	w.soc.m.NoteInput(f)
	if !w.deliver(now, rx) {
		w.s.Dropped++
	}
}

// accept is the address filter. The hardware handles control frames itself.
func (w *wifiMAC) accept(f dot11.Frame) bool {
	if f.Type() == dot11.Control {
		return false
	}
	if !f.A1().Group() {
		return w.matches(macOwn, f.A1())
	}
	if f.Type() == dot11.Management {
		return true
	}
	return w.matches(macBSSID, f.A2())
}

// matches compares an address with a filter bank that is enabled in its mask,
// for any interface.
func (w *wifiMAC) matches(bank uint32, a dot11.Addr) bool {
	low, high := binary.LittleEndian.Uint32(a[:]), uint32(binary.LittleEndian.Uint16(a[4:]))
	for i := range uint32(macInterfaces) {
		at, mask := bank+8*i, bank+macBSSIDMask+8*i
		if w.get(mask+4)&macMaskEnable == 0 {
			continue
		}
		if (low^w.get(at))&w.get(mask) == 0 && (high^w.get(at+4))&w.get(mask+4)&0xffff == 0 {
			return true
		}
	}
	return false
}

// deliver writes a frame to the next free descriptor. The list ends with a null
// pointer; it is not circular, and the hardware waits at its end until the
// driver has appended to it.
func (w *wifiMAC) deliver(now chip.Time, rx chip.RadioRX) bool {
	next := w.get(macRXNext)
	if next == 0 {
		return false
	}
	at := dramBase | next
	var d [wifiDescriptor]byte
	if !w.dmaRead(at, d[:]) {
		return false
	}
	word := binary.LittleEndian.Uint32(d[:])
	total := rxHeader + len(rx.Frame) + fcsLen
	if word&descOwner == 0 || word&descHasData != 0 || uint32(total) > word&descSize {
		return false
	}
	buf := make([]byte, total)
	w.header(buf, now, rx)
	copy(buf[rxHeader:], rx.Frame)
	if !w.dmaWrite(binary.LittleEndian.Uint32(d[4:]), buf) {
		return false
	}
	binary.LittleEndian.PutUint32(d[:], word&^descLength|uint32(total)<<12|descHasData)
	if !w.dmaWrite(at, d[:4]) {
		return false
	}
	w.set(macRXLast, next|macLastPrefix)
	w.set(macRXNext, binary.LittleEndian.Uint32(d[8:])&macAddress20)
	w.raise(macIntRXDone)
	return true
}

// header writes the fields that software reads: level, match flags, channel,
// time of arrival, noise floor, length.
func (w *wifiMAC) header(h []byte, now chip.Time, rx chip.RadioRX) {
	binary.LittleEndian.PutUint32(h[0:], uint32(uint8(rx.Level))|rxForUs|rxDestination)
	binary.LittleEndian.PutUint32(h[8:], uint32(rx.Channel)<<16)
	binary.LittleEndian.PutUint32(h[12:], macMicros(now))
	binary.LittleEndian.PutUint32(h[20:], rxNoiseFloor)
	binary.LittleEndian.PutUint32(h[rxSigLenOffset:], uint32(len(rx.Frame)+fcsLen))
}

// reload is RX_CTRL bit 0: descriptors were appended to the list. At its end
// the hardware continues with the successor of the last descriptor that it has
// filled. It never returns to BASE.
func (w *wifiMAC) reload() {
	last := w.get(macRXLast) & macAddress20
	if w.get(macRXNext) != 0 || last == 0 {
		return
	}
	var next [4]byte
	if w.dmaRead(dramBase|last+8, next[:]) {
		w.set(macRXNext, binary.LittleEndian.Uint32(next[:])&macAddress20)
	}
}
