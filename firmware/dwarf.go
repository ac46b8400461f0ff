package firmware

import (
	"debug/dwarf"
	"errors"
	"fmt"
)

// Budgets of one walk, far above any firmware; they bound what overlapping
// lists in a hostile file can multiply into.
const (
	maxRanges = 1 << 21
	maxRows   = 1 << 23
	maxNodes  = 1 << 21
	maxDepth  = 1 << 10
	maxPaths  = 64 << 20 // bytes
)

// node is one function, or one inlined instance of one.
type node struct {
	parent   int32 // containing function or instance, -1 for a function of its own
	name     int32 // index in addressIndex.names
	die      dwarf.Offset
	start    uint32 // lowest address
	callFile int32  // where it was inlined from
	callLine uint32
	callCol  uint32
	inline   bool
}

// naming is what one subprogram entry says about its name.
type naming struct {
	linkage string
	name    string
	scope   string // namespaces and types around it, joined with "::"
	origin  dwarf.Offset
}

// walker collects functions, instances and line rows from .debug_info.
type walker struct {
	elf    *ELF
	data   *dwarf.Data
	lines  *lineSections
	tables map[int64]*lineTable
	paths  pathTable

	units  int
	nodes  []node
	layers []layer
	seqs   [][]lineRow
	rows   int
	naming map[dwarf.Offset]naming
	logs   map[string]statement
}

// statement is the place of a log statement of defmt.
type statement struct {
	file  int32 // index of a path, -1 if unknown
	line  int
	scope string
}

var errBudget = errors.New("debug information beyond all measure")

// openDWARF collects the debug sections; nil without an error if there are
// none.
func (e *ELF) openDWARF() (*walker, error) {
	names := []string{"abbrev", "info", "str", "line", "ranges", "addr", "line_str", "str_offsets", "rnglists"}
	sec := map[string][]byte{}
	for _, n := range names {
		b, err := e.SectionData(".debug_" + n)
		if err != nil {
			return nil, err
		}
		sec[n] = b
	}
	if len(sec["info"]) == 0 {
		return nil, nil
	}
	for _, n := range []string{"str", "line_str"} {
		if longestString(sec[n]) > maxName {
			return nil, errBudget
		}
	}
	d, err := dwarf.New(sec["abbrev"], nil, nil, sec["info"], nil, nil, sec["ranges"], sec["str"])
	if err != nil {
		return nil, err
	}
	for _, n := range []string{"addr", "line_str", "str_offsets", "rnglists"} {
		if len(sec[n]) > 0 {
			if err := d.AddSection(".debug_"+n, sec[n]); err != nil {
				return nil, err
			}
		}
	}
	return &walker{
		elf: e, data: d,
		lines:  &lineSections{line: sec["line"], str: string(sec["str"]), lineStr: string(sec["line_str"])},
		tables: map[int64]*lineTable{},
		paths:  pathTable{index: map[string]int32{}, budget: maxPaths},
		naming: map[dwarf.Offset]naming{},
		logs:   map[string]statement{},
	}, nil
}

// longestString returns the longest run without a NUL. debug/dwarf copies a
// string for every entry that refers to it.
func longestString(b []byte) (longest int) {
	run := 0
	for _, c := range b {
		if c == 0 {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return longest
}

// walk visits all entries once. What was collected before an error stays
// good.
func (w *walker) walk() (err error) {
	// debug/dwarf promises errors for malformed input; a panic would be its
	// bug and must not take the program with it.
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("reading debug information: %v", p)
		}
	}()
	r := w.data.Reader()
	type level struct {
		node  int32
		scope string
	}
	var stack []level
	cur := level{node: -1}
	var table *lineTable
	for {
		e, err := r.Next()
		if err != nil {
			return err
		}
		if e == nil {
			return nil
		}
		if e.Tag == 0 { // end of children
			if len(stack) > 0 {
				cur = stack[len(stack)-1]
				stack = stack[:len(stack)-1]
			}
			continue
		}
		inner := cur
		switch e.Tag {
		case dwarf.TagCompileUnit, dwarf.TagPartialUnit, dwarf.TagSkeletonUnit:
			w.units++
			stack, cur, inner = stack[:0], level{node: -1}, level{node: -1}
			if table, err = w.unitLines(e); err != nil {
				return err
			}
		case dwarf.TagNamespace, dwarf.TagStructType, dwarf.TagClassType, dwarf.TagUnionType, dwarf.TagEnumerationType:
			if name, ok := e.Val(dwarf.AttrName).(string); ok {
				inner.scope = joinScope(cur.scope, name)
			}
		case dwarf.TagSubprogram:
			w.noteName(e, cur.scope)
			if inner.node, err = w.function(e, cur.node, int32(len(stack))); err != nil {
				return err
			}
		case dwarf.TagInlinedSubroutine:
			n, err := w.inlined(e, cur.node, int32(len(stack)), table)
			if err != nil {
				return err
			}
			if n >= 0 {
				inner.node = n
			}
		case dwarf.TagVariable:
			w.noteStatement(e, cur.scope, table)
		case dwarf.TagSubroutineType, dwarf.TagArrayType:
			if e.Children {
				r.SkipChildren()
			}
			continue
		}
		if e.Children {
			if len(stack) >= maxDepth {
				return errBudget
			}
			stack = append(stack, cur)
			cur = inner
		}
	}
}

func joinScope(scope, name string) string {
	if len(scope)+len(name) > 1<<12 {
		return scope
	}
	if scope == "" {
		return name
	}
	return scope + "::" + name
}

// unitLines decodes the unit's line table; a damaged one costs its lines
// only.
func (w *walker) unitLines(unit *dwarf.Entry) (*lineTable, error) {
	off, ok := unit.Val(dwarf.AttrStmtList).(int64)
	if !ok || off < 0 {
		return nil, nil
	}
	if t, ok := w.tables[off]; ok {
		return t, nil
	}
	dir, _ := unit.Val(dwarf.AttrCompDir).(string)
	t, err := w.lines.parseLines(uint64(off), dir, &w.paths, w.elf.Executable)
	if err != nil {
		w.tables[off] = nil
		return nil, nil
	}
	w.tables[off] = t
	for _, s := range t.sequences {
		w.rows += len(s)
	}
	// Programs whose sequences are all dropped cost time too.
	if w.rows += 16; w.rows > maxRows {
		return nil, errBudget
	}
	w.seqs = append(w.seqs, t.sequences...)
	return t, nil
}

// linkageNameMIPS is what compilers used before DWARF 4.
const linkageNameMIPS dwarf.Attr = 0x2007

func (w *walker) noteName(e *dwarf.Entry, scope string) {
	n := naming{scope: scope}
	n.name, _ = e.Val(dwarf.AttrName).(string)
	if n.linkage, _ = e.Val(dwarf.AttrLinkageName).(string); n.linkage == "" {
		n.linkage, _ = e.Val(linkageNameMIPS).(string)
	}
	n.origin = origin(e)
	w.naming[e.Offset] = n
}

// noteStatement notes the variable that defmt declares at a log statement. Its
// linkage name is the symbol that holds the format string.
func (w *walker) noteStatement(e *dwarf.Entry, scope string, table *lineTable) {
	if name, _ := e.Val(dwarf.AttrName).(string); name != "DEFMT_LOG_STATEMENT" {
		return
	}
	symbol, _ := e.Val(dwarf.AttrLinkageName).(string)
	if symbol == "" || len(w.logs) >= 1<<16 {
		return
	}
	s := statement{file: -1, scope: scope}
	if f, ok := e.Val(dwarf.AttrDeclFile).(int64); ok && table != nil && f >= 0 && f < 1<<31 {
		s.file = table.file(uint32(f))
	}
	if l, ok := e.Val(dwarf.AttrDeclLine).(int64); ok && l > 0 && l < 1<<31 {
		s.line = int(l)
	}
	w.logs[symbol] = s
}

// origin is the entry that says more: the abstract instance or the
// declaration, possibly in another unit.
func origin(e *dwarf.Entry) dwarf.Offset {
	if o, ok := e.Val(dwarf.AttrAbstractOrigin).(dwarf.Offset); ok {
		return o
	}
	o, _ := e.Val(dwarf.AttrSpecification).(dwarf.Offset)
	return o
}

// ranges adds the code of e to the layers and returns its lowest address.
func (w *walker) ranges(e *dwarf.Entry, item, depth int32) (lowest uint32, ok bool, err error) {
	rs, err := w.data.Ranges(e)
	if err != nil {
		return 0, false, nil // an instance without a place is no reason to lose the others
	}
	for _, r := range rs {
		if r[0] >= r[1] || r[1] > 1<<32 || !w.elf.Executable(uint32(r[0])) {
			continue // removed by the linker
		}
		start := uint32(r[0])
		w.layers = append(w.layers, layer{start: start, end: r[1], depth: depth, item: item})
		if !ok || start < lowest {
			lowest, ok = start, true
		}
	}
	if len(w.layers) > maxRanges {
		return 0, false, errBudget
	}
	return lowest, ok, nil
}

// hasCode is a cheap test that spares Ranges for declarations.
func hasCode(e *dwarf.Entry) bool {
	return e.Val(dwarf.AttrLowpc) != nil || e.Val(dwarf.AttrRanges) != nil
}

// function adds a function with code of its own; -1 for anything else, whose
// children then have no parent.
func (w *walker) function(e *dwarf.Entry, parent, depth int32) (int32, error) {
	if !hasCode(e) {
		return -1, nil
	}
	id := int32(len(w.nodes))
	low, ok, err := w.ranges(e, id, depth)
	if err != nil || !ok {
		return -1, err
	}
	return id, w.addNode(node{parent: -1, die: e.Offset, start: low, callFile: -1})
}

// inlined adds an inlined instance; -1 if its code was removed.
func (w *walker) inlined(e *dwarf.Entry, parent, depth int32, table *lineTable) (int32, error) {
	if parent < 0 || !hasCode(e) {
		return -1, nil
	}
	id := int32(len(w.nodes))
	low, ok, err := w.ranges(e, id, depth)
	if err != nil || !ok {
		return -1, err
	}
	n := node{parent: parent, die: origin(e), start: low, callFile: -1, inline: true}
	if f, ok := e.Val(dwarf.AttrCallFile).(int64); ok && table != nil && f >= 0 && f < 1<<31 {
		n.callFile = table.file(uint32(f))
	}
	if l, ok := e.Val(dwarf.AttrCallLine).(int64); ok {
		n.callLine = uint32(l)
	}
	if c, ok := e.Val(dwarf.AttrCallColumn).(int64); ok {
		n.callCol = uint32(c)
	}
	return id, w.addNode(n)
}

func (w *walker) addNode(n node) error {
	if len(w.nodes) >= maxNodes {
		return errBudget
	}
	w.nodes = append(w.nodes, n)
	return nil
}

// resolve follows origins to a name: the linker's if any entry on the way
// has one, else the first plain one with its scope.
func (w *walker) resolve(off dwarf.Offset) funcName {
	var plain, scope string
	for range 16 {
		n, ok := w.naming[off]
		if !ok {
			break
		}
		if n.linkage != "" {
			return funcName{display: Demangle(n.linkage), linker: n.linkage}
		}
		if plain == "" && n.name != "" {
			plain, scope = n.name, n.scope
		}
		if n.origin == 0 || n.origin == off {
			break
		}
		off = n.origin
	}
	if plain == "" {
		return funcName{}
	}
	if scope != "" {
		return funcName{display: scope + "::" + plain, linker: plain}
	}
	return funcName{display: plain, linker: plain}
}
