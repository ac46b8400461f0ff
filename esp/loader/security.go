package loader

import (
	"context"
	"encoding/binary"
	"math/bits"
)

// Security is the answer to GET_SECURITY_INFO.
type Security struct {
	Flags      uint32
	CryptCount uint8 // SPI_BOOT_CRYPT_CNT
	KeyPurpose [7]uint8
	ChipID     uint32
	APIVersion uint32
}

// Flags of Security.
const (
	flagSecureBoot       = 1 << 0
	flagAggressiveRevoke = 1 << 1
	flagSecureDownload   = 1 << 2
	flagSoftJTAG         = 1 << 6
	flagHardJTAG         = 1 << 7
	flagUSB              = 1 << 8
)

// SecureBoot reports whether the ROM starts signed bootloaders only.
func (s Security) SecureBoot() bool { return s.Flags&flagSecureBoot != 0 }

// SecureDownload reports whether the loader refuses to read anything.
func (s Security) SecureDownload() bool { return s.Flags&flagSecureDownload != 0 }

// Encrypted reports whether the chip decrypts what it reads from flash: an odd
// number of bits is burnt.
func (s Security) Encrypted() bool { return bits.OnesCount8(s.CryptCount)%2 == 1 }

// JTAGOff reports whether debugging is switched off by a fuse.
func (s Security) JTAGOff() bool { return s.Flags&(flagSoftJTAG|flagHardJTAG) != 0 }

func (l *Loader) readSecurity(ctx context.Context) (Security, error) {
	r, err := l.link.command(ctx, opSecurityInfo, nil, timeCommand)
	if err != nil {
		return Security{}, err
	}
	if len(r.data) < 20 {
		return Security{}, &TimeoutError{Command: "GET_SECURITY_INFO in full", After: timeCommand}
	}
	s := Security{
		Flags: binary.LittleEndian.Uint32(r.data), CryptCount: r.data[4],
		ChipID: binary.LittleEndian.Uint32(r.data[12:]), APIVersion: binary.LittleEndian.Uint32(r.data[16:]),
	}
	copy(s.KeyPurpose[:], r.data[5:12])
	return s, nil
}

// eFuse registers, TRM 4.5.
const (
	efuseBlock1 = 0x60008844
	efuseBlock2 = 0x6000885c
)

// Identity is what a chip's eFuses say about it.
type Identity struct {
	MAC         [6]byte
	Revision    uint16 // major*100 + minor
	Block       uint16 // version of the eFuse block, major*100 + minor
	Package     uint8  // 0 ESP32-C3, 1 ESP8685, 2 ESP32-C3 AZ, 3 ESP8686
	FlashInside uint32 // bytes of flash in the package, 0: none
}

// Identity reads the chip's eFuses.
func (l *Loader) Identity(ctx context.Context) (Identity, error) {
	if l.security.SecureDownload() {
		return Identity{}, &SecureDownloadError{"reading the chip's revision"}
	}
	if l.fuses != nil {
		return *l.fuses, nil
	}
	var w [6]uint32
	for i := range w {
		if i == 2 {
			continue // nothing that is wanted
		}
		var err error
		if w[i], err = l.readTwice(ctx, efuseBlock1+4*uint32(i)); err != nil {
			return Identity{}, err
		}
	}
	b2, err := l.readTwice(ctx, efuseBlock2+16)
	if err != nil {
		return Identity{}, err
	}
	id := Identity{
		MAC:      [6]byte{byte(w[1] >> 8), byte(w[1]), byte(w[0] >> 24), byte(w[0] >> 16), byte(w[0] >> 8), byte(w[0])},
		Revision: uint16(w[5]>>24&3)*100 + uint16(w[5]>>23&1)<<3 + uint16(w[3]>>18&7),
		Block:    uint16(b2&3)*100 + uint16(w[3]>>24&7),
		Package:  uint8(w[3] >> 21 & 7),
	}
	switch w[3] >> 27 & 7 {
	case 1:
		id.FlashInside = 4 << 20
	case 2:
		id.FlashInside = 2 << 20
	case 3:
		id.FlashInside = 1 << 20
	case 4:
		id.FlashInside = 8 << 20
	}
	l.fuses = &id
	return id, nil
}

// PackageName is the name that is printed on the chip.
func (i Identity) PackageName() string {
	switch i.Package {
	case 0:
		return "ESP32-C3 (QFN32)"
	case 1:
		return "ESP8685 (QFN28)"
	case 2:
		return "ESP32-C3 AZ (QFN32)"
	case 3:
		return "ESP8686 (QFN24)"
	}
	return "unknown ESP32-C3"
}
