package image

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"slices"

	"espalier.dev/espalier/esp/chip"
)

// directWord is twice at the start of a flash from which the mask ROM boots
// directly: it maps the flash from its start at the addresses of DROM and IROM
// and jumps to byte 8, without a second stage (ESP-IDF, esp32c3-direct-boot).
// esp32c3-hal had a feature direct-boot for such programs, and espflash up to
// 2.1 a format.
const directWord uint32 = 0xaedb041d

func directMagic() []byte {
	word := binary.LittleEndian.AppendUint32(nil, directWord)
	return append(word, word...)
}

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
	if !slices.ContainsFunc(list, func(p piece) bool { return p.addr == 0 && bytes.HasPrefix(p.data, directMagic()) }) {
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

// FromDirect makes a flash image of the content of a flash for direct boot that
// exists already, such as one that espflash up to 2.1 saved, or a dump of a
// flash. Of in only the flash size matters; without one the flash is as large as a
// dump that has the size of a flash chip, else as large as it must be. Errors are
// *FormatError for other content, *TooLargeError, and *FlashSizeError for what no chip
// holds.
func FromDirect(b []byte, in Inputs) (*Flash, error) {
	if !bytes.HasPrefix(b, directMagic()) {
		return nil, &FormatError{0, fmt.Sprintf("no direct-boot image: it does not begin with 0x%08x twice", directWord)}
	}
	if len(b) > largestFlash {
		return nil, &FlashSizeError{Size: int64(len(b))}
	}
	app := bytes.TrimRight(b, "\xff")
	size := in.Params.FlashSize()
	if in.Params.Size == 0 {
		if slices.Contains(sizes(), uint32(len(b))) {
			size = uint32(len(b))
		}
		for size < uint32(len(app)) && size < largestFlash {
			size *= 2
		}
	}
	if len(app) > int(size) {
		return nil, &TooLargeError{What: "program", Size: len(app), Place: "the flash", Room: size}
	}
	return &Flash{Parts: []Part{{"app", 0, app}}, Size: size}, nil
}
