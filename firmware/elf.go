package firmware

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sort"
	"sync"

	"espalier.dev/espalier/firmware/defmt"
)

// Limits that keep a damaged or hostile file from taking the machine's memory.
// A firmware with full debug information has some 40 sections of at most a
// few tens of megabytes.
const (
	maxSections    = 1 << 14
	maxSectionSize = 256 << 20
	maxName        = 1 << 16 // longest symbol or debug string
)

// Options tune Open. The zero value is right for an ELF from the sandbox.
type Options struct {
	// Project lists path prefixes below which the sources are the user's
	// own; they are cut from the paths shown. The default is "/src", the
	// project's place in layout 1.
	Project []string
}

// ELF is an opened firmware. It keeps reading from the io.ReaderAt given to
// Open. All methods may be called concurrently if the reader allows it, as
// *os.File and *bytes.Reader do.
type ELF struct {
	r        io.ReaderAt
	opt      Options
	typ      elf.Type
	entry    uint32
	flags    uint32
	sections []section
	segments []segment
	exec     []Range

	symbolsOnce sync.Once
	symbols     symbolTable

	indexOnce sync.Once
	index     *addressIndex

	cfiOnce sync.Once
	cfi     *frameTable

	callsOnce sync.Once
	graph     *callGraph

	defmtOnce sync.Once
	defmt     *defmt.Table
	defmtErr  error
}

// section is a section header; name shares one string table.
type section struct {
	name      string
	typ       elf.SectionType
	flags     elf.SectionFlag
	addr      uint32
	off, size uint32
	link      uint32
	entsize   uint32
}

type segment struct {
	typ              elf.ProgType
	flags            elf.ProgFlag
	off, vaddr       uint32
	filesize, memory uint32
}

// Open reads the headers of a 32-bit little-endian RISC-V executable. Debug
// information is read on first use. A file that is anything else gives a
// *FormatError.
func Open(r io.ReaderAt, opt Options) (*ELF, error) {
	if opt.Project == nil {
		opt.Project = []string{"/src"}
	}
	e := &ELF{r: r, opt: opt}
	if err := e.readHeader(); err != nil {
		return nil, err
	}
	e.findExecutable()
	return e, nil
}

// readHeader reads the ELF header, the section headers and the program
// headers (System V ABI, chapter 4).
func (e *ELF) readHeader() error {
	h := make([]byte, 52)
	n, err := e.r.ReadAt(h, 0)
	if n < len(h) && err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("reading ELF: %w", err)
	}
	if err := checkIdent(h[:n]); err != nil {
		return err
	}
	le := binary.LittleEndian
	e.typ = elf.Type(le.Uint16(h[16:]))
	e.entry = le.Uint32(h[24:])
	phoff, shoff := le.Uint32(h[28:]), le.Uint32(h[32:])
	e.flags = le.Uint32(h[36:])
	phentsize, phnum := le.Uint16(h[42:]), le.Uint16(h[44:])
	shentsize, shnum, shstrndx := le.Uint16(h[46:]), le.Uint16(h[48:]), le.Uint16(h[50:])

	if phnum > 0 {
		if phentsize != 32 {
			return formatError(Malformed, fmt.Sprintf("program headers of %d bytes, want 32", phentsize))
		}
		b, err := e.read(phoff, uint32(phnum)*32, "program headers")
		if err != nil {
			return err
		}
		for ; len(b) >= 32; b = b[32:] {
			e.segments = append(e.segments, segment{
				typ: elf.ProgType(le.Uint32(b)), off: le.Uint32(b[4:]), vaddr: le.Uint32(b[8:]),
				filesize: le.Uint32(b[16:]), memory: le.Uint32(b[20:]), flags: elf.ProgFlag(le.Uint32(b[24:])),
			})
		}
	}
	if shoff == 0 || shnum == 0 {
		return nil // stripped of section headers: legal, but there is nothing to name
	}
	if shentsize != 40 {
		return formatError(Malformed, fmt.Sprintf("section headers of %d bytes, want 40", shentsize))
	}
	if shnum > maxSections {
		return formatError(TooLarge, fmt.Sprintf("%d sections, at most %d are read", shnum, maxSections))
	}
	b, err := e.read(shoff, uint32(shnum)*40, "section headers")
	if err != nil {
		return err
	}
	nameOffsets := make([]uint32, 0, shnum)
	for ; len(b) >= 40; b = b[40:] {
		nameOffsets = append(nameOffsets, le.Uint32(b))
		e.sections = append(e.sections, section{
			typ: elf.SectionType(le.Uint32(b[4:])), flags: elf.SectionFlag(le.Uint32(b[8:])),
			addr: le.Uint32(b[12:]), off: le.Uint32(b[16:]), size: le.Uint32(b[20:]),
			link: le.Uint32(b[24:]), entsize: le.Uint32(b[36:]),
		})
	}
	if int(shstrndx) >= len(e.sections) {
		return formatError(Malformed, "the section name table is not a section")
	}
	names, err := e.data(&e.sections[shstrndx])
	if err != nil {
		return err
	}
	table := string(names)
	for i := range e.sections {
		e.sections[i].name = cString(table, nameOffsets[i])
	}
	return e.checkSizes()
}

// checkIdent explains what a file is if it is not a firmware ELF. h holds up
// to 52 bytes of it.
func checkIdent(h []byte) error {
	if !bytes.HasPrefix(h, []byte(elf.ELFMAG)) {
		switch {
		case len(h) == 0:
			return formatError(NotELF, "the file is empty")
		case h[0] == 0xE9:
			return formatError(NotELF, "this is an ESP flash image, not an ELF file")
		}
		return formatError(NotELF, "this is not an ELF file")
	}
	if len(h) < 20 {
		return formatError(Truncated, "the file ends inside the ELF header")
	}
	machine := elf.Machine(binary.LittleEndian.Uint16(h[18:]))
	if h[elf.EI_DATA] == byte(elf.ELFDATA2MSB) {
		return formatError(WrongClass, "a big-endian ELF; the ESP32-C3 is little-endian")
	}
	if machine != elf.EM_RISCV {
		what := machineName(machine)
		if h[elf.EI_CLASS] == byte(elf.ELFCLASS64) {
			return formatError(WrongMachine, "an ELF for "+what+", not for 32-bit RISC-V",
				"a program for the host is built when no target is set; the project's .cargo/config.toml should say: target = \"riscv32imc-unknown-none-elf\"")
		}
		return formatError(WrongMachine, "an ELF for "+what+", not for RISC-V")
	}
	if h[elf.EI_CLASS] != byte(elf.ELFCLASS32) {
		return formatError(WrongClass, "a 64-bit RISC-V ELF; the ESP32-C3 is 32-bit")
	}
	if len(h) < 52 {
		return formatError(Truncated, "the file ends inside the ELF header")
	}
	switch t := elf.Type(binary.LittleEndian.Uint16(h[16:])); t {
	case elf.ET_EXEC, elf.ET_DYN:
	case elf.ET_REL:
		return formatError(WrongType, "a relocatable object, not a linked program")
	default:
		return formatError(WrongType, fmt.Sprintf("an ELF of type %v, not a program", t))
	}
	return nil
}

func machineName(m elf.Machine) string {
	switch m {
	case elf.EM_XTENSA:
		return "Xtensa (ESP32, ESP32-S2, ESP32-S3)"
	case elf.EM_X86_64:
		return "x86-64"
	case elf.EM_AARCH64:
		return "AArch64"
	case elf.EM_ARM:
		return "ARM"
	case elf.EM_386:
		return "x86"
	}
	return m.String()
}

// checkSizes finds a file that lost its end, before anything relies on it.
func (e *ELF) checkSizes() error {
	var one [1]byte
	for i := range e.sections {
		s := &e.sections[i]
		if s.typ == elf.SHT_NOBITS || s.typ == elf.SHT_NULL || s.size == 0 {
			continue
		}
		end := int64(s.off) + int64(s.size)
		if n, err := e.r.ReadAt(one[:], end-1); n != 1 {
			if err != nil && !errors.Is(err, io.EOF) {
				return fmt.Errorf("reading ELF: %w", err)
			}
			return formatError(Truncated, fmt.Sprintf("section %s ends at byte %d, beyond the end of the file", s.name, end),
				"the file is incomplete; build it again or copy it again")
		}
	}
	return nil
}

// findExecutable collects the ranges that hold code: sections with
// SHF_EXECINSTR, or, without section headers, executable segments.
func (e *ELF) findExecutable() {
	for i := range e.sections {
		s := &e.sections[i]
		if s.flags&elf.SHF_EXECINSTR != 0 && s.flags&elf.SHF_ALLOC != 0 && s.typ == elf.SHT_PROGBITS && s.size > 0 {
			e.exec = append(e.exec, Range{s.addr, uint64(s.addr) + uint64(s.size)})
		}
	}
	if len(e.sections) == 0 {
		for _, p := range e.segments {
			if p.typ == elf.PT_LOAD && p.flags&elf.PF_X != 0 && p.filesize > 0 {
				e.exec = append(e.exec, Range{p.vaddr, uint64(p.vaddr) + uint64(p.filesize)})
			}
		}
	}
	e.exec = mergeRanges(e.exec)
}

// Entry is the address of the first instruction.
func (e *ELF) Entry() uint32 { return e.entry }

// Flags is e_flags (RISC-V psABI: 1 compressed instructions, 6 float ABI).
func (e *ELF) Flags() uint32 { return e.flags }

// ExecutableRanges returns the address ranges that hold code, sorted, without
// overlaps. The caller must not change the slice.
func (e *ELF) ExecutableRanges() []Range { return e.exec }

// Executable reports whether addr lies in code.
func (e *ELF) Executable(addr uint32) bool {
	return uint64(addr) < e.rangeEnd(addr)
}

// rangeEnd is the end of the executable range that holds addr; addr itself if
// none does.
func (e *ELF) rangeEnd(addr uint32) uint64 {
	i := sort.Search(len(e.exec), func(i int) bool { return e.exec[i].Start > addr }) - 1
	if i >= 0 && e.exec[i].Contains(addr) {
		return e.exec[i].End
	}
	return uint64(addr)
}
