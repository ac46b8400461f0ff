package size

import (
	"cmp"
	"path"
	"slices"
	"sort"
	"strings"

	"espalier.dev/espalier/firmware"
)

type kind uint8

const (
	kindCode kind = iota
	kindInlined
	kindData
	kindConstant
	kindOther
)

// piece is a run of bytes with one owner.
type piece struct {
	section    int
	start      uint32
	end        uint64
	symbol, fn int // as in firmware.Extent
	owner      int // index in analysis.owners, -1: not known yet
	kind       kind
	fill       bool // may be padding
}

func (p *piece) size() uint64 { return p.end - uint64(p.start) }

type analysis struct {
	elf    *firmware.ELF
	libs   *Libraries
	layout firmware.Layout
	pieces []piece

	owners   []Owner
	ownerID  map[string]int // by kind and normal name
	fnOwner  []int          // of layout.Functions, -1 unknown
	symOwner []int          // of layout.Symbols, -1 unknown
	data     [][]byte       // of sections with bytes
}

// Analyze attributes every byte of a firmware. libs may be nil.
func Analyze(e *firmware.ELF, libs *Libraries) *Report { return newAnalysis(e, libs).run() }

func newAnalysis(e *firmware.ELF, libs *Libraries) *analysis {
	a := &analysis{elf: e, libs: libs, layout: e.Layout(), ownerID: map[string]int{}}
	for _, s := range a.layout.Sections {
		var b []byte
		if s.Loaded {
			b, _ = e.ReadAddr(s.Addr, int(s.Size))
		}
		a.data = append(a.data, b)
	}
	return a
}

func (a *analysis) run() *Report {
	a.nameFunctions()
	a.nameSymbols()
	a.divide()
	rom := a.follow()
	a.settle()
	return a.report(rom)
}

func normal(name string) string { return strings.ReplaceAll(name, "-", "_") }

func (a *analysis) owner(k Kind, name string) int {
	key := string(k) + " " + normal(name)
	id, ok := a.ownerID[key]
	if !ok {
		id = len(a.owners)
		a.owners = append(a.owners, Owner{Name: name, Kind: k})
		a.ownerID[key] = id
	}
	return id
}

// nameFunctions gives every function of the debug information its owner.
func (a *analysis) nameFunctions() {
	fns := a.layout.Functions
	a.fnOwner = make([]int, len(fns))
	// The directory of a source file tells the crate of functions whose names
	// are not mangled (#[no_mangle]).
	type vote struct{ dir, crate string }
	votes := map[vote]int{}
	for i, f := range fns {
		a.fnOwner[i] = -1
		c := crateOf(f.Linker)
		pkg, version := packageOf(f.Path)
		if c == "__rustc" { // the language's own entry points, such as the panic handler
			c = ""
		}
		if c == "" && pkg == "" {
			continue
		}
		switch {
		case c == "":
			c = pkg
		case SameCrate(c, pkg):
			c = pkg // with the package's own spelling
		}
		id := a.owner(Crate, c)
		if SameCrate(c, pkg) {
			o := &a.owners[id]
			o.Name = c
			if version != "" && !slices.Contains(o.Versions, version) {
				o.Versions = append(o.Versions, version)
			}
		}
		a.fnOwner[i] = id
		if f.Path != "" {
			votes[vote{path.Dir(f.Path), normal(c)}]++
		}
	}
	best := map[string]vote{}
	for v, n := range votes {
		if b, ok := best[v.dir]; !ok || n > votes[b] || n == votes[b] && v.crate < b.crate {
			best[v.dir] = v
		}
	}
	for i, f := range fns {
		if a.fnOwner[i] >= 0 || !strings.HasSuffix(f.Path, ".rs") {
			continue
		}
		for dir := path.Dir(f.Path); dir != "/" && dir != "."; dir = path.Dir(dir) {
			if v, ok := best[dir]; ok {
				a.fnOwner[i] = a.ownerID[string(Crate)+" "+v.crate]
				break
			}
		}
	}
	for i := range a.owners {
		slices.Sort(a.owners[i].Versions)
	}
}

// nameSymbols gives symbols their owner as far as their names tell.
func (a *analysis) nameSymbols() {
	a.symOwner = make([]int, len(a.layout.Symbols))
	debug := map[string]int{}
	for i, f := range a.layout.Functions {
		if f.Linker != "" && a.fnOwner[i] >= 0 {
			debug[f.Linker] = a.fnOwner[i]
		}
	}
	for i := range a.layout.Symbols {
		s := &a.layout.Symbols[i]
		a.symOwner[i] = -1
		name := s.Linker
		if at := strings.Index(name, "._R"); at > 0 && strings.HasPrefix(name, ".L") {
			name = name[at+1:] // .Lswitch.table._R…
		}
		if id, ok := debug[name]; ok {
			a.symOwner[i] = id
		} else if c := crateOf(name); c != "" {
			a.symOwner[i] = a.owner(Crate, c)
		} else if lib, ok := a.libs.one(name); ok {
			a.symOwner[i] = a.owner(Library, lib)
		}
	}
}

// divide makes pieces of the extents and names their owners as far as symbols
// and debug information tell.
func (a *analysis) divide() {
	for _, x := range a.layout.Extents {
		s := a.layout.Sections[x.Section]
		p := piece{section: x.Section, start: x.Start, end: x.End, symbol: x.Symbol, fn: x.Function, owner: -1, kind: kindOther}
		switch classOf(s) {
		case StackSection:
			p.owner = a.owner(None, StackOwner)
		case OtherSideOnly:
			p.owner = a.owner(None, AliasOwner)
		default:
			a.name(&p, s)
		}
		a.pieces = append(a.pieces, p)
	}
}

func (a *analysis) name(p *piece, s firmware.Section) {
	outer := -1
	if p.symbol >= 0 {
		outer = a.symOwner[p.symbol]
	}
	switch {
	case p.fn >= 0:
		p.kind, p.owner = kindCode, a.fnOwner[p.fn]
		if p.owner < 0 {
			p.owner = outer
		}
		if p.symbol < 0 {
			break
		}
		if f := &a.layout.Functions[p.fn]; f.Linker != a.layout.Symbols[p.symbol].Linker && outer >= 0 && outer != p.owner && p.owner >= 0 {
			p.kind = kindInlined
		}
	case p.symbol < 0:
		p.fill = true
		if !s.Exec && s.Loaded {
			p.kind = kindConstant
		}
	case s.Exec && (a.layout.Symbols[p.symbol].Func || !a.anonymous(p.symbol)):
		p.kind, p.owner = kindCode, outer
	case a.anonymous(p.symbol):
		p.kind, p.owner = kindConstant, outer
	default:
		p.kind, p.owner = kindData, outer
	}
}

// anonymous reports whether the compiler made up the name.
func (a *analysis) anonymous(symbol int) bool {
	return strings.HasPrefix(a.layout.Symbols[symbol].Linker, ".L")
}

// follow attributes constants without a name, and data with a name that says
// nothing, by what refers to them. It returns the ROM functions that the code
// calls.
func (a *analysis) follow() (rom []string) {
	code, words := a.references()
	rom = a.romCalls(code)
	all := append(slices.Clone(code), words...)
	sortReferences(all)
	a.split(all)
	// Code first; then, round by round, what is referred to by data that got
	// an owner in the round before.
	for round := 0; round < 8; round++ {
		changed := false
		pending := map[int]map[int]int{}
		for _, r := range all {
			to := a.at(r.to)
			if to < 0 || a.pieces[to].owner >= 0 {
				continue
			}
			from := a.at(r.from)
			if from < 0 || a.pieces[from].owner < 0 || round == 0 && !a.layout.Sections[a.pieces[from].section].Exec {
				continue
			}
			if pending[to] == nil {
				pending[to] = map[int]int{}
			}
			pending[to][a.pieces[from].owner]++
		}
		for to, votes := range pending {
			best := -1
			for id, n := range votes {
				if best < 0 || n > votes[best] || n == votes[best] && a.owners[id].Name < a.owners[best].Name {
					best = id
				}
			}
			a.pieces[to].owner, changed = best, true
			a.pieces[to].fill = false
		}
		if !changed && round > 0 {
			break
		}
	}
	return rom
}

func (a *analysis) references() (code, words []reference) {
	var gp uint32
	if s, ok := a.elf.Lookup("__global_pointer$"); ok {
		gp = s.Addr
	}
	starts := map[uint32]bool{}
	for _, s := range a.layout.Symbols {
		if s.Func {
			starts[s.Addr] = true
		}
	}
	for i, s := range a.layout.Sections {
		if s.Exec && a.data[i] != nil {
			code = append(code, codeReferences(a.data[i], s.Addr, gp, func(pc uint32) bool { return starts[pc] })...)
		}
	}
	for i, s := range a.layout.Sections {
		if !s.Exec && a.data[i] != nil {
			words = append(words, wordReferences(a.data[i], s.Addr, func(v uint32) bool { return a.at(v) >= 0 })...)
		}
	}
	return code, words
}

// at returns the piece that holds an address, -1 if none does.
func (a *analysis) at(addr uint32) int {
	// Sections are sorted by address and do not overlap, but for aliases, whose
	// pieces are found like all others.
	i := sort.Search(len(a.pieces), func(i int) bool { return a.pieces[i].start > addr }) - 1
	if i >= 0 && uint64(addr) < a.pieces[i].end {
		return i
	}
	return -1
}

// romCalls lists the functions that a linker script places in the mask ROM and
// whose addresses code forms.
func (a *analysis) romCalls(code []reference) []string {
	targets := map[uint32]bool{}
	for _, r := range code {
		targets[r.to] = true
	}
	for _, c := range a.elf.CallTargets() {
		targets[c] = true
	}
	var names []string
	for t := range targets {
		if t < 0x40000000 || t >= 0x40060000 { // ESP32-C3 technical reference manual, chapter 3: ROM 0
			continue
		}
		if s, _, ok := a.elf.SymbolAt(t); ok && s.Abs {
			names = append(names, s.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// split cuts data without a symbol at the addresses that something refers to:
// merged strings.
func (a *analysis) split(refs []reference) {
	var out []piece
	i := 0
	for _, p := range a.pieces {
		if !p.fill || p.kind != kindConstant {
			out = append(out, p)
			continue
		}
		for i < len(refs) && refs[i].to <= p.start {
			i++
		}
		for ; i < len(refs) && uint64(refs[i].to) < p.end; i++ {
			if refs[i].to > p.start {
				head := p
				head.end = uint64(refs[i].to)
				out = append(out, head)
				p.start = refs[i].to
			}
		}
		out = append(out, p)
	}
	a.pieces = out
}

// settle decides what is left: padding, the library of a neighbour, C and
// assembly, unattributed.
func (a *analysis) settle() {
	last := "" // library of the piece before
	for i := range a.pieces {
		p := &a.pieces[i]
		if p.owner >= 0 {
			last = ""
			if o := &a.owners[p.owner]; o.Kind == Library {
				last = o.Name
			}
			continue
		}
		switch {
		case p.symbol < 0 && p.fn < 0 && a.isPadding(p):
			p.owner, p.kind = a.owner(None, Padding), kindOther
		case p.symbol < 0 && p.fn < 0:
			p.owner, p.kind = a.owner(None, Unattributed), kindOther
		case p.symbol >= 0 && a.anonymous(p.symbol):
			p.owner = a.owner(None, Unattributed)
		default:
			lib := ""
			if p.symbol >= 0 {
				lib, _ = a.libs.amongst(a.layout.Symbols[p.symbol].Linker, last)
			}
			if lib != "" {
				p.owner = a.owner(Library, lib)
			} else {
				p.owner = a.owner(None, Libs)
			}
		}
	}
	a.neighbours()
}

// neighbours gives bytes without a symbol that are between two pieces of one
// library to that library: the linker places the sections of an object side by
// side, and vendors remove the names of local symbols.
func (a *analysis) neighbours() {
	none := a.owner(None, Unattributed)
	library := func(p *piece) int {
		if a.owners[p.owner].Kind == Library {
			return p.owner
		}
		return -1
	}
	for i := 0; i < len(a.pieces); {
		j := i
		for j < len(a.pieces) && a.pieces[j].section == a.pieces[i].section && (a.pieces[j].owner == none || a.pieces[j].kind == kindOther) {
			j++
		}
		if j == i {
			i++
			continue
		}
		if i > 0 && j < len(a.pieces) && a.pieces[i-1].section == a.pieces[j].section {
			if id := library(&a.pieces[i-1]); id >= 0 && id == library(&a.pieces[j]) {
				for k := i; k < j; k++ {
					if p := &a.pieces[k]; p.owner == none && p.symbol < 0 {
						p.owner, p.kind = id, kindConstant
						if a.layout.Sections[p.section].Exec {
							p.kind = kindCode
						}
					}
				}
			}
		}
		i = j
	}
}

// isPadding reports whether a piece is what a linker or assembler fills up to
// an alignment: less than a page of zeros or nops, or any gap between zeroed
// variables that is smaller than a cache line.
func (a *analysis) isPadding(p *piece) bool {
	s := a.layout.Sections[p.section]
	b := a.data[p.section]
	if b == nil {
		return !s.Loaded && p.size() < 64
	}
	b = b[p.start-s.Addr : p.end-uint64(s.Addr)]
	if len(b) >= 4096 {
		return false
	}
	for len(b) > 0 {
		switch {
		case b[0] == 0:
			b = b[1:]
		case s.Exec && len(b) >= 4 && b[0] == 0x13 && b[1]|b[2]|b[3] == 0: // nop
			b = b[4:]
		case s.Exec && len(b) >= 2 && b[0] == 1 && b[1] == 0: // c.nop
			b = b[2:]
		default:
			return false
		}
	}
	return true
}

// report adds the pieces up.
func (a *analysis) report(rom []string) *Report {
	r := &Report{ROM: rom, Libraries: a.libs.Names(), Chip: a.elf.Chip()}
	r.DebugUnits, _ = a.elf.DebugInfo()
	for _, s := range a.layout.Sections {
		c := classOf(s)
		r.Sections = append(r.Sections, Section{Name: s.Name, Address: Address(s.Addr), Size: uint64(s.Size), Region: s.Region, Class: c, Owners: map[string]Parts{}})
		switch {
		case c == StackSection:
			r.Stack += uint64(s.Size)
		case c.inFlash() && c.inRAM():
			r.Flash += uint64(s.Size)
			r.RAM += uint64(s.Size)
		case c.inFlash():
			r.Flash += uint64(s.Size)
		case c.inRAM():
			r.RAM += uint64(s.Size)
		}
	}
	symbols := map[int]*Symbol{}
	owned := map[int]map[int]uint64{} // symbol to owners
	for _, p := range a.pieces {
		s, o, n := &r.Sections[p.section], &a.owners[p.owner], p.size()
		parts := s.Owners[o.Name]
		parts.add(p.kind, n)
		s.Owners[o.Name] = parts
		if s.Class.inFlash() || s.Class.inRAM() {
			o.Parts.add(p.kind, n)
		}
		if s.Class.inFlash() {
			o.Flash += n
		}
		if s.Class.inRAM() {
			o.RAM += n
		}
		if p.symbol < 0 || a.anonymous(p.symbol) || p.kind == kindOther {
			continue
		}
		if symbols[p.symbol] == nil {
			l := &a.layout.Symbols[p.symbol]
			symbols[p.symbol] = &Symbol{Name: firmware.Demangle(l.Linker), Linker: l.Linker, Section: s.Name, Address: Address(l.Addr)}
			owned[p.symbol] = map[int]uint64{}
		}
		symbols[p.symbol].Size += n
		owned[p.symbol][p.owner] += n
	}
	for id, s := range symbols {
		own := a.symOwner[id]
		if own < 0 {
			for o, n := range owned[id] {
				if own < 0 || n > owned[id][own] || n == owned[id][own] && a.owners[o].Name < a.owners[own].Name {
					own = o
				}
			}
		}
		s.Owner, s.Inlined = a.owners[own].Name, s.Size-owned[id][own]
		if a.layout.Sections[a.sectionOf(uint32(s.Address))].Exec {
			r.Functions = append(r.Functions, *s)
		} else {
			r.Statics = append(r.Statics, *s)
		}
	}
	for _, o := range a.owners {
		if o.Parts.Sum() > 0 {
			r.Owners = append(r.Owners, o)
		}
	}
	r.sort()
	return r
}

func (a *analysis) sectionOf(addr uint32) int {
	return cmp.Or(max(0, slices.IndexFunc(a.layout.Sections, func(s firmware.Section) bool {
		return addr >= s.Addr && uint64(addr) < uint64(s.Addr)+uint64(s.Size)
	})), 0)
}

func isDummy(name string) bool { return strings.Contains(name, "dummy") }
