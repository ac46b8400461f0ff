package image

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"slices"

	"espalier.dev/espalier/esp/chip"
)

// directMagic is twice at the start of a flash from which the mask ROM boots
// directly: it maps the flash from its start at the addresses of DROM and IROM
// and jumps to byte 8, without a second stage (ESP-IDF, esp32c3-direct-boot).
// esp32c3-hal had a feature direct-boot for such programs, and espflash up to
// 2.1 a format.
const directMagic = 0xaedb041d

// largestFlash is the largest flash chip, in bytes.
const largestFlash = 16 << 20

// directBoot returns the content of flash of a program that is linked for direct
// boot, nil for others. The load address of a section is its offset in flash;
// the program itself copies what runs in RAM. Errors are *ChipError,
// *FormatError and *OverlapError.
func directBoot(b []byte, f *elf.File) ([]byte, error) {
	c := chip.ESP32C3()
	var list []piece
	for _, s := range f.Sections {
		at, ok := flashOffset(f, s)
		if !ok || s.Size == 0 || s.Type != elf.SHT_PROGBITS && s.Type != elf.SHT_INIT_ARRAY {
			continue
		}
		data, ok := sectionBytes(b, s)
		if !ok {
			continue // FromELF reports the damage
		}
		list = append(list, piece{addr: at, data: data, sections: []section{{s.Name, uint32(s.Addr), len(data)}}})
	}
	var magic [8]byte
	binary.LittleEndian.PutUint32(magic[:], directMagic)
	binary.LittleEndian.PutUint32(magic[4:], directMagic)
	if !slices.ContainsFunc(list, func(p piece) bool { return p.addr == 0 && bytes.HasPrefix(p.data, magic[:]) }) {
		return nil, nil
	}
	for _, p := range list {
		s := p.sections[0]
		if _, r, ok := c.Region(s.addr); !ok || !r.Holds(s.addr, len(p.data)) {
			return nil, placeError(s.name, s.addr)
		}
	}
	joined, err := join(list, func(piece, piece) bool { return true })
	if err != nil {
		return nil, err
	}
	return joined[0].data, nil
}

// flashOffset is where a section with content is in the flash of a program for
// direct boot; false for one that has no load address there.
func flashOffset(f *elf.File, s *elf.Section) (uint32, bool) {
	for _, h := range f.Progs {
		if h.Type != elf.PT_LOAD || s.Flags&elf.SHF_ALLOC == 0 || s.Addr < h.Vaddr || s.Addr >= h.Vaddr+h.Filesz {
			continue
		}
		at := h.Paddr + (s.Addr - h.Vaddr)
		return uint32(at), at+s.Size <= largestFlash
	}
	return 0, false
}
