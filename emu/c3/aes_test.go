package c3

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/hex"
	"math/rand/v2"
	"testing"

	"espalier.dev/espalier/emu"
)

const (
	aesBase = 0x6003a000
	shaBase = 0x6003b000
)

func randomBytes(rng *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// store and load move bytes to and from registers.
func (c *testChip) storeBytes(addr uint32, p []byte) {
	for i := 0; i < len(p); i += 4 {
		c.w(addr+uint32(i), le32(p[i:]))
	}
}

func (c *testChip) loadBytes(addr uint32, n int) (p []byte) {
	for i := range uint32(n / 4) {
		v := c.r(addr + 4*i)
		p = append(p, byte(v), byte(v>>8), byte(v>>16), byte(v>>24))
	}
	return p
}

// FIPS 197 appendix C.
func TestAESBlocks(t *testing.T) {
	for _, k := range []struct{ key, plain, cipher string }{
		{"000102030405060708090a0b0c0d0e0f", "00112233445566778899aabbccddeeff", "69c4e0d86a7b0430d8cdb78070b4c55a"},
		{"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", "00112233445566778899aabbccddeeff",
			"8ea2b7ca516745bfeafc49904b496089"},
	} {
		c := newTestChip(t, emu.Config{})
		key := unhex(t, k.key)
		c.storeBytes(aesBase+aesKey, key)
		mode := uint32(len(key)/8 - 2)
		for _, dir := range []struct {
			mode     uint32
			from, to string
		}{{mode, k.plain, k.cipher}, {mode | 4, k.cipher, k.plain}} {
			c.w(aesBase+aesMode, dir.mode)
			c.storeBytes(aesBase+aesTextIn, unhex(t, dir.from))
			c.w(aesBase+aesTrigger, 1)
			c.want(aesBase+aesState, aesIdle)
			if got := hex.EncodeToString(c.loadBytes(aesBase+aesTextOut, aesBlock)); got != dir.to {
				t.Errorf("mode %d: %s, want %s", dir.mode, got, dir.to)
			}
		}
	}
}

// aesByDMA runs one operation and returns the output and the IV that is left.
func (c *testChip) aesByDMA(mode, chain, inc uint32, key, iv, in []byte) (out, next []byte) {
	c.t.Helper()
	const txDesc, rxDesc, tx, rx = dmaTop, dmaTop + 0x100, dmaTop + 0x1000, dmaTop + 0x3000
	c.pokeBytes(tx, in)
	half := len(in) / 32 * 16
	c.list(txDesc, tx, true, half+5, len(in)-half-5)
	c.list(rxDesc, rx, false, len(in)-7, 7)
	c.w(gdmaBase+gdIntClr, gdIntAll)
	for _, out := range []bool{false, true} {
		c.w(gdmaReg(0, out, gdConf0), 1)
		c.w(gdmaReg(0, out, gdConf0), 0)
		c.w(gdmaReg(0, out, gdPeriSel), uint32(dmaAES))
	}
	c.w(aesBase+aesDMAEnable, 1)
	c.w(aesBase+aesMode, mode)
	c.w(aesBase+aesBlockMode, chain)
	c.w(aesBase+aesIncSel, inc)
	c.w(aesBase+aesBlockNum, uint32(len(in)/16))
	c.storeBytes(aesBase+aesKey, key)
	c.storeBytes(aesBase+aesIV, iv)
	c.w(aesBase+aesIntEna, 1)
	c.w(aesBase+aesTrigger, 1)
	c.want(aesBase+aesState, aesWork) // waits for its lists
	c.startIn(0, rxDesc)
	c.startOut(0, txDesc)
	c.run(emu.Millisecond)
	c.want(aesBase+aesState, aesDone)
	if c.r(0x600c20fc)>>(srcAES-32)&1 != 1 {
		c.t.Error("no interrupt")
	}
	c.w(aesBase+aesIntClr, 1)
	if c.r(0x600c20fc)>>(srcAES-32)&1 != 0 {
		c.t.Error("the interrupt stays")
	}
	if raw := c.r(gdmaBase); raw&gdIntInSucEOF == 0 {
		c.t.Errorf("the receive list has not ended: 0x%x", raw)
	}
	c.w(aesBase+aesDMAExit, 1)
	c.want(aesBase+aesState, aesIdle)
	return c.peek(rx, len(in)), c.loadBytes(aesBase+aesIV, aesBlock)
}

// Each mode does what the standard library does, and two operations one after
// the other what one long one does.
func TestAESByDMA(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, k := range []struct {
		name  string
		chain uint32
		std   func(b cipher.Block, iv []byte, decrypt bool) func(dst, src []byte)
	}{
		{"CBC", aesCBC, func(b cipher.Block, iv []byte, decrypt bool) func(dst, src []byte) {
			if decrypt {
				return cipher.NewCBCDecrypter(b, iv).CryptBlocks
			}
			return cipher.NewCBCEncrypter(b, iv).CryptBlocks
		}},
		{"OFB", aesOFB, func(b cipher.Block, iv []byte, _ bool) func(dst, src []byte) {
			return ofb(b, iv)
		}},
		{"CTR", aesCTR, func(b cipher.Block, iv []byte, _ bool) func(dst, src []byte) {
			return cipher.NewCTR(b, iv).XORKeyStream
		}},
		{"CFB128", aesCFB128, func(b cipher.Block, iv []byte, decrypt bool) func(dst, src []byte) {
			return cfb(b, iv, decrypt)
		}},
		{"ECB", aesECB, func(b cipher.Block, _ []byte, decrypt bool) func(dst, src []byte) {
			return func(dst, src []byte) {
				for i := 0; i < len(src); i += aesBlock {
					if decrypt {
						b.Decrypt(dst[i:], src[i:])
					} else {
						b.Encrypt(dst[i:], src[i:])
					}
				}
			}
		}},
	} {
		for _, size := range []int{16, 32} {
			for _, decrypt := range []bool{false, true} {
				t.Run(k.name, func(t *testing.T) {
					c := newTestChip(t, emu.Config{})
					key, iv, in := randomBytes(rng, size), randomBytes(rng, 16), randomBytes(rng, 16*20)
					b, err := aes.NewCipher(key)
					if err != nil {
						t.Fatal(err)
					}
					want := make([]byte, len(in))
					k.std(b, iv, decrypt)(want, in)
					mode := uint32(size/8 - 2)
					if decrypt {
						mode |= 4
					}
					got, next := c.aesByDMA(mode, k.chain, 1, key, iv, in[:160])
					more, _ := c.aesByDMA(mode, k.chain, 1, key, next, in[160:])
					if !bytes.Equal(append(got, more...), want) {
						t.Errorf("AES-%d, decrypt %v, differs", 8*size, decrypt)
					}
				})
			}
		}
	}
}

// NIST SP 800-38A F.3.7: CFB8, which the standard library does not have.
func TestAESCFB8(t *testing.T) {
	c := newTestChip(t, emu.Config{})
	key, iv := unhex(t, "2b7e151628aed2a6abf7158809cf4f3c"), unhex(t, "000102030405060708090a0b0c0d0e0f")
	plain := unhex(t, "6bc1bee22e409f96e93d7e117393172aae2d")
	want := unhex(t, "3b79424c9c0dd436bace9e0ed4586a4f32b9")
	in := append(bytes.Clone(plain), make([]byte, 14)...)
	got, _ := c.aesByDMA(0, aesCFB8, 0, key, iv, in)
	if !bytes.Equal(got[:18], want) {
		t.Errorf("% x, want % x", got[:18], want)
	}
	back, _ := c.aesByDMA(4, aesCFB8, 0, key, iv, got)
	if !bytes.Equal(back, in) {
		t.Errorf("decrypts to % x", back)
	}
}

// A counter of 32 bits wraps without carry into the nonce.
func TestAESCounterWidth(t *testing.T) {
	iv := [aesBlock]byte{15: 0xff, 14: 0xff, 13: 0xff, 12: 0xff, 11: 7}
	narrow, wide := iv, iv
	increment(&narrow, true)
	increment(&wide, false)
	if narrow != [aesBlock]byte{11: 7} || wide != [aesBlock]byte{11: 8} {
		t.Errorf("% x and % x", narrow, wide)
	}
}

// A list with too little data leaves the accelerator busy, as a stalled DMA
// does, and a reset of the block frees it.
func TestAESStalls(t *testing.T) {
	c := newTestChip(t, emu.Config{})
	c.list(dmaTop, dmaTop+0x1000, true, 16)
	c.list(dmaTop+0x100, dmaTop+0x2000, false, 64)
	for _, out := range []bool{false, true} {
		c.w(gdmaReg(1, out, gdPeriSel), uint32(dmaAES))
	}
	c.startIn(1, dmaTop+0x100)
	c.startOut(1, dmaTop)
	c.w(aesBase+aesDMAEnable, 1)
	c.w(aesBase+aesBlockNum, 3)
	c.w(aesBase+aesTrigger, 1)
	c.run(emu.Millisecond)
	c.want(aesBase+aesState, aesWork)
	c.w(0x600c001c, 0)
	c.w(0x600c001c, 1<<1) // PERIP_RST_EN1
	c.want(aesBase+aesState, aesIdle)
}

// ofb is output feedback over Go's block cipher (NIST SP 800-38A, 6.4); the
// standard library has deprecated its own.
func ofb(b cipher.Block, iv []byte) func(dst, src []byte) {
	stream := bytes.Clone(iv)
	return func(dst, src []byte) {
		for i := 0; i < len(src); i += aesBlock {
			b.Encrypt(stream, stream)
			for k := range min(aesBlock, len(src)-i) {
				dst[i+k] = src[i+k] ^ stream[k]
			}
		}
	}
}

// cfb is cipher feedback of whole blocks (NIST SP 800-38A, 6.3).
func cfb(b cipher.Block, iv []byte, decrypt bool) func(dst, src []byte) {
	feedback := bytes.Clone(iv)
	return func(dst, src []byte) {
		for i := 0; i < len(src); i += aesBlock {
			b.Encrypt(feedback, feedback)
			for k := range min(aesBlock, len(src)-i) {
				in := src[i+k]
				dst[i+k] = in ^ feedback[k]
				if decrypt {
					feedback[k] = in
				} else {
					feedback[k] = dst[i+k]
				}
			}
		}
	}
}
