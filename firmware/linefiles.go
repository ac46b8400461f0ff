package firmware

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
// takes no bytes cannot be repeated endlessly.
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
