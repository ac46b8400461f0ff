package firmware

import (
	"debug/elf"
	"sort"
)

// frameTable is the call frame information of an ELF: for each address, how
// to find the caller's frame (DWARF 5, section 6.4).
type frameTable struct {
	entries []frameEntry // by start
}

// frameEntry is one FDE with what its CIE says.
type frameEntry struct {
	start, end   uint64
	cie          *frameCIE
	instructions []byte
	code         *codeFrame // the function itself, where there is no FDE
}

type frameCIE struct {
	codeAlign   uint64
	dataAlign   int64
	returnReg   uint64
	initial     []byte
	pointerForm byte // of .eh_frame
	augmented   bool // FDEs have augmentation data
}

// maxFrameEntries bounds a table; a firmware has some thousand functions.
const maxFrameEntries = 1 << 18

func (e *ELF) frameInfo() *frameTable {
	e.cfiOnce.Do(func() {
		t := &frameTable{}
		for i := range e.sections {
			s := &e.sections[i]
			eh := s.name == ".eh_frame"
			if s.name != ".debug_frame" && !eh || s.typ == elf.SHT_NOBITS {
				continue
			}
			if b, err := e.data(s); err == nil {
				t.read(b, s.addr, eh)
			}
		}
		sort.SliceStable(t.entries, func(i, j int) bool { return t.entries[i].start < t.entries[j].start })
		e.cfi = t
	})
	return e.cfi
}

// read adds the entries of one section. Damage ends it; what came before
// stays.
func (t *frameTable) read(all []byte, base uint32, eh bool) {
	cies := map[int]*frameCIE{}
	for off := 0; off+8 <= len(all) && len(t.entries) < maxFrameEntries; {
		c := cursor{b: all[off:]}
		length := c.fixed(4)
		if length == 0 && eh {
			return
		}
		if length >= 0xfffffff0 || length < 4 || length > uint64(len(c.b)) {
			return
		}
		c.b = c.b[:length]
		at := off + 4
		off = at + int(length)
		id := c.fixed(4)
		if eh && id == 0 || !eh && id == 0xffffffff {
			if cie := readCIE(&c, eh); cie != nil {
				cies[at-4] = cie
			}
			continue
		}
		from := int(id)
		if eh {
			from = at - int(id)
		}
		cie := cies[from]
		if cie == nil {
			continue
		}
		here := base + uint32(at) + 4
		start, ok := cie.pointer(&c, here)
		size, ok2 := cie.pointer(&c, 0)
		if cie.augmented {
			c.take(int(min(c.uleb(), 1<<20)))
		}
		if !ok || !ok2 || c.bad || size == 0 || start == 0 {
			continue
		}
		t.entries = append(t.entries, frameEntry{start: uint64(start), end: uint64(start) + uint64(size), cie: cie, instructions: c.b})
	}
}

// readCIE reads what follows the id of a common information entry; nil for
// one of a form that compilers for this chip do not make.
func readCIE(c *cursor, eh bool) *frameCIE {
	cie := &frameCIE{}
	version := c.fixed(1)
	augmentation := c.str()
	switch {
	case version == 4 && !eh:
		if c.fixed(1) != 4 || c.fixed(1) != 0 { // address and segment size
			return nil
		}
	case version != 1 && version != 3:
		return nil
	}
	cie.codeAlign = c.uleb()
	cie.dataAlign = c.sleb()
	if version == 1 {
		cie.returnReg = c.fixed(1)
	} else {
		cie.returnReg = c.uleb()
	}
	if augmentation != "" {
		if augmentation[0] != 'z' {
			return nil
		}
		cie.augmented = true
		data := cursor{b: c.take(int(min(c.uleb(), 1<<20)))}
		for _, a := range augmentation[1:] {
			switch a {
			case 'R':
				cie.pointerForm = byte(data.fixed(1))
			case 'P':
				data.take(1 + 4) // form and address of a personality
			case 'L':
				data.take(1)
			case 'S':
			default:
				return nil
			}
		}
		if data.bad {
			return nil
		}
	}
	cie.initial = c.b
	if c.bad || cie.codeAlign == 0 || cie.returnReg > 31 {
		return nil
	}
	return cie
}

// pointer reads an address of an FDE; here is its own address, 0 for a size.
func (cie *frameCIE) pointer(c *cursor, here uint32) (uint32, bool) {
	var v uint32
	switch cie.pointerForm & 0x0f {
	case 0x00, 0x03, 0x0b: // absolute, udata4, sdata4
		v = uint32(c.fixed(4))
	case 0x02: // udata2
		v = uint32(c.fixed(2))
	case 0x0a: // sdata2
		v = uint32(int32(int16(c.fixed(2))))
	default:
		return 0, false
	}
	switch {
	case here == 0 || cie.pointerForm&0x70 == 0:
	case cie.pointerForm&0x70 == 0x10: // relative to itself
		v += here
	default:
		return 0, false
	}
	return v, !c.bad
}

// find returns the entry that covers addr.
func (t *frameTable) find(addr uint32) *frameEntry {
	i := sort.Search(len(t.entries), func(i int) bool { return t.entries[i].start > uint64(addr) }) - 1
	if i < 0 || uint64(addr) >= t.entries[i].end {
		return nil
	}
	return &t.entries[i]
}

// rule says where the caller's value of a register is.
type rule struct {
	kind   ruleKind
	offset int64 // from the CFA, or the register
}

type ruleKind uint8

const (
	sameValue  ruleKind = iota // not saved: as it is
	undefined                  // lost; for the return address: there is no caller
	savedAt                    // in memory at CFA + offset
	cfaPlus                    // CFA + offset
	inRegister                 // in another register
	expression                 // a DWARF program: not supported
)

// frameRow is the table's row for one address.
type frameRow struct {
	cfaReg    uint64
	cfaOffset int64
	cfaOK     bool
	regs      [32]rule
}

// row runs the call frame instructions up to addr (DWARF 5, 6.4.2).
func (f *frameEntry) row(addr uint32) (frameRow, bool) {
	if f.code != nil {
		return f.code.row(addr)
	}
	var r frameRow
	m := cfaMachine{cie: f.cie, row: &r, at: f.start}
	if !m.run(f.cie.initial, 1<<40) {
		return r, false
	}
	m.start = r
	ok := m.run(f.instructions, uint64(addr))
	return r, ok && r.cfaOK
}

type cfaMachine struct {
	cie   *frameCIE
	row   *frameRow
	start frameRow // after the CIE's instructions
	stack []frameRow
	at    uint64
}

// run executes instructions until the address passes limit.
func (m *cfaMachine) run(code []byte, limit uint64) bool {
	c := cursor{b: code}
	r := m.row
	set := func(reg uint64, v rule) {
		if reg < 32 {
			r.regs[reg] = v
		}
	}
	for len(c.b) > 0 && !c.bad {
		op := c.b[0]
		c.b = c.b[1:]
		low := uint64(op & 0x3f)
		advance := uint64(0)
		switch {
		case op>>6 == 1: // advance_loc
			advance = low
		case op>>6 == 2: // offset
			set(low, rule{savedAt, int64(c.uleb()) * m.cie.dataAlign})
		case op>>6 == 3: // restore
			set(low, m.start.regs[low&31])
		default:
			switch op {
			case 0x00: // nop
			case 0x01: // set_loc
				m.at = c.fixed(4)
				if m.at > limit {
					return true
				}
			case 0x02:
				advance = c.fixed(1)
			case 0x03:
				advance = c.fixed(2)
			case 0x04:
				advance = c.fixed(4)
			case 0x05: // offset_extended
				reg := c.uleb()
				set(reg, rule{savedAt, int64(c.uleb()) * m.cie.dataAlign})
			case 0x06: // restore_extended
				reg := c.uleb()
				set(reg, m.start.regs[reg&31])
			case 0x07:
				set(c.uleb(), rule{kind: undefined})
			case 0x08:
				set(c.uleb(), rule{kind: sameValue})
			case 0x09: // register
				reg := c.uleb()
				set(reg, rule{inRegister, int64(c.uleb())})
			case 0x0a: // remember_state
				if len(m.stack) >= 64 {
					return false
				}
				m.stack = append(m.stack, *r)
			case 0x0b: // restore_state
				if len(m.stack) == 0 {
					return false
				}
				*r = m.stack[len(m.stack)-1]
				m.stack = m.stack[:len(m.stack)-1]
			case 0x0c: // def_cfa
				r.cfaReg = c.uleb()
				r.cfaOffset, r.cfaOK = int64(c.uleb()), true
			case 0x0d: // def_cfa_register
				r.cfaReg = c.uleb()
			case 0x0e: // def_cfa_offset
				r.cfaOffset = int64(c.uleb())
			case 0x0f: // def_cfa_expression
				c.take(int(min(c.uleb(), 1<<20)))
				r.cfaOK = false
			case 0x10, 0x16: // expression, val_expression
				reg := c.uleb()
				c.take(int(min(c.uleb(), 1<<20)))
				set(reg, rule{kind: expression})
			case 0x11: // offset_extended_sf
				reg := c.uleb()
				set(reg, rule{savedAt, c.sleb() * m.cie.dataAlign})
			case 0x12: // def_cfa_sf
				r.cfaReg = c.uleb()
				r.cfaOffset, r.cfaOK = c.sleb()*m.cie.dataAlign, true
			case 0x13: // def_cfa_offset_sf
				r.cfaOffset = c.sleb() * m.cie.dataAlign
			case 0x14: // val_offset
				reg := c.uleb()
				set(reg, rule{cfaPlus, int64(c.uleb()) * m.cie.dataAlign})
			case 0x15: // val_offset_sf
				reg := c.uleb()
				set(reg, rule{cfaPlus, c.sleb() * m.cie.dataAlign})
			case 0x2e: // GNU_args_size
				c.uleb()
			default:
				return false
			}
		}
		if advance > 0 {
			if m.at += advance * m.cie.codeAlign; m.at > limit {
				return true
			}
		}
	}
	return !c.bad
}
