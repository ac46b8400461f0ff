package c3

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"slices"

	"espalier.dev/espalier/emu/chip"
)

// XTS_AES registers, TRM 23.6.
const (
	xtsPlain    = 0x00 // 16 words
	xtsLineSize = 0x40
	xtsDest     = 0x44
	xtsAddress  = 0x48
	xtsTrigger  = 0x4c
	xtsRelease  = 0x50
	xtsDestroy  = 0x54
	xtsState    = 0x58
	xtsDate     = 0x5c
	xtsDateC3   = 0x20200623

	xtsUnit  = 128 // bytes of flash that one tweak covers
	xtsBlock = aes.BlockSize
)

// States of XTS_AES_STATE.
const (
	xtsIdle      = 0
	xtsCalculate = 1
	xtsDone      = 2 // encrypted, not yet visible to SPI1
	xtsReleased  = 3
)

// xtsAES is the manual encryption of flash, TRM 23.4: software puts 16 or 32
// bytes of plain text into PLAIN_MEM and, after the calculation, releases the
// cipher text to SPI1, which programs it in place of what is in its own buffer.
// Calculation takes no time.
type xtsAES struct {
	block
	soc *soc
	s   struct {
		State  uint32
		Cipher [32]byte
	}
}

func newXTSAES(c *soc) *xtsAES {
	x := &xtsAES{soc: c}
	x.block = newBlock("XTS_AES", 0x600cc000, []reg{
		{xtsLineSize, "LINESIZE", 0}, {xtsDest, "DESTINATION", 0}, {xtsAddress, "PHYSICAL_ADDRESS", 0}, {xtsTrigger, "TRIGGER", 0},
		{xtsRelease, "RELEASE", 0}, {xtsDestroy, "DESTROY", 0}, {xtsState, "STATE", 0}, {xtsDate, "DATE", xtsDateC3},
	})
	x.know(xtsPlain, xtsPlain+60)
	return x
}

func (x *xtsAES) read(off uint32) uint32 {
	switch off {
	case xtsState:
		return x.s.State
	case xtsTrigger, xtsRelease, xtsDestroy:
		return 0
	}
	return x.block.read(off)
}

func (x *xtsAES) write(off, v uint32) {
	switch off {
	case xtsTrigger:
		if v&1 != 0 && x.s.State == xtsIdle && x.enabled() {
			x.calculate()
		}
	case xtsRelease:
		if v&1 != 0 && x.s.State == xtsDone {
			x.s.State = xtsReleased
		}
	case xtsDestroy:
		if v&1 != 0 && x.s.State == xtsReleased {
			x.s.State, x.s.Cipher = xtsIdle, [32]byte{}
		}
	case xtsLineSize, xtsDest:
		x.block.write(off, v&1)
	case xtsAddress:
		x.block.write(off, v&0x3fffffff)
	case xtsState:
	default:
		x.block.write(off, v)
	}
}

// enabled reports whether manual encryption is permitted: by
// ENABLE_SPI_MANUAL_ENCRYPT, and in download mode by the eFuse and
// ENABLE_DOWNLOAD_MANUAL_ENCRYPT besides.
func (x *xtsAES) enabled() bool {
	const spiManual, downloadManual, disDownload = 1 << 0, 1 << 3, 1 << 20
	ctrl := x.soc.system.get(sysExternalCrypt)
	if x.soc.gpio.flashBoot() {
		return ctrl&spiManual != 0
	}
	return ctrl&downloadManual != 0 && x.soc.efuse.get(efRepeat0)&disDownload == 0
}

// lineBytes returns how many bytes one calculation covers.
func (x *xtsAES) lineBytes() uint32 { return 16 << (x.get(xtsLineSize) & 1) }

func (x *xtsAES) calculate() {
	n := x.lineBytes()
	addr := x.get(xtsAddress) &^ (n - 1)
	// PLAIN_MEM is a window of 64 bytes of the flash.
	plain := x.bytes(xtsPlain+addr%64, n)
	newXTS(x.soc.efuse.flashKey()).encrypt(plain, addr)
	copy(x.s.Cipher[:], plain)
	x.s.State = xtsDone
}

// released returns the cipher text that SPI1 programs at addr, nil if nothing
// has been released or it is for another place.
func (x *xtsAES) released(addr uint32, n int) []byte {
	line := x.lineBytes()
	if x.s.State != xtsReleased || x.get(xtsDest) != 0 || addr != x.get(xtsAddress)&^(line-1) || n > int(line) {
		return nil
	}
	return x.s.Cipher[:n]
}

func (x *xtsAES) reset() {
	x.block.reset()
	x.s.State, x.s.Cipher = xtsIdle, [32]byte{}
}

func (x *xtsAES) state(s *chip.State) { s.Fixed(&x.words, &x.s) }

// xts is XTS-AES-128 as the chip uses it for flash: a data unit of 128 bytes
// whose tweak is its address, with bytes and key in reverse order.
type xts struct{ data, tweak cipher.Block }

// newXTS takes the key as it is in the eFuse.
func newXTS(key [efKeyBytes]byte) *xts {
	slices.Reverse(key[:])
	data, err := aes.NewCipher(key[:16])
	if err != nil {
		panic("c3: " + err.Error()) // 16 bytes are a key
	}
	tweak, err := aes.NewCipher(key[16:])
	if err != nil {
		panic("c3: " + err.Error())
	}
	return &xts{data, tweak}
}

func (x *xts) encrypt(p []byte, addr uint32) { x.blocks(p, addr, x.data.Encrypt) }
func (x *xts) decrypt(p []byte, addr uint32) { x.blocks(p, addr, x.data.Decrypt) }

// blocks works on p, whole blocks of flash at addr, in place.
func (x *xts) blocks(p []byte, addr uint32, f func(dst, src []byte)) {
	var mask [xtsUnit / xtsBlock][xtsBlock]byte
	unit := ^uint32(0)
	for i := 0; i+xtsBlock <= len(p); i += xtsBlock {
		at := addr + uint32(i)
		if at&^(xtsUnit-1) != unit {
			unit = at &^ (xtsUnit - 1)
			x.masks(&mask, unit)
		}
		// The unit is reversed as a whole: its last block is the first one.
		t := &mask[(xtsUnit-xtsBlock-at%xtsUnit)/xtsBlock]
		b := p[i : i+xtsBlock]
		slices.Reverse(b)
		for j := range b {
			b[j] ^= t[j]
		}
		f(b, b)
		for j := range b {
			b[j] ^= t[j]
		}
		slices.Reverse(b)
	}
}

// masks computes the tweak of each block: the encrypted address times powers
// of x in GF(2^128), IEEE 1619 section 5.2.
func (x *xts) masks(mask *[xtsUnit / xtsBlock][xtsBlock]byte, unit uint32) {
	var t [xtsBlock]byte
	binary.LittleEndian.PutUint32(t[:], unit)
	x.tweak.Encrypt(t[:], t[:])
	for i := range mask {
		mask[i] = t
		carry := byte(0)
		for j := range t {
			t[j], carry = t[j]<<1|carry, t[j]>>7
		}
		if carry != 0 {
			t[0] ^= 0x87
		}
	}
}
