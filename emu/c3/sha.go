package c3

import (
	"crypto/sha256"
	"encoding"
	"encoding/binary"
	"math/bits"

	"espalier.dev/espalier/emu/chip"
)

// SHA registers, TRM 18.5.
const (
	shaMode     = 0x00
	shaTString  = 0x04
	shaTLength  = 0x08
	shaDMABlock = 0x0c
	shaStart    = 0x10
	shaContinue = 0x14
	shaBusy     = 0x18
	shaDMAStart = 0x1c
	shaDMACont  = 0x20
	shaClearIRQ = 0x24
	shaIRQEna   = 0x28
	shaH        = 0x40 // 16 words, of which the algorithm uses 5, 7 or 8
	shaM        = 0x80 // 16 words
	shaMode1    = 0
	shaMode224  = 1
	shaMode256  = 2

	shaBlock  = 64
	shaDateC3 = 0x20200616

	// shaBlockTicks is the time of a block by DMA: 64 rounds and the transfer of
	// 64 bytes at 160 MHz.
	shaBlockTicks = 80 * chip.Tick
)

// sha is the SHA accelerator, TRM 18. In typical mode software writes a block
// to M_MEM and starts it, which takes no time; in DMA mode DMA_BLOCK_NUM blocks
// come from a transmit list. Its memories hold the message and the digest in
// their own byte order, so a word read by the CPU is byte-swapped.
type sha struct {
	block
	soc  *soc
	intr interrupts // bit 0, at the end of a DMA operation; there is no RAW register
	done *chip.Timer
	s    struct{ Busy, Waiting bool }
}

func newSHA(c *soc) *sha {
	h := &sha{soc: c}
	h.intr.line = c.intc.source(srcSHA)
	h.done = c.m.NewTimer(h.complete)
	c.gdma.onReady(dmaSHA, h.resume)
	h.block = newBlock("SHA", 0x6003b000, []reg{
		{shaMode, "MODE", 0}, {shaTString, "T_STRING", 0}, {shaTLength, "T_LENGTH", 0}, {shaDMABlock, "DMA_BLOCK_NUM", 0}, {shaStart, "START", 0},
		{shaContinue, "CONTINUE", 0}, {shaBusy, "BUSY", 0}, {shaDMAStart, "DMA_START", 0}, {shaDMACont, "DMA_CONTINUE", 0}, {shaClearIRQ, "CLEAR_IRQ", 0}, {shaIRQEna, "IRQ_ENA", 0}, {0x2c, "DATE", shaDateC3},
	})
	h.know(shaH, shaM+15*4)
	return h
}

func (h *sha) read(off uint32) uint32 {
	switch off {
	case shaStart, shaContinue, shaDMAStart, shaDMACont, shaClearIRQ:
		return 0
	case shaBusy:
		if h.s.Busy {
			return 1
		}
		return 0
	case shaIRQEna:
		return h.intr.Ena
	}
	return h.block.read(off)
}

func (h *sha) write(off, v uint32) {
	switch off {
	case shaStart:
		if v&1 != 0 {
			h.initial()
			h.compress()
		}
	case shaContinue:
		if v&1 != 0 {
			h.compress()
		}
	case shaDMAStart, shaDMACont:
		if v&1 != 0 && !h.s.Busy {
			if off == shaDMAStart {
				h.initial()
			}
			h.s.Busy, h.s.Waiting = true, true
			h.resume()
		}
	case shaClearIRQ:
		h.intr.clear(v & 1)
	case shaIRQEna:
		h.intr.enable(v & 1)
	case shaBusy:
	default:
		h.block.write(off, v)
	}
}

// Initial hash values, FIPS 180-4 section 5.3.
var (
	sha1Initial   = [8]uint32{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0}
	sha224Initial = [8]uint32{0xc1059ed8, 0x367cd507, 0x3070dd17, 0xf70e5939, 0xffc00b31, 0x68581511, 0x64f98fa7, 0xbefa4fa4}
	sha256Initial = [8]uint32{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19}
)

func (h *sha) initial() {
	state := sha256Initial
	switch h.get(shaMode) {
	case shaMode1:
		state = sha1Initial
	case shaMode224:
		state = sha224Initial
	}
	h.setState(state)
}

func (h *sha) state8() (s [8]uint32) {
	for i := range s {
		s[i] = bits.ReverseBytes32(h.words[shaH/4+i])
	}
	return s
}

func (h *sha) setState(s [8]uint32) {
	for i, v := range s {
		h.words[shaH/4+i] = bits.ReverseBytes32(v)
	}
}

// resume begins a DMA operation whose list has been started.
func (h *sha) resume() {
	if h.s.Waiting && h.soc.gdma.transmitter(dmaSHA) != nil {
		h.s.Waiting = false
		h.done.Set(h.soc.m.Now().Add(chip.Duration(field(h.get(shaDMABlock), 5, 0)) * shaBlockTicks))
	}
}

// complete hashes the blocks of a DMA operation. If the list has too few, the
// accelerator stays busy.
func (h *sha) complete() {
	out := h.soc.gdma.transmitter(dmaSHA)
	if out == nil {
		h.s.Waiting = true // the list was stopped meanwhile
		return
	}
	var m [shaBlock]byte
	for range field(h.get(shaDMABlock), 5, 0) {
		if out.pullAll(m[:]) < shaBlock {
			return
		}
		h.compressBlock(&m)
	}
	h.s.Busy = false
	h.intr.raise(1)
}

func (h *sha) compress() {
	var m [shaBlock]byte
	copy(m[:], h.bytes(shaM, shaBlock))
	h.compressBlock(&m)
}

func (h *sha) compressBlock(m *[shaBlock]byte) {
	s := h.state8()
	if h.get(shaMode) == shaMode1 {
		sha1Block(&s, m)
	} else {
		sha256Block(&s, m)
	}
	h.setState(s)
}

func (h *sha) reset() {
	h.block.reset()
	h.s.Busy, h.s.Waiting = false, false
	h.done.Stop()
	h.intr.reset(0)
}

func (h *sha) state(s *chip.State) { s.Fixed(&h.words, &h.s, &h.intr.Raw, &h.intr.Ena) }

// sha1Block is the compression function of FIPS 180-4 section 6.1.2; the
// standard library does not give it away without padding.
func sha1Block(s *[8]uint32, m *[64]byte) {
	var w [80]uint32
	for i := range 16 {
		w[i] = binary.BigEndian.Uint32(m[4*i:])
	}
	for i := 16; i < 80; i++ {
		w[i] = bits.RotateLeft32(w[i-3]^w[i-8]^w[i-14]^w[i-16], 1)
	}
	a, b, c, d, e := s[0], s[1], s[2], s[3], s[4]
	for i, x := range w {
		var f, k uint32
		switch {
		case i < 20:
			f, k = b&c|^b&d, 0x5a827999
		case i < 40:
			f, k = b^c^d, 0x6ed9eba1
		case i < 60:
			f, k = b&c|b&d|c&d, 0x8f1bbcdc
		default:
			f, k = b^c^d, 0xca62c1d6
		}
		a, b, c, d, e = bits.RotateLeft32(a, 5)+f+e+k+x, a, bits.RotateLeft32(b, 30), c, d
	}
	s[0], s[1], s[2], s[3], s[4] = s[0]+a, s[1]+b, s[2]+c, s[3]+d, s[4]+e
}

// sha256Block is the compression function of FIPS 180-4 section 6.2.2, which
// SHA-224 shares: that of crypto/sha256, whose hash is given the state s as if it
// had hashed one block before.
func sha256Block(s *[8]uint32, m *[64]byte) {
	const buffered = 64
	state := make([]byte, 0, len(sha256Magic)+4*len(s)+buffered+8)
	state = append(state, sha256Magic...)
	for _, v := range s {
		state = binary.BigEndian.AppendUint32(state, v)
	}
	state = binary.BigEndian.AppendUint64(state[:len(state)+buffered], buffered)
	h := sha256.New()
	err := h.(encoding.BinaryUnmarshaler).UnmarshalBinary(state)
	h.Write(m[:])
	if err == nil {
		state, err = h.(encoding.BinaryAppender).AppendBinary(state[:0])
	}
	if err != nil {
		panic(err) // the format is that of Go 1.10 and later
	}
	for i := range s {
		s[i] = binary.BigEndian.Uint32(state[len(sha256Magic)+4*i:])
	}
}

// sha256Magic begins the state of crypto/sha256 in binary form.
const sha256Magic = "sha\x03"
