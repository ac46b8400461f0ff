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

// pathTable keeps each path once. Its budget bounds what a table can cost in
// which all names overlap in a few bytes of the string section.
type pathTable struct {
	paths  []string
	index  map[string]int32
	budget int // bytes
}

// join is joinPath within the budget; "" when that is used up.
func (t *pathTable) join(dir, name string) string {
	n := len(dir) + len(name) + 1
	if n > 1<<13 || n > t.budget {
		return ""
	}
	t.budget -= n
	return joinPath(dir, name)
}

// add joins and interns; -1 for a path that is empty or beyond the budget.
func (t *pathTable) add(dir, name string) int32 {
	p := t.join(dir, name)
	if p == "" {
		return -1
	}
	if i, ok := t.index[p]; ok {
		return i
	}
	i := int32(len(t.paths))
	t.paths = append(t.paths, p)
	t.index[p] = i
	return i
}

var errLine = errors.New("malformed line table")

// cursor reads DWARF's primitive encodings. After a read beyond the end, bad
// is set and every further read gives zero.
type cursor struct {
	b   []byte
	bad bool
}

func (c *cursor) take(n int) []byte {
	if n < 0 || n > len(c.b) {
		c.bad, c.b = true, nil
		return nil
	}
	out := c.b[:n]
	c.b = c.b[n:]
	return out
}

func (c *cursor) fixed(n int) uint64 {
	b := c.take(n)
	var v uint64
	for i := len(b) - 1; i >= 0; i-- {
		v = v<<8 | uint64(b[i])
	}
	return v
}

func (c *cursor) uleb() uint64 {
	var v uint64
	for shift := uint(0); ; shift += 7 {
		if len(c.b) == 0 {
			c.bad = true
			return 0
		}
		x := c.b[0]
		c.b = c.b[1:]
		if shift < 64 {
			v |= uint64(x&0x7f) << shift
		}
		if x < 0x80 {
			return v
		}
	}
}

func (c *cursor) sleb() int64 {
	var v int64
	for shift := uint(0); ; {
		if len(c.b) == 0 {
			c.bad = true
			return 0
		}
		x := c.b[0]
		c.b = c.b[1:]
		if shift < 64 {
			v |= int64(x&0x7f) << shift
		}
		shift += 7
		if x < 0x80 {
			if shift < 64 && x&0x40 != 0 {
				v |= -1 << shift
			}
			return v
		}
	}
}

func (c *cursor) str() string {
	for i, x := range c.b {
		if i > maxName {
			break
		}
		if x == 0 {
			s := string(c.b[:i])
			c.b = c.b[i+1:]
			return s
		}
	}
	c.bad, c.b = true, nil
	return ""
}

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

// files4 reads the tables of versions 2 to 4: file 0 is unused, directory 0 is
// the compilation directory.
func files4(c *cursor, compDir string, paths *pathTable) []int32 {
	dirs := []string{compDir}
	for {
		d := c.str()
		if d == "" {
			break
		}
		dirs = append(dirs, paths.join(compDir, d))
	}
	files := []int32{-1}
	for !c.bad {
		name := c.str()
		if name == "" {
			break
		}
		dir := c.uleb()
		c.uleb() // time
		c.uleb() // length
		d := ""
		if dir < uint64(len(dirs)) {
			d = dirs[dir]
		}
		files = append(files, paths.add(d, name))
	}
	return files
}

// Content types and forms of version 5 tables (DWARF 5, 6.2.4.1, 7.5.6).
const (
	lnctPath, lnctDir = 1, 2

	formBlock2, formBlock4               = 0x03, 0x04
	formData2, formData4, formData8      = 0x05, 0x06, 0x07
	formString, formBlock, formBlock1    = 0x08, 0x09, 0x0a
	formData1, formStrp, formUdata       = 0x0b, 0x0e, 0x0f
	formStrx, formData16, formLineStrp   = 0x1a, 0x1e, 0x1f
	formStrx1, formStrx2, formStrx3, fS4 = 0x25, 0x26, 0x27, 0x28
)

// files5 reads the tables of version 5: both start at 0, and the first
// directory is the compilation directory.
func (s *lineSections) files5(c *cursor, offSize int, compDir string, paths *pathTable) []int32 {
	dirs := []string{}
	s.entries5(c, offSize, func(name string, _ uint64) {
		base := compDir
		if len(dirs) > 0 {
			base = dirs[0]
		}
		dirs = append(dirs, paths.join(base, name))
	})
	files := []int32{}
	s.entries5(c, offSize, func(name string, dir uint64) {
		d := ""
		if dir < uint64(len(dirs)) {
			d = dirs[dir]
		}
		files = append(files, paths.add(d, name))
	})
	return files
}

// entries5 reads one table and calls entry for each row. An entry format that
// takes no bytes cannot be repeated for ever.
func (s *lineSections) entries5(c *cursor, offSize int, entry func(name string, dir uint64)) {
	format := make([][2]uint64, c.fixed(1))
	for i := range format {
		format[i] = [2]uint64{c.uleb(), c.uleb()}
	}
	count := c.uleb()
	if len(format) == 0 && count > 0 {
		c.bad = true
	}
	for ; count > 0 && !c.bad; count-- {
		var name string
		var dir uint64
		for _, f := range format {
			str, val := s.form5(c, f[1], offSize)
			switch f[0] {
			case lnctPath:
				name = str
			case lnctDir:
				dir = val
			}
		}
		if !c.bad {
			entry(name, dir)
		}
	}
}

func (s *lineSections) form5(c *cursor, form uint64, offSize int) (str string, val uint64) {
	switch form {
	case formString:
		str = c.str()
	case formLineStrp:
		str = cString(s.lineStr, uint32(c.fixed(offSize)))
	case formStrp:
		str = cString(s.str, uint32(c.fixed(offSize)))
	case formData1, formStrx1:
		val = c.fixed(1)
	case formData2, formStrx2:
		val = c.fixed(2)
	case formStrx3:
		c.take(3)
	case formData4, fS4:
		val = c.fixed(4)
	case formData8:
		val = c.fixed(8)
	case formData16: // MD5
		c.take(16)
	case formUdata, formStrx:
		val = c.uleb()
	case formBlock:
		c.take(int(min(c.uleb(), 1<<31)))
	case formBlock1:
		c.take(int(c.fixed(1)))
	case formBlock2:
		c.take(int(c.fixed(2)))
	case formBlock4:
		c.take(int(c.fixed(4)))
	default:
		c.bad = true
	}
	return str, val
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
