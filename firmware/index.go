package firmware

import (
	"debug/dwarf"
	"sort"
)

// addressIndex answers every question about an address with one binary
// search. It is built once and then only read.
type addressIndex struct {
	places []place // by address; each reaches to the next
	nodes  []node
	names  []funcName
	paths  []string             // as the compiler wrote them
	short  []string             // the same, for people
	logs   map[string]statement // of defmt, by symbol
	units  int
	err    error
}

// funcName is a name as people and as the linker know it.
type funcName struct{ display, linker string }

// place says what the code from addr on is: the innermost function instance
// and the row of the line table.
type place struct {
	addr uint32
	node int32 // -1: no function
	file int32 // -1: no line
	line uint32
	col  uint32
}

func (e *ELF) addresses() *addressIndex {
	e.indexOnce.Do(func() { e.index = e.buildIndex() })
	return e.index
}

func (e *ELF) buildIndex() *addressIndex {
	x := &addressIndex{}
	w, err := e.openDWARF()
	if w == nil {
		x.err = err
		return x
	}
	x.err = w.walk()
	x.units, x.logs = w.units, w.logs
	x.nodes, x.paths = w.nodes, w.paths.paths
	x.short = make([]string, len(x.paths))
	for i, p := range x.paths {
		x.short[i] = ShortPath(p, e.opt.Project...)
	}
	known := map[dwarf.Offset]int32{}
	for i := range x.nodes {
		off := x.nodes[i].die
		id, ok := known[off]
		if !ok {
			id = int32(len(x.names))
			x.names = append(x.names, w.resolve(off))
			known[off] = id
		}
		x.nodes[i].name = id
	}
	x.places = merge(flatten(w.layers), joinSequences(w.seqs))
	return x
}

// joinSequences makes one table of all sequences, by address. Where two
// overlap (identical functions that the linker folded) the first keeps the
// code.
func joinSequences(seqs [][]lineRow) []lineRow {
	sort.SliceStable(seqs, func(i, j int) bool { return seqs[i][0].addr < seqs[j][0].addr })
	n := 0
	for _, s := range seqs {
		n += len(s)
	}
	out := make([]lineRow, 0, n)
	for _, s := range seqs {
		if len(out) > 0 {
			last := out[len(out)-1].addr
			if s[len(s)-1].addr <= last {
				continue
			}
			// The last row applies from there.
			i := sort.Search(len(s), func(i int) bool { return s[i].addr > last }) - 1
			if i > 0 {
				s = s[i:]
			}
			if s[0].addr <= last {
				out[len(out)-1] = lineRow{last, s[0].file, s[0].line, s[0].col, s[0].end}
				s = s[1:]
			}
		}
		out = append(out, s...)
	}
	return out
}

// merge lays functions and lines over each other.
func merge(spans []span, rows []lineRow) []place {
	out := make([]place, 0, 2*len(spans)+len(rows))
	add := func(p place) {
		if n := len(out); n > 0 {
			last := out[n-1]
			if last.addr == p.addr {
				out[n-1] = p
				return
			}
			if last.node == p.node && last.file == p.file && last.line == p.line && last.col == p.col {
				return
			}
		}
		out = append(out, p)
	}
	cur := place{node: -1, file: -1}
	si, ri := 0, 0
	inside := false // of spans[si]
	const never = uint64(1) << 33
	for {
		next := never
		if si < len(spans) {
			if inside {
				next = spans[si].end
			} else {
				next = uint64(spans[si].start)
			}
		}
		if ri < len(rows) {
			next = min(next, uint64(rows[ri].addr))
		}
		if next >= 1<<32 {
			return out
		}
		for si < len(spans) {
			if inside && spans[si].end == next {
				inside, cur.node = false, -1
				si++
				continue
			}
			if !inside && uint64(spans[si].start) == next {
				inside, cur.node = true, spans[si].item
			}
			break
		}
		for ri < len(rows) && uint64(rows[ri].addr) == next {
			r := rows[ri]
			cur.file, cur.line, cur.col = r.file, r.line, r.col
			if r.end {
				cur.file, cur.line, cur.col = -1, 0, 0
			}
			ri++
		}
		cur.addr = uint32(next)
		add(cur)
	}
}

// find returns the place of addr; ok is false before the first one.
func (x *addressIndex) find(addr uint32) (p place, ok bool) {
	lo, hi := 0, len(x.places)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if x.places[mid].addr <= addr {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo == 0 {
		return place{}, false
	}
	return x.places[lo-1], true
}

// DebugInfo returns how many compilation units the debug information has, 0 if
// there is none, and an error if it is damaged; names then come from the part
// before the damage and from the symbol table.
func (e *ELF) DebugInfo() (units int, err error) {
	x := e.addresses()
	return x.units, x.err
}
