package c3

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	gohmac "crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/binary"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"espalier.dev/espalier/emu"
)

const (
	rsaBase  = 0x6003c000
	dsBase   = 0x6003d000
	hmacBase = 0x6003e000
)

// The digest by DMA is that of the standard library, in one operation or two.
func TestSHAByDMA(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for mode := range uint32(3) {
		c := newTestChip(t, emu.Config{})
		msg := randomBytes(rng, 64*9-9)
		s1, s224, s256 := sha1.Sum(msg), sha256.Sum224(msg), sha256.Sum256(msg)
		want := [][]byte{s1[:], s224[:], s256[:]}[mode]
		padded := binary.BigEndian.AppendUint64(append(bytes.Clone(msg), 0x80), uint64(len(msg))*8)
		const desc, buf = dmaTop, dmaTop + 0x1000
		c.pokeBytes(buf, padded)
		c.w(gdmaReg(2, true, gdPeriSel), uint32(dmaSHA))
		c.w(shaBase+shaMode, mode)
		c.w(shaBase+shaIRQEna, 1)
		at := uint32(buf)
		for i, blocks := range []int{4, 5} {
			c.list(desc, at, true, 64*blocks)
			c.w(shaBase+shaDMABlock, uint32(blocks))
			c.w(shaBase+[]uint32{shaDMAStart, shaDMACont}[i], 1)
			c.want(shaBase+shaBusy, 1)
			c.startOut(2, desc)
			c.run(emu.Millisecond)
			c.want(shaBase+shaBusy, 0)
			if c.r(0x600c20fc)>>(srcSHA-32)&1 != 1 {
				t.Error("no interrupt")
			}
			c.w(shaBase+shaClearIRQ, 1)
			at += uint32(64 * blocks)
		}
		if got := c.loadBytes(shaBase+shaH, len(want)); !bytes.Equal(got, want) {
			t.Errorf("mode %d: % x, want % x", mode, got, want)
		}
	}
}

func reversed(b []byte) []byte {
	b = bytes.Clone(b)
	slices.Reverse(b)
	return b
}

func (c *testChip) storeNumber(addr uint32, v *big.Int, words int) {
	c.storeBytes(addr, reversed(v.FillBytes(make([]byte, 4*words))))
}

func (c *testChip) loadNumber(addr uint32, words int) *big.Int {
	return new(big.Int).SetBytes(reversed(c.loadBytes(addr, 4*words)))
}

// rsaSetup stores modulus, constants and mode for n words.
func (c *testChip) rsaSetup(m *big.Int, n int) {
	r := new(big.Int).Lsh(big.NewInt(1), uint(32*n))
	c.w(rsaBase+rsaMode, uint32(n-1))
	c.storeNumber(rsaBase+rsaM, m, n)
	c.storeNumber(rsaBase+rsaZ, new(big.Int).Mod(new(big.Int).Mul(r, r), m), n)
	word := big.NewInt(1 << 32)
	inv := new(big.Int).ModInverse(m, word)
	c.w(rsaBase+rsaMPrime, uint32(new(big.Int).Sub(word, inv).Uint64()))
}

func TestRSA(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	number := func(words int) *big.Int { return new(big.Int).SetBytes(randomBytes(rng, 4*words)) }
	for _, n := range []int{1, 2, 3, 16, 31, 64, 96} {
		c := newTestChip(t, emu.Config{})
		c.w(rsaBase+rsaIntEna, 1)
		m := number(n)
		m.SetBit(m.SetBit(m, 0, 1), 32*n-1, 1)
		x, y := number(n), number(n)
		x.Mod(x, m)
		y.Mod(y, m)
		start := func(reg uint32) {
			t.Helper()
			c.w(rsaBase+reg, 1)
			c.want(rsaBase+rsaIdle, 0)
			c.run(20 * emu.Second)
			c.want(rsaBase+rsaIdle, 1)
			if c.r(0x600c20fc)>>(srcRSA-32)&1 != 1 {
				t.Error("no interrupt")
			}
			c.w(rsaBase+rsaIntClr, 1)
		}

		c.rsaSetup(m, n)
		c.storeNumber(rsaBase+rsaX, x, n)
		c.storeNumber(rsaBase+rsaY, y, n)
		start(rsaModExp)
		if got, want := c.loadNumber(rsaBase+rsaZ, n), new(big.Int).Exp(x, y, m); got.Cmp(want) != 0 {
			t.Errorf("%d words: exponentiation is %x, want %x", n, got, want)
		}

		c.rsaSetup(m, n)
		c.w(rsaBase+rsaSearch, 1) // only bits 4:0 of the exponent count
		c.w(rsaBase+rsaSearchAt, 4)
		c.w(rsaBase+rsaConstant, 0)
		start(rsaModExp)
		e := new(big.Int).And(y, big.NewInt(31))
		if got, want := c.loadNumber(rsaBase+rsaZ, n), new(big.Int).Exp(x, e, m); got.Cmp(want) != 0 {
			t.Errorf("%d words: exponentiation by %d is %x, want %x", n, e, got, want)
		}

		c.rsaSetup(m, n)
		start(rsaModMult)
		want := new(big.Int).Mul(x, y)
		if got, want := c.loadNumber(rsaBase+rsaZ, n), new(big.Int).Mod(want, m); got.Cmp(want) != 0 {
			t.Errorf("%d words: modular product is %x, want %x", n, got, want)
		}

		if 2*n > rsaWords {
			continue
		}
		c.w(rsaBase+rsaMode, uint32(2*n-1))
		c.storeNumber(rsaBase+rsaZ+4*uint32(n), y, n)
		start(rsaMult)
		if got := c.loadNumber(rsaBase+rsaZ, 2*n); got.Cmp(want) != 0 {
			t.Errorf("%d words: product is %x, want %x", n, got, want)
		}
	}
}

// The word-wise algorithm, which wrong constants need, agrees with the other
// where the constants are right.
func TestMontgomeryByWords(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	for n := 1; n < 20; n++ {
		m := new(big.Int).SetBytes(randomBytes(rng, 4*n))
		m.SetBit(m, 0, 1)
		m.SetBit(m, 32*n-1, 1)
		word := big.NewInt(1 << 32)
		prime := new(big.Int).Sub(word, new(big.Int).ModInverse(m, word))
		fast := montgomery{modulus: m, prime: uint32(prime.Uint64()), words: n}
		fast.prepare()
		slow := fast
		slow.inverse = nil
		a, b := new(big.Int).SetBytes(randomBytes(rng, 4*n)), new(big.Int).SetBytes(randomBytes(rng, 4*n))
		a.Mod(a, m)
		b.Mod(b, m)
		if x, y := fast.mul(a, b), slow.mul(a, b); fast.inverse == nil || x.Cmp(y) != 0 {
			t.Errorf("%d words: %x and %x", n, x, y)
		}
	}
}

// An even modulus and the modulus 0 have no result but an end.
func TestRSANonsense(t *testing.T) {
	c := newTestChip(t, emu.Config{})
	for _, m := range []uint32{0, 2, 1} {
		c.w(rsaBase+rsaMode, 1)
		c.w(rsaBase+rsaM, m)
		for _, reg := range []uint32{rsaModExp, rsaModMult, rsaMult} {
			c.w(rsaBase+reg, 1)
			c.run(emu.Second)
			c.want(rsaBase+rsaIdle, 1)
		}
	}
}

// efuseWith returns the content of a chip with keys of given purposes.
func efuseWith(t *testing.T, keys map[keyPurpose][]byte) []byte {
	t.Helper()
	c := newTestChip(t, emu.Config{})
	p := c.board.EFuse()
	n := 0
	for _, purpose := range slices.Sorted(func(yield func(keyPurpose) bool) {
		for k := range keys {
			if !yield(k) {
				return
			}
		}
	}) {
		copy(p[efKey0-efRead+32*n:], keys[purpose])
		at := efRepeat1 - efRead + 4*((24+4*n)/32)
		binary.LittleEndian.PutUint32(p[at:], le32(p[at:])|uint32(purpose)<<((24+4*n)%32))
		n++
	}
	return p
}

// hmacSum calculates as a driver does: padded by software, block by block.
func (c *testChip) hmacSum(key uint32, msg []byte) []byte {
	c.w(hmacBase+hmStart, 1)
	c.w(hmacBase+hmPurpose, uint32(purposeHMACUp))
	c.w(hmacBase+hmKey, key)
	c.w(hmacBase+hmParaEnd, 1)
	c.want(hmacBase+hmError, 0)
	padded := append(bytes.Clone(msg), 0x80)
	for len(padded)%64 != 56 {
		padded = append(padded, 0)
	}
	padded = binary.BigEndian.AppendUint64(padded, uint64(64+len(msg))*8)
	for at := 0; at < len(padded); at += 64 {
		if at > 0 {
			c.w(hmacBase+hmIng, 1)
		}
		c.storeBytes(hmacBase+hmMessage, padded[at:at+64])
		c.w(hmacBase+hmOne, 1)
		c.want(hmacBase+hmBusy, 0)
	}
	tag := c.loadBytes(hmacBase+hmResult, hmTag)
	c.w(hmacBase+hmResultEnd, 1)
	return tag
}

func TestHMAC(t *testing.T) {
	rng := rand.New(rand.NewPCG(13, 14))
	key := randomBytes(rng, 32)
	c := newTestChip(t, emu.Config{EFuse: efuseWith(t, map[keyPurpose][]byte{purposeHMACUp: key})})
	for _, n := range []int{0, 1, 55, 56, 64, 65, 200} {
		msg := randomBytes(rng, n)
		mac := gohmac.New(sha256.New, key)
		mac.Write(msg)
		if got, want := c.hmacSum(0, msg), mac.Sum(nil); !bytes.Equal(got, want) {
			t.Errorf("%d bytes: % x, want % x", n, got, want)
		}
	}
	c.want(hmacBase+hmResult, 0) // the result is gone

	c.w(hmacBase+hmStart, 1)
	c.w(hmacBase+hmPurpose, uint32(purposeHMACDownDS)) // not what the key is for
	c.w(hmacBase+hmKey, 0)
	c.w(hmacBase+hmParaEnd, 1)
	c.want(hmacBase+hmError, 1)
}

// The value that enables JTAG is the HMAC of 32 zero bytes.
func TestHMACEnablesJTAG(t *testing.T) {
	key := bytes.Repeat([]byte{0x5a}, 32)
	c := newTestChip(t, emu.Config{EFuse: efuseWith(t, map[keyPurpose][]byte{purposeHMACDownAll: key})})
	mac := gohmac.New(sha256.New, key)
	mac.Write(make([]byte, 32))
	tag := mac.Sum(nil)
	try := func(v []byte) bool {
		c.w(hmacBase+hmInvJTAG, 1)
		c.w(hmacBase+hmStart, 1)
		c.w(hmacBase+hmPurpose, uint32(purposeHMACDownJTAG))
		c.w(hmacBase+hmKey, 0)
		c.w(hmacBase+hmParaEnd, 1)
		c.w(hmacBase+hmDate, 1) // SOFT_JTAG_CTRL
		for i := 0; i < 32; i += 4 {
			c.w(hmacBase+hmWrJTAG, le32(v[i:]))
		}
		return c.hmac.s.Enabled
	}
	if !try(tag) {
		t.Error("the right value does not enable JTAG")
	}
	tag[31] ^= 1
	if try(tag) {
		t.Error("a wrong value enables JTAG")
	}
}

// dsParameters encrypts a private key as Espressif's tools do it, TRM 22.3.
func dsParameters(hmacKey, iv []byte, y, m *big.Int, words int) (box []byte) {
	mac := gohmac.New(sha256.New, hmacKey)
	mac.Write(bytes.Repeat([]byte{0xff}, 32))
	number := func(v *big.Int) []byte { return reversed(v.FillBytes(make([]byte, dsNumber))) }
	r := new(big.Int).Lsh(big.NewInt(1), uint(2*32*words))
	word := big.NewInt(1 << 32)
	prime := new(big.Int).Sub(word, new(big.Int).ModInverse(m, word))
	numbers := slices.Concat(number(y), number(m), number(new(big.Int).Mod(r, m)))
	constants := binary.LittleEndian.AppendUint32(nil, uint32(prime.Uint64()))
	constants = binary.LittleEndian.AppendUint32(constants, uint32(words-1))
	sum := sha256.Sum256(slices.Concat(numbers, constants, iv))
	box = slices.Concat(numbers, sum[:], constants, bytes.Repeat([]byte{8}, 8))
	b, _ := aes.NewCipher(mac.Sum(nil))
	cipher.NewCBCEncrypter(b, iv).CryptBlocks(box, box)
	return box
}

func TestDigitalSignature(t *testing.T) {
	rng := rand.New(rand.NewPCG(15, 16))
	key, iv := randomBytes(rng, 32), randomBytes(rng, 16)
	const words = 64 // RSA-2048
	m := new(big.Int).SetBytes(randomBytes(rng, 4*words))
	m.SetBit(m.SetBit(m, 0, 1), 32*words-1, 1)
	y, x := new(big.Int).SetBytes(randomBytes(rng, 4*words)), new(big.Int).SetBytes(randomBytes(rng, 4*words-1))
	box := dsParameters(key, iv, y, m, words)
	c := newTestChip(t, emu.Config{EFuse: efuseWith(t, map[keyPurpose][]byte{purposeHMACDownDS: key})})
	sign := func(box []byte) uint32 {
		c.w(hmacBase+hmStart, 1)
		c.w(hmacBase+hmPurpose, uint32(purposeHMACDownDS))
		c.w(hmacBase+hmKey, 0)
		c.w(hmacBase+hmParaEnd, 1)
		c.want(hmacBase+hmError, 0)
		c.w(dsBase+dsStart, 1)
		c.want(dsBase+dsBusy, 0)
		c.want(dsBase+dsKeyWrong, 0)
		for i, at := range []uint32{dsY, dsM, dsRb} {
			c.storeBytes(dsBase+at, box[dsNumber*i:dsNumber*(i+1)])
		}
		c.storeBytes(dsBase+dsBox, box[3*dsNumber:])
		c.storeBytes(dsBase+dsIV, iv)
		c.storeNumber(dsBase+dsX, x, dsNumber/4)
		c.w(dsBase+dsContinue, 1)
		c.want(dsBase+dsBusy, 1)
		c.run(100 * emu.Second)
		c.want(dsBase+dsBusy, 0)
		return c.r(dsBase + dsCheck)
	}
	if check := sign(box); check != 0 {
		t.Fatalf("check says %d", check)
	}
	if got, want := c.loadNumber(dsBase+dsZ, words), new(big.Int).Exp(x, y, m); got.Cmp(want) != 0 {
		t.Errorf("signature %x, want %x", got, want)
	}
	c.want(dsBase+dsY, 0) // parameters cannot be read
	box[100] ^= 1
	if check := sign(box); check&dsDigestBad == 0 {
		t.Errorf("changed parameters: check says %d", check)
	}
	if got := c.loadNumber(dsBase+dsZ, words); got.Sign() != 0 {
		t.Error("changed parameters give a signature")
	}
	c.w(hmacBase+hmInvDS, 1)
	c.w(dsBase+dsStart, 1)
	if c.r(dsBase+dsKeyWrong) == 0 {
		t.Error("a missing key is not reported")
	}
}
