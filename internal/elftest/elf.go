// Package elftest writes small ELF files for tests: as many sections at as
// many addresses as a case needs, with the header fields that a case wants
// wrong. Only tests import it.
package elftest

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
)

// Section is one section of a File.
type Section struct {
	Name  string
	Addr  uint32
	Data  []byte
	Type  elf.SectionType // SHT_PROGBITS when zero
	Flags elf.SectionFlag
	Load  uint32 // physical address of its program header; 0 is Addr, unless Zero is set
	Zero  bool
	Size  uint32 // for SHT_NOBITS
}

// Symbol is one symbol of a File.
type Symbol struct {
	Name    string
	Section string
	Value   uint32
	Size    uint32
}

// File is a 32-bit little-endian ELF. The zero Machine is RISC-V, the zero
// Type an executable.
type File struct {
	Entry    uint32
	Machine  elf.Machine
	Type     elf.Type
	Flags    uint32 // e_flags
	Big      bool   // big endian
	Sections []Section
	Symbols  []Symbol
}

// Alloc are the flags of a section that is loaded.
const Alloc = elf.SHF_ALLOC

// Bytes encodes the file: ELF header, program headers (one for each loaded
// section), section data, symbol table, strings, section headers.
func (f File) Bytes() []byte {
	var order binary.ByteOrder = binary.LittleEndian
	data := elf.ELFDATA2LSB
	if f.Big {
		order, data = binary.BigEndian, elf.ELFDATA2MSB
	}
	machine, typ := f.Machine, f.Type
	if machine == 0 {
		machine = elf.EM_RISCV
	}
	if typ == 0 {
		typ = elf.ET_EXEC
	}

	strtab := []byte{0}
	intern := func(s string) uint32 {
		if s == "" {
			return 0
		}
		off := uint32(len(strtab))
		strtab = append(append(strtab, s...), 0)
		return off
	}
	var progs []elf.Prog32
	headers := []elf.Section32{{}}
	var body bytes.Buffer
	index := map[string]uint16{}
	loaded := 0
	for _, s := range f.Sections {
		if s.Flags&elf.SHF_ALLOC != 0 && s.Addr != 0 {
			loaded++
		}
	}
	base := uint32(52 + 32*loaded)
	place := func(b []byte) uint32 {
		for body.Len()%4 != 0 {
			body.WriteByte(0)
		}
		off := base + uint32(body.Len())
		body.Write(b)
		return off
	}
	for _, s := range f.Sections {
		st := s.Type
		if st == 0 {
			st = elf.SHT_PROGBITS
		}
		size := uint32(len(s.Data))
		if st == elf.SHT_NOBITS {
			size = s.Size
		}
		off := place(s.Data)
		index[s.Name] = uint16(len(headers))
		headers = append(headers, elf.Section32{Name: intern(s.Name), Type: uint32(st), Flags: uint32(s.Flags), Addr: s.Addr, Off: off, Size: size, Addralign: 4})
		if s.Flags&elf.SHF_ALLOC != 0 && s.Addr != 0 {
			load := s.Load
			if load == 0 && !s.Zero {
				load = s.Addr
			}
			progs = append(progs, elf.Prog32{Type: uint32(elf.PT_LOAD), Off: off, Vaddr: s.Addr, Paddr: load, Filesz: uint32(len(s.Data)), Memsz: size, Flags: 7, Align: 4})
		}
	}
	if len(f.Symbols) > 0 {
		var syms bytes.Buffer
		binary.Write(&syms, order, elf.Sym32{})
		for _, s := range f.Symbols {
			shndx, ok := index[s.Section]
			if !ok {
				shndx = uint16(elf.SHN_ABS)
			}
			binary.Write(&syms, order, elf.Sym32{Name: intern(s.Name), Value: s.Value, Size: s.Size, Info: 1<<4 | 1, Shndx: shndx})
		}
		off := place(syms.Bytes())
		headers = append(headers, elf.Section32{Name: intern(".symtab"), Type: uint32(elf.SHT_SYMTAB), Off: off, Size: uint32(syms.Len()), Link: uint32(len(headers) + 1), Info: 1, Addralign: 4, Entsize: 16})
	}
	strName := intern(".strtab")
	headers = append(headers, elf.Section32{Name: strName, Type: uint32(elf.SHT_STRTAB), Off: place(strtab), Size: uint32(len(strtab)), Addralign: 1})
	for body.Len()%4 != 0 {
		body.WriteByte(0)
	}

	h := elf.Header32{
		Type: uint16(typ), Machine: uint16(machine), Version: 1, Entry: f.Entry, Flags: f.Flags,
		Phoff: 52, Shoff: base + uint32(body.Len()), Ehsize: 52, Phentsize: 32, Phnum: uint16(len(progs)),
		Shentsize: 40, Shnum: uint16(len(headers)), Shstrndx: uint16(len(headers) - 1),
	}
	copy(h.Ident[:], elf.ELFMAG)
	h.Ident[elf.EI_CLASS], h.Ident[elf.EI_DATA], h.Ident[elf.EI_VERSION] = byte(elf.ELFCLASS32), byte(data), 1
	var out bytes.Buffer
	for _, v := range []any{h, progs} {
		binary.Write(&out, order, v)
	}
	out.Write(body.Bytes())
	binary.Write(&out, order, headers)
	return out.Bytes()
}

// Descriptor returns the 256 bytes of an application descriptor.
func Descriptor(project, version string) []byte {
	d := make([]byte, 256)
	binary.LittleEndian.PutUint32(d, 0xabcd5432)
	copy(d[0x10:0x2f], version)
	copy(d[0x30:0x4f], project)
	copy(d[0x50:], "00:00:00")
	copy(d[0x60:], "2026-01-01")
	copy(d[0x70:], "5.5.1")
	binary.LittleEndian.PutUint16(d[0xb2:], 0xffff)
	d[0xb4] = 16
	return d
}

// Fill returns n bytes that depend on seed and hardly repeat.
func Fill(n int, seed uint32) []byte {
	b := make([]byte, n)
	x := seed*2654435761 + 1
	for i := range b {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		b[i] = byte(x)
	}
	return b
}

// Hello returns an ELF shaped like a small esp-hal program for the ESP32-C3:
// descriptor, rodata, text, RAM code, data, bss, metadata. Its code does
// nothing.
func Hello() File {
	return File{
		Entry: 0x4201_0020,
		Sections: []Section{
			{Name: ".trap", Addr: 0x4038_0000, Data: Fill(0x300, 1), Flags: Alloc | elf.SHF_EXECINSTR},
			{Name: ".rwtext", Addr: 0x4038_0300, Data: Fill(0x124, 2), Flags: Alloc | elf.SHF_EXECINSTR},
			{Name: ".data", Addr: 0x3fc8_0424, Data: Fill(0x5a, 3), Flags: Alloc | elf.SHF_WRITE},
			{Name: ".bss", Addr: 0x3fc8_0480, Type: elf.SHT_NOBITS, Size: 0x200, Flags: Alloc | elf.SHF_WRITE},
			{Name: ".flash.appdesc", Addr: 0x3c00_0020, Data: Descriptor("hello", "0.1.0"), Flags: Alloc},
			{Name: ".rodata", Addr: 0x3c00_0120, Data: Fill(0x8f1, 4), Flags: Alloc},
			{Name: ".text", Addr: 0x4201_0020, Data: Fill(0x2345, 5), Flags: Alloc | elf.SHF_EXECINSTR},
			{Name: ".espressif.metadata", Data: []byte("esp32c30")},
			{Name: ".comment", Data: Fill(0x40, 6)},
		},
		Symbols: []Symbol{
			{Name: "build_info.CHIP_NAME", Section: ".espressif.metadata", Value: 0, Size: 7},
			{Name: "build_info.MIN_CHIP_REVISION", Section: ".espressif.metadata", Value: 7, Size: 1},
			{Name: "main", Section: ".text", Value: 0x4201_0020, Size: 0x20},
		},
	}
}
