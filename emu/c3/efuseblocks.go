package c3

import "encoding/binary"

// Blocks of the eFuse, TRM table 4.3-1. Block 0 has four copies of each bit;
// blocks 1 to 10 have a Reed-Solomon code.
const (
	efuseBlocks   = 11
	efuseKeys     = 6 // blocks 4 to 9
	efuseFirstKey = 4
	efKeyBytes    = 32
)

// keyPurpose is a value of KEY_PURPOSE_n, TRM table 4.3-2.
type keyPurpose uint32

const (
	purposeXTSAES128    keyPurpose = 4
	purposeHMACDownAll  keyPurpose = 5
	purposeHMACDownJTAG keyPurpose = 6
	purposeHMACDownDS   keyPurpose = 7
	purposeHMACUp       keyPurpose = 8
)

// efuseWrDisBit is the bit of WR_DIS that protects a block as a whole.
var efuseWrDisBit = [efuseBlocks]uint{0, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29}

// efuseProtected lists the bits of block 0 that a bit of WR_DIS protects.
var efuseProtected = []struct {
	bit  uint
	word uint32
	mask uint32
}{
	{0, 1, 0x7f},   // RD_DIS
	{1, 1, 1 << 7}, // DIS_RTC_RAM_BOOT
	// DIS_ICACHE, DIS_USB_JTAG, DIS_DOWNLOAD_ICACHE, DIS_USB_DEVICE,
	// DIS_FORCE_DOWNLOAD, DIS_CAN, JTAG_SEL_ENABLE, DIS_PAD_JTAG,
	// DIS_DOWNLOAD_MANUAL_ENCRYPT
	{2, 1, 0x1f<<8 | 3<<14 | 3<<19},
	{31, 1, 7 << 16},    // SOFT_DIS_JTAG
	{30, 1, 0xff << 21}, // USB_DREFH to BTLC_GPIO_ENABLE
	{3, 1, 7 << 29},     // power glitch detector
	{3, 2, 3 << 16},     // WDT_DELAY_SEL
	{4, 2, 7 << 18},     // SPI_BOOT_CRYPT_CNT
	{5, 2, 1 << 21},     // SECURE_BOOT_KEY_REVOKE0 to 2
	{6, 2, 1 << 22},
	{7, 2, 1 << 23},
	{8, 2, 0xf << 24}, // KEY_PURPOSE_0 to 5
	{9, 2, 0xf << 28},
	{10, 3, 0xf},
	{11, 3, 0xf << 4},
	{12, 3, 0xf << 8},
	{13, 3, 0xf << 12},
	{15, 3, 1 << 20},    // SECURE_BOOT_EN
	{16, 3, 1 << 21},    // SECURE_BOOT_AGGRESSIVE_REVOKE
	{18, 3, 0xf << 28},  // FLASH_TPUW
	{18, 4, 0x3fffffff}, // DIS_DOWNLOAD_MODE to SECURE_VERSION
	{19, 4, 1 << 31},    // ERR_RST_ENABLE
	{19, 5, 3},          // DISABLE_WAFER_VERSION_MAJOR, DISABLE_BLK_VERSION_MAJOR
}

// efuseBlock returns the first read register of a block and its words.
func efuseBlock(n uint32) (start, words uint32) {
	switch {
	case n == 0:
		return efRead, 6
	case n == 1:
		return 0x44, 6
	case n < efuseBlocks:
		return 0x5c + 32*(n-2), 8
	}
	return 0, 0
}

// fuse returns a word of what is burnt, whatever software may read.
func (e *efuse) fuse(reg uint32) uint32 { return binary.LittleEndian.Uint32(e.fuses[reg-efRead:]) }

// wdtDelay returns WDT_DELAY_SEL.
func (e *efuse) wdtDelay() uint32 { return field(e.get(efRepeat1), 17, 16) }

// purpose returns KEY_PURPOSE_n.
func (e *efuse) purpose(key uint32) keyPurpose {
	at := 24 + 4*key // bits from the beginning of REPEAT_DATA1
	return keyPurpose(e.get(efRepeat1+4*(at/32)) >> (at % 32) & 15)
}

// key returns key n as hardware sees it.
func (e *efuse) key(n uint32) (k [efKeyBytes]byte) {
	word := e.decoded(efuseFirstKey + n)
	copy(k[:], word[:rsData])
	return k
}

// keyFor returns the first key with a purpose.
func (e *efuse) keyFor(p keyPurpose) (k [efKeyBytes]byte, ok bool) {
	for n := range uint32(efuseKeys) {
		if e.purpose(n) == p {
			return e.key(n), true
		}
	}
	return k, false
}

// flashKey returns the key of the flash encryption; without one it is zero.
func (e *efuse) flashKey() [efKeyBytes]byte {
	k, _ := e.keyFor(purposeXTSAES128)
	return k
}

// flashEncrypted reports whether SPI_BOOT_CRYPT_CNT has an odd number of bits:
// the cache then decrypts what it reads from flash.
func (e *efuse) flashEncrypted() bool {
	n := field(e.get(efRepeat1), 20, 18)
	return (n^n>>1^n>>2)&1 != 0
}

// codeWord returns block n, 1 to 10, with its check bytes as they are burnt.
func (e *efuse) codeWord(n uint32) (w [rsLength]byte) {
	start, words := efuseBlock(n)
	copy(w[:], e.fuses[start-efRead:start-efRead+4*words])
	copy(w[rsData:], e.check[n][:])
	return w
}

// decoded returns block n after the correction of its errors; one with too many
// is as it was burnt.
func (e *efuse) decoded(n uint32) [rsLength]byte {
	w := e.codeWord(n)
	raw := w
	if _, ok := e.rs.correct(&w); !ok {
		return raw
	}
	return w
}

// encodeAll computes the check bytes of content that came without.
func (e *efuse) encodeAll() {
	for n := uint32(1); n < efuseBlocks; n++ {
		w := e.codeWord(n)
		e.check[n] = e.rs.encode((*[rsData]byte)(w[:]))
	}
}

// consistent reports whether all blocks have the check bytes of their content.
func (e *efuse) consistent() bool {
	for n := uint32(1); n < efuseBlocks; n++ {
		w := e.codeWord(n)
		if e.check[n] != e.rs.encode((*[rsData]byte)(w[:])) {
			return false
		}
	}
	return true
}
