package firmware

// Registers are what is known of the CPU's registers: x1 is ra, x2 sp, x8 the
// frame pointer (RISC-V psABI).
type Registers struct {
	PC    uint32
	X     [32]uint32
	Known uint32 // bit n: X[n] is known
}

// Set notes a register.
func (r *Registers) Set(n int, v uint32) {
	r.X[n] = v
	r.Known |= 1 << n
}

func (r *Registers) get(n uint64) (uint32, bool) {
	if n == 0 {
		return 0, true
	}
	return r.X[n&31], n < 32 && r.Known>>n&1 != 0
}

// Stack is what Unwind is given.
type Stack struct {
	Registers
	// Exact: PC is the address of an instruction that has not run yet; else
	// it is a return address.
	Exact bool
	// Memory reads a word of the stack.
	Memory func(addr uint32) (uint32, bool)
	// Likely, if not nil, helps to choose between calls that the stack cannot
	// tell apart.
	Likely func(returnAddress uint32) bool
}

// maxUnwind is the deepest stack that is followed.
const maxUnwind = 128

// Unwind follows the calls on a stack with the call frame information of the
// ELF (.debug_frame, else .eh_frame), which needs no frame pointers, and in
// functions without it by their instructions (codeFrame). The result begins with PC; every further address is a return address, so that
// the place of the call is at least two bytes earlier. It ends where the
// information does: at the entry point, in assembly, or where a register or
// the memory is not known.
//
// Functions that never return, such as those that begin a panic, do not save
// their return address: the compiler assumes that it is not needed. There the callers
// are searched for one whose frame fits the stack, see lostCaller.
func (e *ELF) Unwind(s Stack) []uint32 {
	if !e.Executable(s.PC) || s.Memory == nil {
		return nil
	}
	u := unwinder{elf: e, table: e.frameInfo(), stack: s, steps: maxCodeSteps}
	r, exact := s.Registers, s.Exact
	out := []uint32{r.PC}
	for len(out) < maxUnwind {
		f, ok := u.frame(r, exact)
		if !ok {
			break
		}
		if f.lost {
			path := u.lostCaller(uint32(f.entry.start), f.cfa)
			if path == nil {
				break
			}
			for _, p := range path {
				out = append(out, p.ret)
			}
			// Of the registers only these are known after the gap.
			last := path[len(path)-1]
			r = Registers{PC: last.ret}
			r.Set(2, last.sp)
			exact = false
			continue
		}
		ra, ok := f.caller.get(f.entry.cie.returnReg)
		if !ok || ra == 0 || !e.Executable(ra-1) {
			break
		}
		if sp, ok := r.get(2); ok && (f.cfa < sp || f.cfa == sp && ra == r.PC) {
			break // towards outer frames the stack only shrinks
		}
		r, exact = f.caller, false
		r.Set(2, f.cfa)
		r.PC = ra
		out = append(out, ra)
	}
	return out
}

type unwinder struct {
	elf    *ELF
	table  *frameTable
	stack  Stack
	budget int // calls that a search may still try
	steps  int // see codeFrame
}

// stackFrame is one function's frame.
type stackFrame struct {
	entry  *frameEntry
	cfa    uint32
	caller Registers // as they were at the call, but for sp and pc
	lost   bool      // the return address was not saved before a call overwrote it
}

func (u *unwinder) frame(r Registers, exact bool) (f stackFrame, ok bool) {
	at := r.PC
	if !exact {
		at--
	}
	if f.entry = u.table.find(at); f.entry == nil {
		f.entry = u.elf.codeFrameAt(at, &u.steps)
	}
	if f.entry == nil {
		return f, false
	}
	row, ok := f.entry.row(at)
	base, known := r.get(row.cfaReg)
	if !ok || !known {
		return f, false
	}
	f.cfa = base + uint32(row.cfaOffset)
	f.caller = r
	for i := 1; i < 32; i++ {
		f.caller.apply(i, row.regs[i], f.cfa, &r, u.stack.Memory)
	}
	f.lost = !exact && row.regs[f.entry.cie.returnReg].kind == sameValue
	return f, true
}

// hop is a call that was found without a saved return address.
type hop struct {
	ret uint32 // return address
	sp  uint32 // stack pointer at the call
}

// Bounds of a search for callers.
const (
	maxHops   = 8
	maxTries  = 1 << 15
	hopExact  = 2 // the saved address is that of a call to this very function
	hopSomeOf = 1 // it is that of some call
)

// lostCaller finds who called function, whose frame ends at cfa: of all calls
// to it, one in a function whose own return address, which its frame says
// where to find, belongs to a call of that function. A caller that does not
// save its return address either leads further.
func (u *unwinder) lostCaller(function, cfa uint32) []hop {
	u.budget = maxTries
	path, score := u.search(function, cfa, 0)
	if score == 0 {
		return nil
	}
	return path
}

func (u *unwinder) search(function, cfa uint32, depth int) (best []hop, bestScore int) {
	if depth >= maxHops {
		return nil, 0
	}
	g := u.elf.calls()
	likely := false
	for _, ret := range g.callers[function] {
		if u.budget--; u.budget < 0 {
			return best, bestScore
		}
		r := Registers{PC: ret}
		r.Set(2, cfa)
		f, ok := u.frame(r, false)
		if !ok {
			continue
		}
		path, score := []hop{{ret, cfa}}, 0
		switch {
		case f.lost:
			var more []hop
			more, score = u.search(uint32(f.entry.start), f.cfa, depth+1)
			path = append(path, more...)
		default:
			ra, known := f.caller.get(f.entry.cie.returnReg)
			if target, call := g.sites[ra]; known && call {
				score = hopSomeOf
				if target == uint32(f.entry.start) {
					score = hopExact
				}
			}
		}
		prefer := u.stack.Likely != nil && u.stack.Likely(ret)
		if score > bestScore || score == bestScore && score > 0 && prefer && !likely {
			best, bestScore, likely = path, score, prefer
		}
	}
	return best, bestScore
}

// apply finds the caller's value of register n.
func (r *Registers) apply(n int, u rule, cfa uint32, callee *Registers, memory func(uint32) (uint32, bool)) {
	var v uint32
	var ok bool
	switch u.kind {
	case sameValue:
		return
	case savedAt:
		v, ok = memory(cfa + uint32(u.offset))
	case cfaPlus:
		v, ok = cfa+uint32(u.offset), true
	case inRegister:
		v, ok = callee.get(uint64(u.offset))
	}
	if ok {
		r.Set(n, v)
	} else {
		r.Known &^= 1 << n
	}
}
