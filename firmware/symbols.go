package firmware

import (
	"debug/elf"
	"encoding/binary"
	"sort"
	"strings"
)

// symbolTable is the ELF's own table, read once.
type symbolTable struct {
	all    []Symbol         // by address
	funcs  []Symbol         // named code, by address
	spans  []span           // which of funcs an address belongs to; spans do not overlap
	byName map[string]int32 // linker name to index in all
	abs    map[uint32]int32 // address of an absolute symbol in code, to index in all
}

// span says that [start, end) belongs to item.
type span struct {
	start uint32
	end   uint64
	item  int32
}

func (e *ELF) table() *symbolTable {
	e.symbolsOnce.Do(func() { e.symbols = e.readSymbols() })
	return &e.symbols
}

// symtab returns the first symbol table that can be read and its string table,
// nothing when there is none.
func (e *ELF) symtab() (data []byte, names string) {
	for i := range e.sections {
		s := &e.sections[i]
		if s.typ != elf.SHT_SYMTAB || int(s.link) >= len(e.sections) {
			continue
		}
		data, err := e.data(s)
		if err != nil {
			continue
		}
		names, err := e.data(&e.sections[s.link])
		if err != nil {
			continue
		}
		return data, string(names)
	}
	return nil, ""
}

// readSymbols reads .symtab (System V ABI, chapter 4). A damaged table gives
// the symbols before the damage: names are a convenience, never a reason to
// refuse a file.
func (e *ELF) readSymbols() symbolTable {
	var t symbolTable
	t.all = parseSymbols(e.symtab())
	sort.SliceStable(t.all, func(i, j int) bool { return t.all[i].Addr < t.all[j].Addr })
	t.byName = make(map[string]int32, len(t.all))
	t.abs = make(map[uint32]int32)
	for i := range t.all {
		s := &t.all[i]
		if j, dup := t.byName[s.Linker]; !dup || s.Global && !t.all[j].Global {
			t.byName[s.Linker] = int32(i)
		}
		if s.Abs {
			if s.Addr >= 0x1000 { // below are constants of linker scripts
				t.abs[s.Addr] = int32(i)
			}
			continue
		}
		if e.Executable(s.Addr) {
			t.funcs = append(t.funcs, *s)
		}
	}
	t.funcs = preferFuncs(t.funcs)
	for i := range t.funcs {
		t.funcs[i].Name = Demangle(t.funcs[i].Linker)
	}
	t.spans = e.functionSpans(t.funcs)
	return t
}

// parseSymbols decodes Elf32_Sym entries, leaving out sections, files and
// the mapping symbols of the RISC-V psABI ($x, $d).
func parseSymbols(data []byte, names string) []Symbol {
	le := binary.LittleEndian
	var out []Symbol
	for ; len(data) >= 16; data = data[16:] {
		info, shndx := data[12], elf.SectionIndex(le.Uint16(data[14:]))
		switch elf.ST_TYPE(info) {
		case elf.STT_NOTYPE, elf.STT_FUNC, elf.STT_OBJECT:
		default:
			continue
		}
		if shndx == elf.SHN_UNDEF || shndx == elf.SHN_COMMON {
			continue
		}
		name := cString(names, le.Uint32(data))
		if name == "" || name[0] == '$' || strings.HasPrefix(name, ".L") {
			continue
		}
		out = append(out, Symbol{
			Name: name, Linker: name,
			Addr: le.Uint32(data[4:]), Size: le.Uint32(data[8:]),
			Func:   elf.ST_TYPE(info) == elf.STT_FUNC,
			Global: elf.ST_BIND(info) != elf.STB_LOCAL,
			Abs:    shndx == elf.SHN_ABS,

			section: uint16(shndx),
		})
	}
	return out
}

// preferFuncs keeps one symbol per address: a function before a label, a
// sized one before an unsized, a global one before a local, then the first.
// Data objects that were placed in code are dropped when they have company.
func preferFuncs(in []Symbol) []Symbol {
	rank := func(s *Symbol) (r int) {
		if s.Func {
			r += 4
		}
		if s.Size > 0 {
			r += 2
		}
		if s.Global {
			r++
		}
		return r
	}
	out := in[:0]
	for _, s := range in {
		if n := len(out); n > 0 && out[n-1].Addr == s.Addr {
			if rank(&s) > rank(&out[n-1]) {
				out[n-1] = s
			}
			continue
		}
		out = append(out, s)
	}
	return out
}

// functionSpans gives every code address its function. A symbol with a size
// covers that; one without (assembly) reaches to the next symbol or the end of
// its range, but never into the inside of a sized function.
func (e *ELF) functionSpans(funcs []Symbol) []span {
	in := make([]layer, 0, len(funcs))
	for i := range funcs {
		s := &funcs[i]
		l := layer{start: s.Addr, item: int32(i)}
		limit := e.rangeEnd(s.Addr)
		if s.Size > 0 {
			l.end, l.depth = min(uint64(s.Addr)+uint64(s.Size), limit), 1
		} else {
			l.end = limit
			if i+1 < len(funcs) {
				l.end = min(l.end, uint64(funcs[i+1].Addr))
			}
		}
		in = append(in, l)
	}
	return flatten(in)
}

// Functions returns all named code, by address, one symbol per address. The
// caller must not change the slice.
func (e *ELF) Functions() []Symbol { return e.table().funcs }

// Lookup finds a symbol by its name as the linker knows it or, failing that,
// a function by its demangled name. It serves linker-script symbols
// (_stack_start) and ROM functions too.
func (e *ELF) Lookup(name string) (Symbol, bool) {
	t := e.table()
	if i, ok := t.byName[name]; ok {
		s := t.all[i]
		s.Name = Demangle(s.Linker)
		return s, true
	}
	for i := range t.funcs {
		if t.funcs[i].Name == name {
			return t.funcs[i], true
		}
	}
	return Symbol{}, false
}

// SymbolAt returns the function that contains addr and how far into it addr
// lies, from the symbol table alone. Addresses that a linker script gave a
// name (ROM functions) are found only exactly.
func (e *ELF) SymbolAt(addr uint32) (s Symbol, offset uint32, ok bool) {
	t := e.table()
	if i := findSpan(t.spans, addr); i >= 0 {
		s = t.funcs[t.spans[i].item]
		return s, addr - s.Addr, true
	}
	if i, ok := t.abs[addr]; ok {
		return t.all[i], 0, true
	}
	return Symbol{}, 0, false
}
