package image

import (
	"bytes"
	"encoding/binary"
)

const (
	descMagic  = 0xabcd5432
	descSize   = 256
	descSHA    = 0x90 // of the ELF's SHA-256 in the descriptor
	descOffset = headerSize + segHeaderSize
	pageLog    = 16 // log2 of chip.PageSize, the flash MMU's page
)

// Descriptor is the application descriptor (esp_app_desc_t), which the
// bootloader expects at byte 0x20 of an application image.
type Descriptor struct {
	Version       string
	Project       string
	Time, Date    string // of the build, as the build wrote them
	IDFVersion    string
	SecureVersion uint32   // anti-rollback
	ELFSHA256     [32]byte // of the whole ELF file; zero when the tool that made the image did not fill it in
	MinBlockRev   uint16   // lowest eFuse block revision, major*100 + minor
	MaxBlockRev   uint16   // highest; 0 or 0xffff any
	PageSize      uint32   // of the flash MMU in bytes; 0 unspecified
}

// parseDescriptor reads a descriptor; nil when there is none at b's start.
func parseDescriptor(b []byte) *Descriptor {
	if len(b) < descSize || binary.LittleEndian.Uint32(b) != descMagic {
		return nil
	}
	text := func(off, size int) string {
		s, _, _ := bytes.Cut(b[off:off+size], []byte{0})
		return string(bytes.ToValidUTF8(s, []byte("\ufffd")))
	}
	d := &Descriptor{
		SecureVersion: binary.LittleEndian.Uint32(b[4:]),
		Version:       text(0x10, 32),
		Project:       text(0x30, 32),
		Time:          text(0x50, 16),
		Date:          text(0x60, 16),
		IDFVersion:    text(0x70, 32),
		ELFSHA256:     [32]byte(b[descSHA:]),
		MinBlockRev:   binary.LittleEndian.Uint16(b[0xb0:]),
		MaxBlockRev:   binary.LittleEndian.Uint16(b[0xb2:]),
	}
	if log := b[0xb4]; log > 0 && log < 32 {
		d.PageSize = 1 << log
	}
	return d
}

// newDescriptor makes the descriptor of a program that has none: of any eFuse
// block revision, not named. sha is the ELF's SHA-256.
func newDescriptor(sha [32]byte) []byte {
	b := make([]byte, descSize)
	binary.LittleEndian.PutUint32(b, descMagic)
	copy(b[descSHA:], sha[:])
	binary.LittleEndian.PutUint16(b[0xb2:], 0xffff)
	b[0xb4] = pageLog
	return b
}
