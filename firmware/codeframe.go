package firmware

import (
	"debug/elf"
	"encoding/binary"

	"espalier.dev/espalier/rv32"
)

// Registers by number (RISC-V psABI).
const (
	raReg = 1
	spReg = 2
	fpReg = 8
)

// maxCodeSteps bounds the instructions that the rows of one stack are looked for
// in; the longest functions of Wi-Fi firmware have some ten thousand.
const maxCodeSteps = 1 << 22

// codeFrame finds the frame of a function from its instructions, where the ELF
// has no call frame information: a release build without debug information has
// none, whatever its frame pointers. It follows the stack pointer, the frame
// pointer and the saves of registers along the function's own jumps;
// docs/RATIONALE.md has the alternatives.
type codeFrame struct {
	code  []byte
	start uint32
	steps *int // instructions that may still be followed, of a whole stack
}

// codeFrameAt returns an entry for the function at addr, nil when no symbol says
// where that begins and ends. What its rows cost is subtracted from steps.
func (e *ELF) codeFrameAt(addr uint32, steps *int) *frameEntry {
	t := e.table()
	i := findSpan(t.spans, addr)
	if i < 0 {
		return nil
	}
	span := t.spans[i]
	start := t.funcs[span.item].Addr
	if start > addr {
		return nil
	}
	code := e.codeBetween(start, span.end)
	if code == nil {
		return nil
	}
	return &frameEntry{start: uint64(start), end: uint64(span.end), cie: &frameCIE{returnReg: raReg}, code: &codeFrame{code, start, steps}}
}

// codeBetween returns the instructions of an executable section, nil where there
// are none.
func (e *ELF) codeBetween(start uint32, end uint64) []byte {
	for i := range e.sections {
		s := &e.sections[i]
		if s.flags&elf.SHF_EXECINSTR == 0 || s.typ == elf.SHT_NOBITS || start < s.addr {
			continue
		}
		code, err := e.data(s)
		from, to := uint64(start-s.addr), min(end-uint64(s.addr), uint64(len(code)))
		if err == nil && from < to {
			return code[from:to]
		}
	}
	return nil
}

// codeState is what is known before an instruction. Distances are in bytes below
// the CFA, the stack pointer at the function's entry.
type codeState struct {
	pc         uint32
	sp, fp     int32 // CFA - register
	spOK, fpOK bool
	slot       [32]int32  // where the caller's value is, as a distance; 0: not saved
	written    uint32     // bit n: register n no longer has the caller's value
	constants  uint32     // bit n: value[n] is known
	value      [32]uint32 // of registers that adjust the stack pointer by more than an immediate
}

// row returns the frame's row for addr, an address in an instruction.
func (f *codeFrame) row(addr uint32) (r frameRow, ok bool) {
	s, ok := f.state(addr)
	if !ok {
		return r, false
	}
	switch {
	case s.spOK:
		r.cfaReg, r.cfaOffset, r.cfaOK = spReg, int64(s.sp), true
	case s.fpOK:
		r.cfaReg, r.cfaOffset, r.cfaOK = fpReg, int64(s.fp), true
	}
	for n := range r.regs {
		switch {
		case s.slot[n] != 0:
			r.regs[n] = rule{savedAt, -int64(s.slot[n])}
		case n != raReg && s.written>>n&1 != 0: // ra: see stackFrame.lost
			r.regs[n] = rule{kind: undefined}
		}
	}
	return r, r.cfaOK
}

// state follows the function from its entry until it comes to addr. What follows
// a call is followed last: the callee may never return, and what is there then
// belongs to another path.
func (f *codeFrame) state(addr uint32) (codeState, bool) {
	todo := []codeState{{pc: f.start, spOK: true}}
	var afterCalls, tables []codeState
	seen := make(map[uint32]bool)
	for {
		var s codeState
		switch {
		case len(todo) > 0:
			s, todo = pop(todo)
		case len(afterCalls) > 0:
			s, afterCalls = pop(afterCalls)
		default:
			var ok bool
			if s, ok = f.afterTable(tables, seen); !ok {
				return s, false
			}
		}
		for f.has(s.pc) && !seen[s.pc] {
			if *f.steps--; *f.steps < 0 {
				return s, false
			}
			seen[s.pc] = true
			in, size := rv32.Decode(f.word(s.pc), s.pc)
			if addr-s.pc < size {
				return s, true
			}
			next := s.pc + size
			s.step(in)
			s.pc = next
			switch {
			case in.Op >= rv32.OpBEQ && in.Op <= rv32.OpBGEU:
				branch := s
				branch.pc = in.Imm
				todo = append(todo, branch)
				continue
			case in.Op == rv32.OpJAL && in.Rd == rv32.SinkReg:
				s.pc = in.Imm // also out of the function: a tail call
				continue
			case in.Op == rv32.OpJALR && in.Rd == rv32.SinkReg:
				if in.Rs1 != raReg {
					tables = append(tables, s)
				}
			case in.Op == rv32.OpJAL || in.Op == rv32.OpJALR:
				afterCalls = append(afterCalls, s)
			case in.Op != rv32.OpMRET && in.Op != rv32.OpIllegal:
				continue
			}
			break
		}
	}
}

// afterTable returns a state for the first instructions that nothing has led to:
// those that only a jump table names have the state of the jump before them.
func (f *codeFrame) afterTable(tables []codeState, seen map[uint32]bool) (s codeState, ok bool) {
	for pc := f.start; f.has(pc) && *f.steps > 0; *f.steps-- {
		_, size := rv32.Decode(f.word(pc), pc)
		if !seen[pc] {
			for _, t := range tables {
				if t.pc <= pc && (!ok || t.pc > s.pc) {
					s, ok = t, true
				}
			}
			if ok {
				s.pc = pc
				return s, true
			}
		}
		pc += size
	}
	return s, false
}

// step is the effect of an instruction on what is known.
func (s *codeState) step(in rv32.Inst) {
	imm := int32(in.Imm)
	base, known := int32(0), false // CFA - the base register, for loads and stores
	switch in.Rs1 {
	case spReg:
		base, known = s.sp, s.spOK
	case fpReg:
		base, known = s.fp, s.fpOK
	}
	if in.Op == rv32.OpSW {
		if at := base - imm; known && at > 0 && s.written>>in.Rs2&1 == 0 && s.slot[in.Rs2&31] == 0 && saved(in.Rs2) {
			s.slot[in.Rs2] = at
		}
		return
	}
	if in.Op == rv32.OpFENCE || in.Rd == 0 || in.Rd > 31 {
		return
	}
	rd := in.Rd
	value, constant := s.constant(in)
	s.constants &^= 1 << rd
	if constant {
		s.constants |= 1 << rd
		s.value[rd] = value
	}
	restored := in.Op == rv32.OpLW && known && s.slot[rd] != 0 && base-imm == s.slot[rd]
	switch rd {
	case spReg:
		s.sp, s.spOK = s.pointer(in)
		return
	case fpReg:
		if !restored {
			s.fp, s.fpOK = s.pointer(in)
		} else {
			s.fpOK = false
		}
	}
	if restored {
		s.slot[rd] = 0
		s.written &^= 1 << rd
		return
	}
	s.written |= 1 << rd
}

// saved reports whether the caller's value of a register is needed: those that a
// call preserves, and the return address.
func saved(n uint8) bool { return n == raReg || n == 8 || n == 9 || n >= 18 && n <= 27 }

// pointer is the distance of the result of an instruction that computes a stack
// or frame pointer.
func (s *codeState) pointer(in rv32.Inst) (int32, bool) {
	of := func(n uint8) (int32, bool) {
		switch n {
		case spReg:
			return s.sp, s.spOK
		case fpReg:
			return s.fp, s.fpOK
		}
		return 0, false
	}
	switch in.Op {
	case rv32.OpADDI:
		d, ok := of(in.Rs1)
		return d - int32(in.Imm), ok
	case rv32.OpADD, rv32.OpSUB:
		a, b := in.Rs1, in.Rs2
		d, ok := of(a)
		if !ok && in.Op == rv32.OpADD {
			a, b = b, a
			d, ok = of(a)
		}
		v, known := s.read(b)
		if in.Op == rv32.OpSUB {
			v = -v
		}
		return d - int32(v), ok && known
	}
	return 0, false
}

// constant is the result of an instruction that loads a constant.
func (s *codeState) constant(in rv32.Inst) (uint32, bool) {
	switch in.Op {
	case rv32.OpLI:
		return in.Imm, true
	case rv32.OpADDI:
		v, ok := s.read(in.Rs1)
		return v + in.Imm, ok
	}
	return 0, false
}

func (s *codeState) read(n uint8) (uint32, bool) {
	if n == 0 {
		return 0, true
	}
	return s.value[n&31], s.constants>>(n&31)&1 != 0
}

func (f *codeFrame) has(pc uint32) bool { return uint64(pc-f.start)+2 <= uint64(len(f.code)) }

// word is the instruction at pc; the upper half of the last one may be missing.
func (f *codeFrame) word(pc uint32) uint32 {
	b := f.code[pc-f.start:]
	if len(b) < 4 {
		return uint32(binary.LittleEndian.Uint16(b))
	}
	return binary.LittleEndian.Uint32(b)
}

func pop(list []codeState) (codeState, []codeState) {
	return list[len(list)-1], list[:len(list)-1]
}
