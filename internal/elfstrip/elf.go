package elfstrip

import (
	"bytes"
	"cmp"
	"debug/elf"
	"encoding/binary"
	"io"
	"slices"
	"strings"
)

const (
	elfMagic = "\x7fELF"

	headerSize  = 64 // of ELF64, gABI figure 4-3
	sectionSize = 64 // figure 4-8
	segmentSize = 56 // figure 5-1

	maxSections  = 1 << 20
	maxSegments  = 1 << 12
	maxNames     = 64 << 20
	maxAlignment = 1 << 16
)

// stripELF empties the debug sections of an ELF file at src, of which size
// bytes belong to it. Their headers stay, with a size of 0, so that no number
// of a section changes: symbols, relocations and groups refer to sections by
// number. In a linked file the symbol table for debuggers is emptied, too; the
// dynamic one is part of a segment and stays.
//
// Everything up to the end of the last segment keeps its place.
func stripELF(src io.ReaderAt, size int64) (file, bool) {
	var h elf.Header64
	if size < headerSize || !read(src, 0, &h) {
		return file{}, false
	}
	if elf.Class(h.Ident[elf.EI_CLASS]) != elf.ELFCLASS64 || elf.Data(h.Ident[elf.EI_DATA]) != elf.ELFDATA2LSB ||
		h.Ehsize != headerSize || h.Shentsize != sectionSize || h.Shoff > uint64(size)-sectionSize {
		return file{}, false
	}
	linked := elf.Type(h.Type) == elf.ET_EXEC || elf.Type(h.Type) == elf.ET_DYN
	if !linked && elf.Type(h.Type) != elf.ET_REL {
		return file{}, false
	}
	sections, names, ok := readSections(src, size, h)
	if !ok {
		return file{}, false
	}
	fixed, ok := fixedEnd(src, size, h)
	if !ok {
		return file{}, false
	}
	drop := make([]bool, len(sections))
	found := false
	for i, s := range sections {
		drop[i] = int64(s.Off) >= fixed && s.Flags&uint64(elf.SHF_ALLOC) == 0 && s.Size > 0 && isDebug(nameOf(names, s.Name), linked)
		found = found || drop[i]
	}
	if !found {
		return file{}, false
	}

	var order []int // of the sections that move, as they are in the file
	for i, s := range sections {
		if !drop[i] && elf.SectionType(s.Type) != elf.SHT_NOBITS && elf.SectionType(s.Type) != elf.SHT_NULL && s.Size > 0 && int64(s.Off) >= fixed {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(sections[a].Off, sections[b].Off) })

	var out file
	out.copy(headerSize, fixed-headerSize) // the header comes last, when the table's offset is known
	out.size += headerSize
	for _, i := range order {
		s := &sections[i]
		out.align(int64(max(s.Addralign, 1)))
		at := out.size
		out.copy(int64(s.Off), int64(s.Size))
		s.Off = uint64(at)
	}
	out.align(8)
	h.Shoff = uint64(out.size)
	for i := range sections {
		if drop[i] {
			sections[i].Off, sections[i].Size = 0, 0
			// A compressed section without the header of its compression is damaged.
			sections[i].Flags &^= uint64(elf.SHF_COMPRESSED)
			if elf.SectionType(sections[i].Type) == elf.SHT_SYMTAB {
				sections[i].Info = 0 // number of local symbols
			}
		}
	}
	out.write(encode(sections))
	out.parts = append([]part{{data: encode(h)}}, out.parts...)
	return out, true
}

// readSections reads the section headers and the names of sections.
func readSections(src io.ReaderAt, size int64, h elf.Header64) (sections []elf.Section64, names []byte, ok bool) {
	n := int64(h.Shnum)
	if n == 0 { // more than 65279: the number is in the first header
		var first elf.Section64
		if !read(src, int64(h.Shoff), &first) || first.Size > maxSections {
			return nil, nil, false
		}
		n = int64(first.Size)
	}
	if n == 0 || n > maxSections || n*sectionSize > size-int64(h.Shoff) {
		return nil, nil, false
	}
	sections = make([]elf.Section64, n)
	if !read(src, int64(h.Shoff), sections) {
		return nil, nil, false
	}
	strndx := int64(h.Shstrndx)
	if strndx == int64(elf.SHN_XINDEX) {
		strndx = int64(sections[0].Link)
	}
	if strndx >= n {
		return nil, nil, false
	}
	var sum uint64
	for i, s := range sections {
		if i == 0 || elf.SectionType(s.Type) == elf.SHT_NOBITS || elf.SectionType(s.Type) == elf.SHT_NULL {
			continue
		}
		sum += s.Size // cannot overflow: each is at most size, and there are at most 2^20
		if s.Off > uint64(size) || s.Size > uint64(size)-s.Off || s.Addralign > maxAlignment || s.Addralign&(s.Addralign-1) != 0 {
			return nil, nil, false
		}
	}
	if sum > uint64(size) { // sections overlap
		return nil, nil, false
	}
	table := sections[strndx]
	if elf.SectionType(table.Type) != elf.SHT_STRTAB || table.Size > maxNames {
		return nil, nil, false
	}
	names = make([]byte, table.Size)
	if !read(src, int64(table.Off), names) {
		return nil, nil, false
	}
	return sections, names, true
}

// fixedEnd returns the end of what must not move: header, program headers and
// segments.
func fixedEnd(src io.ReaderAt, size int64, h elf.Header64) (int64, bool) {
	end := uint64(headerSize)
	if h.Phnum == 0 {
		return int64(end), true
	}
	table := uint64(h.Phnum) * segmentSize
	if h.Phentsize != segmentSize || h.Phnum > maxSegments || h.Phoff > uint64(size) || table > uint64(size)-h.Phoff {
		return 0, false
	}
	end = max(end, h.Phoff+table)
	segments := make([]elf.Prog64, h.Phnum)
	if !read(src, int64(h.Phoff), segments) {
		return 0, false
	}
	for _, p := range segments {
		if p.Off > uint64(size) || p.Filesz > uint64(size)-p.Off {
			return 0, false
		}
		end = max(end, p.Off+p.Filesz)
	}
	return int64(end), true
}

// isDebug reports whether only debuggers read a section. In a linked file these
// are also the symbols that the dynamic linker does not use.
func isDebug(name string, linked bool) bool {
	for _, prefix := range []string{".debug_", ".zdebug_", ".rela.debug_", ".rel.debug_", ".gdb_index"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return linked && (name == ".symtab" || name == ".strtab" || name == ".symtab_shndx")
}

func nameOf(names []byte, at uint32) string {
	if uint64(at) >= uint64(len(names)) {
		return ""
	}
	name, _, _ := bytes.Cut(names[at:], []byte{0})
	return string(name)
}

// read reads a value of fixed size.
func read(src io.ReaderAt, at int64, v any) bool {
	return binary.Read(io.NewSectionReader(src, at, int64(binary.Size(v))), binary.LittleEndian, v) == nil
}

func encode(v any) []byte {
	b, err := binary.Append(nil, binary.LittleEndian, v)
	if err != nil {
		panic("elfstrip: " + err.Error()) // values of fixed size are always encoded
	}
	return b
}
