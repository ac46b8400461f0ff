package c3

import (
	"encoding/binary"

	"espalier.dev/espalier/emu/chip"
)

// HMAC registers, TRM 21.4.
const (
	hmStart      = 0x40
	hmPurpose    = 0x44
	hmKey        = 0x48
	hmParaEnd    = 0x4c
	hmOne        = 0x50 // process the block in WR_MESSAGE
	hmIng        = 0x54 // another block follows
	hmEnd        = 0x58 // the rest is a fixed message of the hardware
	hmResultEnd  = 0x5c
	hmInvJTAG    = 0x60
	hmInvDS      = 0x64
	hmError      = 0x68
	hmBusy       = 0x6c
	hmMessage    = 0x80 // 16 words
	hmResult     = 0xc0 // 8 words
	hmPad        = 0xf0 // the next block has the padding
	hmOneBlock   = 0xf4 // the message is a single block
	hmDate       = 0xf8 // reads; a write is SOFT_JTAG_CTRL
	hmWrJTAG     = 0xfc
	hmDateC3     = 0x20200622
	hmBlockBytes = 64
	hmTag        = 32
)

// hmacPhase is how far a calculation is.
type hmacPhase uint8

const (
	hmacIdle hmacPhase = iota
	hmacSetup
	hmacMessage
)

// hmac is the HMAC accelerator, TRM 21: HMAC-SHA256 with a key of the eFuse
// that software need not be able to read. Upstream (purpose 8) software gives
// padded blocks and reads the result; downstream the result of a fixed message
// is the key of the DS block, or what 256 bits in WR_JTAG are compared with to
// enable JTAG again. A key whose purpose in the eFuse is another is refused.
type hmac struct {
	block
	soc *soc
	s   struct {
		Phase   hmacPhase
		Purpose uint32
		Key     uint32
		Error   bool
		Blocks  uint32    // of the message
		Inner   [8]uint32 // state of the inner hash
		Outer   [8]uint32 // state of the outer hash after the key
		DSKey   [hmTag]byte
		DSValid bool
		JTAG    [hmTag]byte
		Compare bool   // WR_JTAG is compared with JTAG
		Words   uint32 // words written to WR_JTAG that were right
		Enabled bool   // JTAG is enabled by the HMAC
	}
}

func newHMAC(c *soc) *hmac {
	h := &hmac{soc: c}
	h.block = newBlock("HMAC", 0x6003e000, []reg{
		{hmStart, "SET_START", 0}, {hmPurpose, "SET_PARA_PURPOSE", 0}, {hmKey, "SET_PARA_KEY", 0}, {hmParaEnd, "SET_PARA_FINISH", 0},
		{hmOne, "SET_MESSAGE_ONE", 0}, {hmIng, "SET_MESSAGE_ING", 0}, {hmEnd, "SET_MESSAGE_END", 0}, {hmResultEnd, "SET_RESULT_FINISH", 0},
		{hmInvJTAG, "SET_INVALIDATE_JTAG", 0}, {hmInvDS, "SET_INVALIDATE_DS", 0}, {hmError, "QUERY_ERROR", 0}, {hmBusy, "QUERY_BUSY", 0},
		{hmPad, "SET_MESSAGE_PAD", 0}, {hmOneBlock, "ONE_BLOCK", 0}, {hmDate, "DATE", hmDateC3}, {hmWrJTAG, "WR_JTAG", 0},
	})
	h.know(hmMessage, hmResult+hmTag-4)
	return h
}

func (h *hmac) read(off uint32) uint32 {
	switch {
	case off == hmError:
		if h.s.Error {
			return 1
		}
		return 0
	case off >= hmMessage && off < hmResult:
		return 0 // write only
	case off >= hmResult && off < hmResult+hmTag, off == hmDate:
		return h.block.read(off)
	}
	return 0
}

func (h *hmac) write(off, v uint32) {
	set := v&1 != 0
	switch off {
	case hmPurpose:
		if h.s.Phase == hmacSetup {
			h.s.Purpose = v & 15
		}
	case hmKey:
		if h.s.Phase == hmacSetup {
			h.s.Key = v & 7
		}
	case hmStart:
		if set {
			h.s.Phase, h.s.Error = hmacSetup, false
		}
	case hmParaEnd:
		if set && h.s.Phase == hmacSetup {
			h.configured()
		}
	case hmOne:
		if set && h.s.Phase == hmacMessage {
			h.message()
		}
	case hmEnd:
		if set && h.s.Phase == hmacMessage {
			h.pad()
		}
	case hmResultEnd:
		if v&3 != 0 { // the ROM's driver writes 2
			h.clear()
		}
	case hmInvJTAG:
		if set {
			h.s.JTAG, h.s.Compare, h.s.Words, h.s.Enabled = [hmTag]byte{}, false, 0, false
		}
	case hmInvDS:
		if set {
			h.s.DSKey, h.s.DSValid = [hmTag]byte{}, false
		}
	case hmDate: // SOFT_JTAG_CTRL
		h.s.Compare, h.s.Words = set, 0
	case hmWrJTAG:
		h.compare(v)
	default:
		if off >= hmMessage && off < hmResult {
			h.block.write(off, v)
		}
	}
}

// configured takes key and purpose, and computes a downstream result at once.
func (h *hmac) configured() {
	allowed := keyPurpose(h.s.Purpose)
	if h.s.Key >= efuseKeys || !h.permits(h.soc.efuse.purpose(h.s.Key)) {
		h.s.Phase, h.s.Error = hmacIdle, true
		return
	}
	key := h.soc.efuse.key(h.s.Key)
	var inner, outer [hmBlockBytes]byte
	copy(inner[:], key[:])
	copy(outer[:], key[:])
	for i := range inner {
		inner[i] ^= 0x36
		outer[i] ^= 0x5c
	}
	h.s.Inner, h.s.Outer = sha256Initial, sha256Initial
	sha256Block(&h.s.Inner, &inner)
	sha256Block(&h.s.Outer, &outer)
	h.s.Phase, h.s.Blocks = hmacMessage, 0
	if allowed == purposeHMACUp {
		return
	}
	fixed := byte(0xff)
	if allowed == purposeHMACDownJTAG {
		fixed = 0
	}
	var m [hmBlockBytes]byte
	fill(m[:hmTag], fixed)
	m[hmTag] = 0x80
	binary.BigEndian.PutUint64(m[hmBlockBytes-8:], (hmBlockBytes+hmTag)*8)
	sha256Block(&h.s.Inner, &m)
	tag := h.tag()
	if allowed == purposeHMACDownJTAG {
		h.s.JTAG, h.s.Enabled = tag, false
	} else {
		h.s.DSKey, h.s.DSValid = tag, true
	}
	h.clear()
}

// permits reports whether a key with the eFuse purpose p may be used for the
// requested one.
func (h *hmac) permits(p keyPurpose) bool {
	switch want := keyPurpose(h.s.Purpose); want {
	case purposeHMACUp:
		return p == want
	case purposeHMACDownJTAG, purposeHMACDownDS:
		return p == want || p == purposeHMACDownAll
	}
	return false
}

// message hashes a block. The result is that of the message so far, which is
// the tag after the last block.
func (h *hmac) message() {
	var m [hmBlockBytes]byte
	copy(m[:], h.bytes(hmMessage, hmBlockBytes))
	h.s.Blocks++
	sha256Block(&h.s.Inner, &m)
	tag := h.tag()
	h.setBytes(hmResult, tag[:])
}

// pad hashes the padding of a message whose blocks are full: software pads only
// one whose last block is not.
func (h *hmac) pad() {
	var m [hmBlockBytes]byte
	m[0] = 0x80
	binary.BigEndian.PutUint64(m[hmBlockBytes-8:], hmBlockBytes*8*uint64(1+h.s.Blocks))
	sha256Block(&h.s.Inner, &m)
	tag := h.tag()
	h.setBytes(hmResult, tag[:])
}

// tag returns the outer hash.
func (h *hmac) tag() (t [hmTag]byte) {
	var m [hmBlockBytes]byte
	for i, v := range h.s.Inner {
		binary.BigEndian.PutUint32(m[4*i:], v)
	}
	m[hmTag] = 0x80
	binary.BigEndian.PutUint64(m[hmBlockBytes-8:], (hmBlockBytes+hmTag)*8)
	s := h.s.Outer
	sha256Block(&s, &m)
	for i, v := range s {
		binary.BigEndian.PutUint32(t[4*i:], v)
	}
	return t
}

// compare takes the next word of the value that enables JTAG.
func (h *hmac) compare(v uint32) {
	if !h.s.Compare || h.s.Words >= hmTag/4 {
		return
	}
	if binary.LittleEndian.Uint32(h.s.JTAG[4*h.s.Words:]) != v || h.s.JTAG == [hmTag]byte{} {
		h.s.Compare, h.s.Words = false, 0
		return
	}
	h.s.Words++
	h.s.Enabled = h.s.Words == hmTag/4
}

// clear forgets the calculation.
func (h *hmac) clear() {
	h.s.Phase = hmacIdle
	h.s.Inner, h.s.Outer = [8]uint32{}, [8]uint32{}
	h.setBytes(hmMessage, make([]byte, hmBlockBytes+hmTag))
}

func (h *hmac) reset() {
	h.block.reset()
	h.clear()
	h.s.Error = false
	h.s.DSKey, h.s.DSValid = [hmTag]byte{}, false
	h.s.JTAG, h.s.Compare, h.s.Words, h.s.Enabled = [hmTag]byte{}, false, 0, false
}

func (h *hmac) state(s *chip.State) { s.Fixed(&h.words, &h.s) }
