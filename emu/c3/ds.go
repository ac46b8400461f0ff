package c3

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
	"math/big"
	"slices"

	"espalier.dev/espalier/emu/chip"
)

// DS registers, TRM 22.6.
const (
	dsY          = 0x000 // encrypted parameters: Y, M, Rb and the box
	dsM          = 0x200
	dsRb         = 0x400
	dsBox        = 0x600
	dsIV         = 0x630
	dsX          = 0x800 // message
	dsZ          = 0xa00 // signature
	dsMemEnd     = 0xc00
	dsStart      = 0xe00
	dsContinue   = 0xe04
	dsFinish     = 0xe08
	dsBusy       = 0xe0c
	dsKeyWrong   = 0xe10
	dsCheck      = 0xe14
	dsDate       = 0xe20
	dsDateC3     = 0x20200618
	dsNumber     = 384 // bytes of Y, M and Rb: 3072 bits
	dsBoxBytes   = 48  // digest, M', length, padding
	dsDigestBad  = 1 << 0
	dsPaddingBad = 1 << 1
	dsPad        = 8
)

// ds is the digital signature block, TRM 22: an RSA signature with a private
// key that lies encrypted in memory. The HMAC block must have computed the key
// of the encryption (AES-256 in CBC mode) before. Numbers are least significant
// byte first.
type ds struct {
	block
	soc  *soc
	done *chip.Timer
	s    struct {
		Started  bool
		Busy     bool
		Check    uint32
		KeyWrong uint32
	}
}

func newDS(c *soc) *ds {
	d := &ds{soc: c}
	d.block = newBlock("DS", 0x6003d000, []reg{
		{dsStart, "SET_START", 0}, {dsContinue, "SET_CONTINUE", 0}, {dsFinish, "SET_FINISH", 0}, {dsBusy, "QUERY_BUSY", 0},
		{dsKeyWrong, "QUERY_KEY_WRONG", 0}, {dsCheck, "QUERY_CHECK", 0}, {dsDate, "DATE", dsDateC3},
	})
	d.know(dsY, dsIV+12)
	d.know(dsX, dsMemEnd-4)
	d.done = c.m.NewTimer(func() { d.s.Busy = false })
	return d
}

func (d *ds) read(off uint32) uint32 {
	switch {
	case off < dsX, off == dsStart, off == dsContinue, off == dsFinish:
		return 0 // write only
	case off == dsBusy:
		if d.s.Busy {
			return 1
		}
		return 0
	case off == dsKeyWrong:
		return d.s.KeyWrong
	case off == dsCheck:
		return d.s.Check
	}
	return d.block.read(off)
}

func (d *ds) write(off, v uint32) {
	switch off {
	case dsStart:
		if v&1 != 0 {
			d.s.Started = true
			d.s.KeyWrong = 0
			if !d.soc.hmac.s.DSValid {
				d.s.KeyWrong = 1 // attempts without a key
			}
			// The key derivation of the HMAC is over: never busy here.
		}
	case dsContinue:
		if v&1 != 0 && d.s.Started && !d.s.Busy {
			d.sign()
			d.s.Busy = true
			n := chip.Duration(dsNumber / 4)
			d.done.Set(d.soc.m.Now().Add(2 * 8 * dsNumber * n * n * rsaWordTicks))
		}
	case dsFinish:
		if v&1 != 0 {
			d.s.Started = false
			d.setBytes(dsY, make([]byte, dsMemEnd))
		}
	case dsBusy, dsKeyWrong, dsCheck, dsDate:
	default:
		d.block.write(off, v)
	}
}

// sign decrypts the parameters, checks them and computes Z = X^Y mod M. Wrong
// padding is reported beside the result, a wrong digest instead of it.
func (d *ds) sign() {
	d.s.Check = 0
	box := make([]byte, 0, 3*dsNumber+dsBoxBytes)
	for _, part := range []uint32{dsY, dsM, dsRb} {
		box = append(box, d.bytes(part, dsNumber)...)
	}
	box = append(box, d.bytes(dsBox, dsBoxBytes)...)
	iv := d.bytes(dsIV, aes.BlockSize)
	c, err := aes.NewCipher(d.soc.hmac.s.DSKey[:])
	if err != nil {
		panic("c3: " + err.Error()) // 32 bytes are a key
	}
	cipher.NewCBCDecrypter(c, iv).CryptBlocks(box, box)

	numbers, tail := box[:3*dsNumber], box[3*dsNumber:]
	digest, constants, padding := tail[:sha256.Size], tail[sha256.Size:sha256.Size+8], tail[sha256.Size+8:]
	if !bytes.Equal(padding, bytes.Repeat([]byte{dsPad}, dsPad)) {
		d.s.Check |= dsPaddingBad
	}
	sum := sha256.Sum256(slices.Concat(numbers, constants, iv))
	z := make([]byte, dsMemEnd-dsZ)
	if !d.soc.hmac.s.DSValid || !bytes.Equal(digest, sum[:]) {
		d.s.Check |= dsDigestBad
		d.setBytes(dsZ, z)
		return
	}
	words := min(int(binary.LittleEndian.Uint32(constants[4:]))+1, dsNumber/4)
	y, m := littleEndian(numbers[:4*words]), littleEndian(numbers[dsNumber:dsNumber+4*words])
	if m.Sign() != 0 {
		sig := new(big.Int).Exp(littleEndian(d.bytes(dsX, uint32(4*words))), y, m).FillBytes(make([]byte, 4*words))
		slices.Reverse(sig)
		copy(z, sig)
	}
	d.setBytes(dsZ, z)
}

// littleEndian returns the number in b, least significant byte first.
func littleEndian(b []byte) *big.Int {
	b = bytes.Clone(b)
	slices.Reverse(b)
	return new(big.Int).SetBytes(b)
}

func (d *ds) reset() {
	d.block.reset()
	d.done.Stop()
	d.s.Started, d.s.Busy, d.s.Check, d.s.KeyWrong = false, false, 0, 0
}

func (d *ds) state(s *chip.State) { s.Fixed(&d.words, &d.s) }
