package firmware

import (
	"debug/elf"
	"encoding/binary"
	"sort"
	"strings"
)

// Placed is a symbol that covers bytes of a section. In contrast to Symbol it
// may be local to an object file: the compiler's names for constants
// (.Lanon…), tables (.LJTI…) and section anchors (.LANCHOR…) are kept.
type Placed struct {
	Linker string // as the linker knows it
	Addr   uint32
	Size   uint32 // 0 if the table does not say
	Func   bool
	Global bool
	File   string // the STT_FILE symbol before it, "" for globals; an object without one takes its predecessor's
}

// Extent is a run of bytes of one section with one owner. Symbol is -1 for
// bytes that no symbol covers. Function is the innermost function at these
// bytes by the debug information, inlined ones included.
type Extent struct {
	Section  int // index in Layout.Sections
	Start    uint32
	End      uint64
	Symbol   int // index in Layout.Symbols
	Function int // index in Layout.Functions, -1 without debug information
}

// Instance names a function as the debug information knows it.
type Instance struct {
	Linker  string // mangled, "" if unknown
	Display string
	Path    string // of the source file that most of its lines are in, as the compiler wrote it
}

// Layout divides the memory of a firmware: every byte of every section that
// Sections lists is in exactly one extent.
type Layout struct {
	Sections  []Section
	Symbols   []Placed
	Functions []Instance
	Extents   []Extent // by section, then by address
}

// Layout computes the extents. Where symbols overlap, the one that starts
// later wins, a sized one before one without a size. A symbol without a size
// reaches to the next symbol of its section.
func (e *ELF) Layout() Layout {
	var l Layout
	l.Sections = e.Sections()
	symbols, section := e.placed()
	l.Symbols = symbols
	x := e.addresses()
	l.Functions = e.instances(x)
	index := map[[2]uint32]int{}
	for i := range e.sections {
		s := &e.sections[i]
		index[[2]uint32{s.addr, s.size}] = i
	}
	bySection := map[int][]int32{}
	for i := range symbols {
		bySection[int(section[i])] = append(bySection[int(section[i])], int32(i))
	}
	for n, s := range l.Sections {
		l.Extents = e.extents(l.Extents, n, s, symbols, bySection[index[[2]uint32{s.Addr, s.Size}]], x)
	}
	return l
}

// placed reads the symbol table once more, with local names; section[i] is the
// section of symbol i.
func (e *ELF) placed() (out []Placed, section []uint16) {
	le := binary.LittleEndian
	data, names := e.symtab()
	file := ""
	for ; len(data) >= 16; data = data[16:] {
		info, shndx := data[12], le.Uint16(data[14:])
		typ, local := elf.ST_TYPE(info), elf.ST_BIND(info) == elf.STB_LOCAL
		if typ == elf.STT_FILE {
			file = cString(names, le.Uint32(data))
			continue
		}
		if int(shndx) >= len(e.sections) || e.sections[shndx].flags&elf.SHF_ALLOC == 0 {
			continue
		}
		if typ != elf.STT_NOTYPE && typ != elf.STT_FUNC && typ != elf.STT_OBJECT {
			continue
		}
		p := Placed{Addr: le.Uint32(data[4:]), Size: le.Uint32(data[8:]), Func: typ == elf.STT_FUNC, Global: !local}
		p.Linker = cString(names, le.Uint32(data))
		if p.Linker == "" || p.Linker[0] == '$' || p.Size == 0 && !coversWithoutSize(p.Linker, e.sections[shndx].flags) {
			continue
		}
		if local {
			p.File = file
		}
		out, section = append(out, p), append(section, shndx)
	}
	return out, section
}

// coversWithoutSize reports whether a symbol without a size owns what follows
// it. Labels inside functions and of debug information do not, nor do the
// bounds of sections that linker scripts define.
func coversWithoutSize(name string, flags elf.SectionFlag) bool {
	if strings.HasPrefix(name, ".L") {
		return strings.HasPrefix(name, ".LJTI") || strings.HasPrefix(name, ".LCPI") || strings.HasPrefix(name, ".Lswitch")
	}
	// An assembly routine has a plain name; a linker script's names begin with
	// an underscore by convention.
	return flags&elf.SHF_EXECINSTR != 0 || !strings.HasPrefix(name, "_")
}

func (e *ELF) extents(out []Extent, n int, s Section, symbols []Placed, own []int32, x *addressIndex) []Extent {
	end := uint64(s.Addr) + uint64(s.Size)
	sort.SliceStable(own, func(i, j int) bool { return symbols[own[i]].Addr < symbols[own[j]].Addr })
	layers := make([]layer, 0, len(own))
	following := end // address of the next symbol that is not at the same address
	for i := len(own) - 1; i >= 0; i-- {
		p := &symbols[own[i]]
		if i+1 < len(own) && symbols[own[i+1]].Addr > p.Addr {
			following = min(end, uint64(symbols[own[i+1]].Addr))
		}
		if uint64(p.Addr) < uint64(s.Addr) || uint64(p.Addr) >= end {
			continue
		}
		// Of two symbols for the same bytes the later one of the table wins:
		// globals come after locals.
		l := layer{start: p.Addr, end: min(uint64(p.Addr)+uint64(p.Size), end), item: own[i], depth: 1}
		if p.Size == 0 {
			l.end, l.depth = following, 0
		}
		layers = append(layers, l)
	}
	spans := flatten(layers)
	// Walk symbol spans and places together; each step emits up to the nearest
	// change of either.
	pi := 0
	if s.Exec {
		pi = sort.Search(len(x.places), func(i int) bool { return x.places[i].addr > s.Addr }) - 1
	}
	si := 0
	for pos := uint64(s.Addr); pos < end; {
		next, symbol, fn := end, -1, -1
		for si < len(spans) && spans[si].end <= pos {
			si++
		}
		if si < len(spans) {
			if uint64(spans[si].start) <= pos {
				symbol, next = int(spans[si].item), min(next, spans[si].end)
			} else {
				next = min(next, uint64(spans[si].start))
			}
		}
		if s.Exec && len(x.places) > 0 {
			for pi+1 < len(x.places) && uint64(x.places[pi+1].addr) <= pos {
				pi++
			}
			if pi >= 0 && x.places[pi].node >= 0 {
				fn = int(x.nodes[x.places[pi].node].name)
			}
			if pi+1 < len(x.places) {
				next = min(next, uint64(x.places[pi+1].addr))
			}
		}
		if k := len(out); k > 0 && out[k-1].Section == n && out[k-1].Symbol == symbol && out[k-1].Function == fn {
			out[k-1].End = next
		} else {
			out = append(out, Extent{n, uint32(pos), next, symbol, fn})
		}
		pos = next
	}
	return out
}

// instances names every function of the index; the path is the one with most
// rows of the line table.
func (e *ELF) instances(x *addressIndex) []Instance {
	out := make([]Instance, len(x.names))
	for i, n := range x.names {
		out[i] = Instance{Linker: n.linker, Display: n.display}
	}
	type key struct{ name, file int32 }
	rows := map[key]int{}
	best := make([]int, len(out))
	for _, p := range x.places {
		if p.node < 0 || p.file < 0 {
			continue
		}
		k := key{x.nodes[p.node].name, p.file}
		rows[k]++
		if rows[k] > best[k.name] {
			best[k.name], out[k.name].Path = rows[k], x.paths[p.file]
		}
	}
	return out
}
