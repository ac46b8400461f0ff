package image

import (
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"espalier.dev/espalier/esp/chip"
)

// program is what an image needs of an ELF.
type program struct {
	entry    uint32
	flash    []piece // one for DROM and one for IROM, as far as there are any; lengths are multiples of 4
	ram      []piece // sorted by address, neighbours joined, lengths are multiples of 4
	descAddr uint32  // of section .flash.appdesc; 0 without one
	hasDesc  bool    // a descriptor exists, possibly an older kind
	espHal   bool    // the program has the metadata of esp-hal, as of 1.0.0-beta.1
	minRev   uint16  // from the metadata, 0 when it has none
	sha      [32]byte
}

// addsDesc reports whether the image gets a descriptor of its own: the program
// has none and is of before esp-hal asked for one, when bootloaders did not read
// it. espflash 3 and earlier flashed such programs; today's bootloader would
// take constants for the eFuse block revision that the program needs.
func (p *program) addsDesc() bool { return !p.hasDesc && !p.espHal }

// CheckELF reports whether the ESP32-C3 could run b, without making an image:
// an ELF, 32 bits, little endian, RISC-V without hardware floating point,
// linked, and for this chip. Errors are *FormatError, *ArchError, *ChipError.
func CheckELF(b []byte) error {
	_, f, err := openELF(b)
	if err != nil {
		return err
	}
	if direct, err := directBoot(b, f); direct != nil || err != nil {
		return err
	}
	_, err = collect(b, f)
	return err
}

// openELF parses b and refuses foreign architectures.
func openELF(b []byte) (metadata, *elf.File, error) {
	if len(b) < 4 || string(b[:4]) != elf.ELFMAG {
		return nil, nil, &FormatError{0, "not an ELF file"}
	}
	f, err := elf.NewFile(bytes.NewReader(b))
	if err != nil {
		return nil, nil, &FormatError{0, "damaged ELF file: " + err.Error()}
	}
	if err := checkArch(b, f); err != nil {
		return nil, nil, err
	}
	meta := readMetadata(b, f)
	if name := meta["build_info.CHIP_NAME"]; name != "" && name != chip.ESP32C3().Name {
		return nil, nil, &ChipError{Found: name, Evidence: "so says its build information"}
	}
	return meta, f, nil
}

func checkArch(b []byte, f *elf.File) error {
	machine := machineName(f.Machine)
	switch {
	case f.Machine == elf.EM_XTENSA:
		return &ArchError{Found: "an ELF for Xtensa (ESP32, ESP32-S2 or ESP32-S3)", Hint: "build with --target riscv32imc-unknown-none-elf"}
	case f.Machine != elf.EM_RISCV:
		hint := ""
		if f.Machine == elf.EM_X86_64 || f.Machine == elf.EM_AARCH64 || f.Machine == elf.EM_386 {
			hint = "this looks like a program for the host: was .cargo/config.toml with its build.target in effect?"
		}
		return &ArchError{Found: "an ELF for " + machine, Hint: hint}
	case f.Class != elf.ELFCLASS32:
		return &ArchError{Found: "a 64-bit ELF for " + machine, Hint: "build with --target riscv32imc-unknown-none-elf"}
	case f.Data != elf.ELFDATA2LSB:
		return &ArchError{Found: "a big-endian ELF for " + machine}
	case f.Type == elf.ET_REL:
		return &FormatError{0, "an object file, not a linked program"}
	case f.Type == elf.ET_CORE:
		return &FormatError{0, "a core dump, not a program"}
	}
	// e_flags bits 1-2 are the floating-point calling convention (RISC-V ELF
	// psABI, "File header"); debug/elf does not show them.
	if flags := binary.LittleEndian.Uint32(b[36:]); flags&6 != 0 {
		return &ArchError{Found: "an ELF that passes floating point in registers", Hint: "the ESP32-C3 has none: build with --target riscv32imc-unknown-none-elf"}
	}
	return nil
}

func machineName(m elf.Machine) string {
	switch m {
	case elf.EM_ARM:
		return "ARM"
	case elf.EM_AARCH64:
		return "64-bit ARM"
	case elf.EM_386:
		return "x86"
	case elf.EM_X86_64:
		return "x86-64"
	case elf.EM_RISCV:
		return "RISC-V"
	case elf.EM_AVR:
		return "AVR"
	}
	return strings.TrimPrefix(m.String(), "EM_")
}

// metadata is the strings that esp-hal leaves in .espressif.metadata, one
// symbol each, such as build_info.CHIP_NAME.
type metadata map[string]string

const metadataSection = ".espressif.metadata"

func readMetadata(b []byte, f *elf.File) metadata {
	index := -1
	for i, s := range f.Sections {
		if s.Name == metadataSection {
			index = i
		}
	}
	if index < 0 {
		return nil
	}
	data, ok := sectionBytes(b, f.Sections[index])
	if !ok {
		return metadata{}
	}
	out := metadata{}
	base := f.Sections[index].Addr
	symbols, _ := f.Symbols() // a stripped program has none
	for _, sym := range symbols {
		if int(sym.Section) != index || sym.Value < base {
			continue
		}
		start := sym.Value - base
		if start <= uint64(len(data)) && sym.Size <= uint64(len(data))-start {
			out[sym.Name] = string(data[start : start+sym.Size])
		}
	}
	return out
}

// sectionBytes returns a section's bytes in the file.
func sectionBytes(b []byte, s *elf.Section) ([]byte, bool) {
	if s.Type == elf.SHT_NOBITS || s.Offset > uint64(len(b)) || s.FileSize > uint64(len(b))-s.Offset {
		return nil, false
	}
	return b[s.Offset : s.Offset+s.FileSize : s.Offset+s.FileSize], true
}

// readELF takes everything out of b that an image needs.
func readELF(b []byte) (*program, error) {
	meta, f, err := openELF(b)
	if err != nil {
		return nil, err
	}
	p, err := collect(b, f)
	if err != nil {
		return nil, err
	}
	p.espHal = meta != nil
	if v, err := strconv.ParseUint(meta["build_info.MIN_CHIP_REVISION"], 10, 16); err == nil {
		p.minRev = uint16(v)
	}
	p.sha = sha256.Sum256(b)
	if p.flash, err = joinFlash(p.flash); err != nil {
		return nil, err
	}
	if p.ram, err = joinRAM(p.ram); err != nil {
		return nil, err
	}
	if err := checkSRAM(p.ram); err != nil {
		return nil, err
	}
	return p, nil
}

// collect gathers the sections that are loaded. Sections and not program
// headers decide, as in esptool and espflash: the alignment gaps of a program
// header would waste flash.
func collect(b []byte, f *elf.File) (*program, error) {
	c := chip.ESP32C3()
	p := &program{entry: uint32(f.Entry)}
	for _, s := range f.Sections {
		switch s.Name {
		case ".flash.appdesc":
			p.descAddr, p.hasDesc = uint32(s.Addr), true
		case ".rodata_desc":
			p.hasDesc = true
		}
		if s.Type != elf.SHT_PROGBITS && s.Type != elf.SHT_INIT_ARRAY ||
			s.Size == 0 || s.Addr == 0 || s.Offset == 0 || s.Flags == 0 {
			continue
		}
		data, ok := sectionBytes(b, s)
		if !ok {
			return nil, &FormatError{int(min(s.Offset, uint64(len(b)))), fmt.Sprintf("damaged ELF file: section %s ends after the end of the file", s.Name)}
		}
		addr := loadAddress(c, f, uint32(s.Addr))
		_, r, ok := c.Region(addr)
		if !ok || !r.Holds(addr, len(data)) {
			return nil, placeError(s.Name, addr)
		}
		at := piece{addr: addr, data: data, sections: []section{{s.Name, addr, len(data)}}}
		if c.InFlash(addr) {
			p.flash = append(p.flash, at)
		} else {
			p.ram = append(p.ram, at)
		}
	}
	if len(p.flash) == 0 && len(p.ram) == 0 {
		return nil, &FormatError{0, "the ELF file has no section to load"}
	}
	if !p.hasDesc {
		symbols, _ := f.Symbols()
		p.hasDesc = slices.ContainsFunc(symbols, func(s elf.Symbol) bool { return s.Name == "esp_app_desc" })
	}
	return p, nil
}

// loadAddress is where the bootloader must put a section that runs at vaddr. A
// load address in flash does not count: it marks data that the program copies.
func loadAddress(c chip.Chip, f *elf.File, vaddr uint32) uint32 {
	for _, h := range f.Progs {
		if h.Type != elf.PT_LOAD || uint64(vaddr) < h.Vaddr || uint64(vaddr) >= h.Vaddr+h.Memsz {
			continue
		}
		if lma := uint32(h.Paddr) + (vaddr - uint32(h.Vaddr)); !c.InFlash(lma) {
			return lma
		}
		return vaddr
	}
	return vaddr
}
