package c3

import (
	"espalier.dev/espalier/emu/chip"
	"espalier.dev/espalier/emu/dot11"
)

// Registers of the second page of the Wi-Fi MAC, at 60034000.
const (
	plcpLength   = 0x1c8 // PLCP1 of slot 0; 4C bytes each
	plcpResult   = 0x1f0 // PMD of slot 0
	plcpStride   = 0x4c
	plcpKeySlots = 0x400 // 28 bytes each: ADDR_LOW, ADDR_HIGH, 8 key words
	plcpKeySize  = 0x28
	plcpKeys     = 25

	keyCCMP  = 3
	keyGroup = 1 << 23
)

// wifiPLCP is the page of the Wi-Fi MAC with the parameters and results of
// transmissions, and the key slots.
type wifiPLCP struct{ block }

func newWiFiPLCP() *wifiPLCP {
	p := &wifiPLCP{newBlock("WIFI_MAC_PLCP", 0x60034000, nil)}
	for _, r := range [][2]uint32{{0x100, 0x100}, {0x14c, 0x14c}, {0x198, 0x320}, {plcpKeySlots, plcpKeySlots + plcpKeys*plcpKeySize - 4}} {
		p.know(r[0], r[1])
	}
	return p
}

// result stores the result of a slot's transmission.
func (p *wifiPLCP) result(slot int, code uint32) {
	off := plcpResult + plcpStride*uint32(slot)
	p.set(off, p.get(off)&^(15<<12)|code<<12)
}

// rate returns the rate of a slot in units of 500 kbit/s. Codes are those of
// the driver: DSSS, OFDM, and MCS 0 to 7 with the long and the short guard
// interval.
func (p *wifiPLCP) rate(slot int) int {
	rates := [32]int{
		2, 4, 11, 22, 2, 4, 11, 22, 96, 48, 24, 12, 108, 72, 36, 18,
		13, 26, 39, 52, 78, 104, 117, 130, 14, 28, 43, 57, 86, 115, 130, 144,
	}
	return rates[field(p.get(plcpLength+plcpStride*uint32(slot)), 16, 12)]
}

func (p *wifiPLCP) state(s *chip.State) { s.Fixed(&p.words) }

// wifiKey is a key slot.
type wifiKey struct {
	addr  dot11.Addr
	flags uint32 // ADDR_HIGH
	key   [dot11.CCMPKey]byte
}

func (k *wifiKey) ccmp() bool { return field(k.flags, 20, 18) == keyCCMP }
func (k *wifiKey) id() byte   { return byte(k.flags >> 30) }

// slot returns a key slot, if it is in use and has a CCMP key.
func (w *wifiMAC) slot(n int) (k wifiKey, ok bool) {
	if n >= plcpKeys || w.get(macKeyState)>>n&1 == 0 {
		return k, false
	}
	at := uint32(plcpKeySlots + plcpKeySize*n)
	low := w.plcp.get(at)
	k.flags = w.plcp.get(at + 4)
	k.addr = dot11.Addr{byte(low), byte(low >> 8), byte(low >> 16), byte(low >> 24), byte(k.flags), byte(k.flags >> 8)}
	for i := range k.key {
		k.key[i] = byte(w.plcp.get(at+8+uint32(i&^3)) >> (i & 3 * 8))
	}
	return k, k.ccmp()
}

// encrypt encrypts a protected frame with the key selected by PLCP1. Software
// has written the CCMP header with the packet number and reserved the bytes of
// the MIC.
func (w *wifiMAC) encrypt(slot int, f dot11.Frame) {
	if !f.Has(dot11.Protected) {
		return
	}
	plcp1 := w.plcp.get(plcpLength + plcpStride*uint32(slot))
	if k, ok := w.slot(int(field(plcp1, 21, 17))); ok {
		_ = dot11.SealCCMP(k.key[:], f) // a frame without these bytes is sent unchanged
	}
}

// decrypt decrypts a protected frame in place, with the pairwise key of its
// sender, or the group key with its identifier. It reports false for a frame
// that no key decrypts, which is not delivered. A pairwise key is one that is
// not of the group: drivers of 2024 and later set bit 21 for it, those of
// esp-wifi-sys 0.1 do not.
func (w *wifiMAC) decrypt(f dot11.Frame) bool {
	if !f.Has(dot11.Protected) || f.Is(dot11.Authentication) {
		return true
	}
	_, id, ok := f.CCMP()
	if !ok {
		return false
	}
	for n := range plcpKeys {
		k, ok := w.slot(n)
		if !ok || k.addr != f.A2() {
			continue
		}
		if f.A1().Group() {
			ok = k.flags&keyGroup != 0 && k.id() == id
		} else {
			ok = k.flags&keyGroup == 0
		}
		if ok {
			return dot11.OpenCCMP(k.key[:], f) == nil
		}
	}
	return false
}
