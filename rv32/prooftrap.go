package rv32

// What a proof has to know of traps and protection: a loop may contain exceptions
// that are the same in every iteration (traploop.go), and it must not contain an
// access that something notices.

// raise is the exception that an instruction with operand a has raised in the
// iteration that was executed. It raises it again if it accesses the same
// address.
func (p *proof) raise(s *step, a interval) (to uint32, ok bool) {
	if op := s.in.Op; op > OpFENCE && op <= OpSW && !a.exact() {
		return 0, false
	}
	p.trap.enter(s.pc, s.cause, s.value)
	return s.to, true
}

// fetch reads an instruction that can be executed without an exception.
func (p *proof) fetch(pc uint32) (word uint32, ok bool) {
	c, t := p.c, &p.trap
	word, _, ok = c.mem.fetch(pc)
	if !ok || c.guard.execute && c.firing(trigExecute, pc, 2, t.Mode, t.Tcontrol) >= 0 {
		return 0, false
	}
	if t.Mode == User || len(c.pmp) > 0 {
		ok = c.allowsIn(t.Mode, pc, 2, Exec) && (word&3 != 3 || c.allowsIn(t.Mode, pc+2, 2, Exec))
	}
	return word, ok
}

// noticed reports whether a trigger fires for an access, the PMP refuses it, or a
// monitor reports it.
func (p *proof) noticed(kind, addr, n uint32) bool {
	c, t := p.c, &p.trap
	if c.guard.data && (c.firing(kind, addr, n, t.Mode, t.Tcontrol) >= 0 || c.monitors(kind, addr)) {
		return true
	}
	perm := Read
	if kind == trigStore {
		perm = Write
	}
	return (t.Mode == User || len(c.pmp) > 0) && !c.allowsIn(t.Mode, addr, n, perm)
}

// rewritten reports whether the loop stores to its own instructions. The engines
// differ in what they know of decoded code, so that this looks at the path.
func (p *proof) rewritten() bool {
	for i := range p.path {
		s := &p.path[i]
		mp := p.c.mem.at(s.pc)
		off := mp.page<<pageShift + s.pc%PageSize
		for _, k := range p.cells {
			if k.bank == mp.bank && k.off < off+4 && off < k.off+k.size {
				return true
			}
		}
	}
	return false
}
