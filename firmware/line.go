package firmware

import (
	"errors"
)

// The line number program is decoded here and not by debug/dwarf: that
// decoder allocates the file table of a version 5 header before it looks at
// it, so that 20 damaged bytes end the process, and joins every file name
// with its directory.

// lineRow is one row of a line table: from addr on, the code belongs to line.
type lineRow struct {
	addr uint32
	file int32 // index in pathTable, -1 if unknown
	line uint32
	col  uint32
	end  bool // first address after a sequence
}

// lineTable is one decoded line number program.
type lineTable struct {
	files     []int32     // DWARF file index to index in pathTable
	sequences [][]lineRow // each in address order, closed by a row with end set
}

var errLine = errors.New("malformed line table")

// lineSections are the sections a line table refers to.
type lineSections struct {
	line         []byte
	str, lineStr string
}

// parseLines decodes the program at off (DWARF 5, 6.2; versions 2 to 5).
// Rows for which keep is false at the start of their sequence are dropped
// with it: the linker leaves the tables of removed functions at address 0.
func (s *lineSections) parseLines(off uint64, compDir string, paths *pathTable, keep func(uint32) bool) (*lineTable, error) {
	if off >= uint64(len(s.line)) {
		return nil, errLine
	}
	c := &cursor{b: s.line[off:]}
	offSize := 4
	length := c.fixed(4)
	if length == 0xffffffff {
		offSize, length = 8, c.fixed(8)
	}
	if length > uint64(len(c.b)) {
		return nil, errLine
	}
	c.b = c.b[:length]
	version := c.fixed(2)
	if version < 2 || version > 5 {
		return nil, errLine
	}
	if version >= 5 {
		c.take(2) // address size, segment selector size
	}
	headerLength := c.fixed(offSize)
	if headerLength > uint64(len(c.b)) {
		return nil, errLine
	}
	program := c.b[headerLength:]
	c.b = c.b[:headerLength]

	h := lineHeader{minInst: uint32(c.fixed(1)), maxOps: 1}
	if version >= 4 {
		h.maxOps = uint32(c.fixed(1))
	}
	c.take(1) // default_is_stmt
	h.lineBase = int64(int8(c.fixed(1)))
	h.lineRange = uint32(c.fixed(1))
	h.opcodeBase = int(c.fixed(1))
	h.opcodeLengths = c.take(max(h.opcodeBase-1, 0))
	if c.bad || h.lineRange == 0 || h.maxOps == 0 || h.opcodeBase == 0 {
		return nil, errLine
	}
	t := &lineTable{}
	if version >= 5 {
		t.files = s.files5(c, offSize, compDir, paths)
	} else {
		t.files = files4(c, compDir, paths)
	}
	if c.bad {
		return nil, errLine
	}
	t.run(h, program, keep)
	return t, nil
}

type lineHeader struct {
	minInst, maxOps, lineRange uint32
	lineBase                   int64
	opcodeBase                 int
	opcodeLengths              []byte
}

// run executes the program (DWARF 5, 6.2.5).
func (t *lineTable) run(h lineHeader, program []byte, keep func(uint32) bool) {
	type state struct {
		addr, opIndex, file, line, col uint32
	}
	start := state{file: 1, line: 1}
	st := start
	var rows []lineRow
	advance := func(n uint64) {
		if h.maxOps == 1 {
			st.addr += h.minInst * uint32(n)
			return
		}
		ops := uint64(st.opIndex) + n
		st.addr += h.minInst * uint32(ops/uint64(h.maxOps))
		st.opIndex = uint32(ops % uint64(h.maxOps))
	}
	emit := func(end bool) {
		r := lineRow{addr: st.addr, file: t.file(st.file), line: st.line, col: st.col, end: end}
		if int32(r.line) < 0 {
			r.line = 0
		}
		if n := len(rows); n > 0 && rows[n-1].addr == r.addr {
			rows[n-1] = r // of several rows at one address the last one counts
			return
		}
		rows = append(rows, r)
	}
	c := &cursor{b: program}
	for len(c.b) > 0 && !c.bad {
		op := int(c.fixed(1))
		switch {
		case op >= h.opcodeBase:
			adj := uint32(op - h.opcodeBase)
			advance(uint64(adj / h.lineRange))
			st.line += uint32(h.lineBase + int64(adj%h.lineRange))
			emit(false)
		case op == 0: // extended
			n := c.uleb()
			if n == 0 || n > uint64(len(c.b)) {
				return
			}
			body := &cursor{b: c.take(int(n))}
			switch body.fixed(1) {
			case 1: // DW_LNE_end_sequence
				emit(true)
				if sorted(rows) && keep(rows[0].addr) {
					t.sequences = append(t.sequences, rows)
					rows = nil
				}
				rows = rows[:0]
				st = start
			case 2: // DW_LNE_set_address
				st.addr, st.opIndex = uint32(body.fixed(min(len(body.b), 8))), 0
			}
		case op == 1: // DW_LNS_copy
			emit(false)
		case op == 2:
			advance(c.uleb())
		case op == 3:
			st.line += uint32(c.sleb())
		case op == 4:
			st.file = uint32(c.uleb())
		case op == 5:
			st.col = uint32(c.uleb())
		case op == 6 || op == 7 || op == 10 || op == 11: // statement, block, prologue, epilogue
		case op == 8: // DW_LNS_const_add_pc
			advance(uint64((255 - uint32(h.opcodeBase)) / h.lineRange))
		case op == 9: // DW_LNS_fixed_advance_pc
			st.addr, st.opIndex = st.addr+uint32(c.fixed(2)), 0
		case op == 12: // DW_LNS_set_isa
			c.uleb()
		default:
			for range h.opcodeLengths[op-1] {
				c.uleb()
			}
		}
	}
}

func (t *lineTable) file(i uint32) int32 {
	if i < uint32(len(t.files)) {
		return t.files[i]
	}
	return -1
}

// sorted reports whether a sequence has at least one row and its addresses
// never go back, as the standard demands.
func sorted(rows []lineRow) bool {
	for i := 1; i < len(rows); i++ {
		if rows[i].addr < rows[i-1].addr {
			return false
		}
	}
	return len(rows) > 1
}
