package c3

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"

	"espalier.dev/espalier/emu/chip"
)

// AES registers, TRM 19.6.
const (
	aesKey       = 0x00 // 8 words
	aesTextIn    = 0x20 // 4 words
	aesTextOut   = 0x30 // 4 words
	aesMode      = 0x40
	aesEndian    = 0x44
	aesTrigger   = 0x48
	aesState     = 0x4c
	aesIV        = 0x50 // 4 words, then H, J0 and T0 of GCM, which the chip does not have
	aesIVEnd     = 0x8c
	aesDMAEnable = 0x90
	aesBlockMode = 0x94
	aesBlockNum  = 0x98
	aesIncSel    = 0x9c
	aesAADNum    = 0xa0
	aesRemainder = 0xa4
	aesContinue  = 0xa8
	aesIntClr    = 0xac
	aesIntEna    = 0xb0
	aesDate      = 0xb4
	aesDMAExit   = 0xb8

	aesDateC3 = 0x20191210
	aesBlock  = aes.BlockSize

	// aesBlockTicks is the time that a block takes by DMA, from the data rate
	// that Espressif gives for mbedTLS, about 60 MB/s at 160 MHz.
	aesBlockTicks = 40 * chip.Tick
)

// States of AES_STATE.
const (
	aesIdle = 0
	aesWork = 1
	aesDone = 2 // a DMA operation is complete; DMA_EXIT returns to idle
)

// Block cipher modes of BLOCK_MODE.
const (
	aesECB = iota
	aesCBC
	aesOFB
	aesCTR
	aesCFB8
	aesCFB128
)

// aesAccelerator is the AES accelerator, TRM 19: AES-128 and AES-256, single
// blocks through TEXT_IN and TEXT_OUT in no time, and chains of blocks in six
// modes by DMA. Key, text and IV are bytes in order of their addresses.
type aesAccelerator struct {
	block
	soc  *soc
	intr interrupts // bit 0; there is no RAW register
	done *chip.Timer
	s    struct {
		State   uint32
		Waiting bool // a DMA operation waits for its lists
	}
}

func newAES(c *soc) *aesAccelerator {
	a := &aesAccelerator{soc: c}
	a.intr.line = c.intc.source(srcAES)
	a.block = newBlock("AES", 0x6003a000, []reg{
		{aesMode, "MODE", 0}, {aesEndian, "ENDIAN", 0}, {aesTrigger, "TRIGGER", 0}, {aesState, "STATE", 0}, {aesDMAEnable, "DMA_ENABLE", 0},
		{aesBlockMode, "BLOCK_MODE", 0}, {aesBlockNum, "BLOCK_NUM", 0}, {aesIncSel, "INC_SEL", 0}, {aesAADNum, "AAD_BLOCK_NUM", 0},
		{aesRemainder, "REMAINDER_BIT_NUM", 0}, {aesContinue, "CONTINUE", 0}, {aesIntClr, "INT_CLEAR", 0}, {aesIntEna, "INT_ENA", 0},
		{aesDate, "DATE", aesDateC3}, {aesDMAExit, "DMA_EXIT", 0},
	})
	a.know(aesKey, aesTextOut+12)
	a.know(aesIV, aesIVEnd)
	a.done = c.m.NewTimer(a.complete)
	c.gdma.onReady(dmaAES, a.resume)
	return a
}

func (a *aesAccelerator) read(off uint32) uint32 {
	switch off {
	case aesState:
		return a.s.State
	case aesTrigger, aesContinue, aesIntClr, aesDMAExit:
		return 0
	case aesIntEna:
		return a.intr.Ena
	}
	return a.block.read(off)
}

func (a *aesAccelerator) write(off, v uint32) {
	switch off {
	case aesTrigger:
		if v&1 != 0 {
			a.start()
		}
	case aesDMAExit:
		if v&1 != 0 && a.s.State == aesDone {
			a.s.State = aesIdle
		}
	case aesIntClr:
		a.intr.clear(v & 1)
	case aesIntEna:
		a.intr.enable(v & 1)
	case aesState, aesContinue:
	default:
		a.block.write(off, v)
	}
}

// cipher returns the block cipher of MODE and KEY, and whether it decrypts. The
// modes for AES-192 of other chips act as AES-128.
func (a *aesAccelerator) cipher() (c cipher.Block, decrypt bool) {
	mode := a.get(aesMode)
	size := uint32(16)
	if mode&3 == 2 {
		size = 32
	}
	c, err := aes.NewCipher(a.bytes(aesKey, size))
	if err != nil {
		panic("c3: " + err.Error()) // the size is always right
	}
	return c, mode&4 != 0
}

func (a *aesAccelerator) start() {
	if a.get(aesDMAEnable)&1 == 0 {
		c, decrypt := a.cipher()
		in := a.bytes(aesTextIn, aesBlock)
		if decrypt {
			c.Decrypt(in, in)
		} else {
			c.Encrypt(in, in)
		}
		a.setBytes(aesTextOut, in)
		return
	}
	if a.s.State == aesWork {
		return
	}
	a.s.State, a.s.Waiting = aesWork, true
	a.resume()
}

// resume begins a DMA operation whose lists have been started.
func (a *aesAccelerator) resume() {
	if !a.s.Waiting || a.soc.gdma.transmitter(dmaAES) == nil || a.soc.gdma.receiver(dmaAES) == nil {
		return
	}
	a.s.Waiting = false
	a.done.Set(a.soc.m.Now().Add(chip.Duration(min(a.get(aesBlockNum), 1<<24)) * aesBlockTicks))
}

// complete does a DMA operation: BLOCK_NUM blocks from one list to the other.
// What the lists do not hold is not done.
func (a *aesAccelerator) complete() {
	out, in := a.soc.gdma.transmitter(dmaAES), a.soc.gdma.receiver(dmaAES)
	if out == nil || in == nil {
		a.s.Waiting = true // a list was stopped meanwhile
		return
	}
	m := a.chain()
	var iv, buf [aesBlock]byte
	copy(iv[:], a.bytes(aesIV, aesBlock))
	left := a.get(aesBlockNum)
	for ; left > 0; left-- {
		if n := out.pullAll(buf[:]); n < aesBlock {
			break
		}
		m(&iv, &buf)
		if n := in.push(buf[:], left == 1); n < aesBlock {
			break
		}
	}
	a.setBytes(aesIV, iv[:])
	if left > 0 {
		return // stays busy, as a stalled DMA leaves it
	}
	a.s.State = aesDone
	a.intr.raise(1)
}

// chain returns the function that does one block of the configured mode in
// place and advances the IV.
func (a *aesAccelerator) chain() func(iv, b *[aesBlock]byte) {
	c, decrypt := a.cipher()
	inc32 := a.get(aesIncSel)&1 == 0
	switch a.get(aesBlockMode) & 7 {
	case aesCBC:
		return func(iv, b *[aesBlock]byte) {
			if decrypt {
				next := *b
				c.Decrypt(b[:], b[:])
				xor(b, iv)
				*iv = next
				return
			}
			xor(b, iv)
			c.Encrypt(b[:], b[:])
			*iv = *b
		}
	case aesOFB:
		return func(iv, b *[aesBlock]byte) {
			c.Encrypt(iv[:], iv[:])
			xor(b, iv)
		}
	case aesCTR:
		return func(iv, b *[aesBlock]byte) {
			var stream [aesBlock]byte
			c.Encrypt(stream[:], iv[:])
			xor(b, &stream)
			increment(iv, inc32)
		}
	case aesCFB8:
		return func(iv, b *[aesBlock]byte) {
			var stream [aesBlock]byte
			for i := range b {
				c.Encrypt(stream[:], iv[:])
				in := b[i]
				b[i] ^= stream[0]
				feedback := b[i]
				if decrypt {
					feedback = in
				}
				copy(iv[:], iv[1:])
				iv[aesBlock-1] = feedback
			}
		}
	case aesCFB128:
		return func(iv, b *[aesBlock]byte) {
			var stream [aesBlock]byte
			c.Encrypt(stream[:], iv[:])
			in := *b
			xor(b, &stream)
			*iv = *b
			if decrypt {
				*iv = in
			}
		}
	}
	return func(_, b *[aesBlock]byte) {
		if decrypt {
			c.Decrypt(b[:], b[:])
		} else {
			c.Encrypt(b[:], b[:])
		}
	}
}

func xor(b, with *[aesBlock]byte) {
	for i := range b {
		b[i] ^= with[i]
	}
}

// increment counts the last 32 bits of a counter block, or all 128.
func increment(b *[aesBlock]byte, only32 bool) {
	low := binary.BigEndian.Uint32(b[12:]) + 1
	binary.BigEndian.PutUint32(b[12:], low)
	if low != 0 || only32 {
		return
	}
	for i := 11; i >= 0; i-- {
		if b[i]++; b[i] != 0 {
			return
		}
	}
}

func (a *aesAccelerator) reset() {
	a.block.reset()
	a.s.State, a.s.Waiting = aesIdle, false
	a.done.Stop()
	a.intr.reset(0)
}

func (a *aesAccelerator) state(s *chip.State) {
	s.Fixed(&a.words, &a.s, &a.intr.Raw, &a.intr.Ena)
}
