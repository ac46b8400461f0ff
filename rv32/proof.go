package rv32

import "encoding/binary"

// cell is a range of memory to which the loop stores.
type cell struct {
	bank      *Bank
	off, size uint32
	head, now interval
	fresh     bool // added in this iteration
}

// step is an instruction of the loop.
type step struct {
	in      Inst
	pc      uint32
	next    uint32 // after it
	to      uint32 // executed after it
	trapped bool   // it raises the exception cause with value, see traploop.go
	cause   uint32
	value   uint32
}

// proof shows that a loop takes the same path for a number of iterations,
// whatever the timer reads meanwhile.
type proof struct {
	c      *CPU
	length uint64 // of an iteration, in instructions
	path   []step // of the first attempt; later ones follow it

	counters bool // registers and cells may be counters
	rounds   uint64
	head     [32]interval
	x        [32]interval
	cells    []cell
	grown    bool // a cell was added in this iteration
	trap     trapRegisters
	stores   int  // stores to the bus in this iteration
	stale    bool // latches may have values of an earlier iteration
	names    uint32
	named    []latch
}

type latch struct {
	addr uint32
	size uint32
	name uint32
}

// holds reports whether the given number of iterations from here take the same
// path, and how many of them must be executed at the end so that the state is
// that of executing all.
func (p *proof) holds(rounds uint64) (depth uint64, ok bool) {
	c := p.c
	p.rounds = rounds
	p.cells = p.cells[:0]
	for i := range p.head {
		p.head[i] = exactly(c.x[i])
	}
	// find bounds at the loop head that an iteration does not leave
	closed := false
	for i := range 6 {
		p.stale = false
		if !p.round() {
			return 0, false
		}
		closed = !p.grown
		for r := range p.head {
			closed = p.widen(&p.head[r], p.x[r], i == 0) && closed
		}
		for j := range p.cells {
			k := &p.cells[j]
			closed = p.widen(&k.head, k.now, k.fresh) && closed
			k.fresh = false
		}
		if closed {
			break
		}
	}
	if !closed || p.rewritten() {
		return 0, false
	}
	// count the iterations until nothing depends on the state before them
	for i := range p.head {
		p.head[i].stale = !p.head[i].linear()
	}
	for i := range p.cells {
		p.cells[i].head.stale = !p.cells[i].head.linear()
	}
	p.stale = p.stores > 0
	for depth = 1; depth <= 4; depth++ {
		if !p.round() || p.grown {
			return 0, false
		}
		clean := true
		for i := range p.head {
			p.head[i].stale = p.x[i].stale
			clean = clean && !p.x[i].stale
		}
		for i := range p.cells {
			k := &p.cells[i]
			k.head.stale = k.now.stale
			clean = clean && !k.now.stale
		}
		p.stale = false
		if clean {
			return depth, true
		}
	}
	return 0, false
}

// round executes the loop once on intervals.
func (p *proof) round() bool {
	c := p.c
	p.x = p.head
	p.grown, p.stores, p.names, p.named = false, 0, 0, p.named[:0]
	p.trap = c.trapRegisters()
	for i := range p.cells {
		p.cells[i].now = p.cells[i].head
	}
	pc := c.pc
	for i := range p.length {
		if uint64(len(p.path)) == i {
			word, ok := p.fetch(pc)
			if !ok {
				return false
			}
			in, size := Decode(word, pc)
			p.path = append(p.path, step{in: in, pc: pc, next: pc + size, to: noJump})
		}
		s := &p.path[i]
		to, ok := p.execute(s, c.cycles+i)
		if !ok {
			return false
		}
		if s.to == noJump {
			s.to = to
		} else if s.to != to {
			return false
		}
		pc = to
	}
	return pc == c.pc && p.trap == c.trapRegisters()
}

func (p *proof) set(rd uint8, v interval) {
	if rd < 32 && rd != 0 {
		p.x[rd] = v
	}
}

// execute executes an instruction whose first execution is at cycle from.
func (p *proof) execute(s *step, from uint64) (to uint32, ok bool) {
	in := s.in
	a, b := p.x[in.Rs1], p.x[in.Rs2]
	until := from + (p.rounds-1)*p.length
	if s.trapped {
		return p.raise(s, a)
	}
	switch op := in.Op; {
	case op == OpLI:
		p.set(in.Rd, exactly(in.Imm))
	case op < OpADD:
		p.set(in.Rd, p.compute(op, a, exactly(in.Imm)))
	case op < OpFENCE:
		p.set(in.Rd, p.compute(op, a, b))
	case op == OpFENCE:
	case op <= OpLHU:
		if !a.exact() {
			return 0, false
		}
		v, ok := p.load(op, a.lo+in.Imm, from, until)
		if !ok {
			return 0, false
		}
		p.set(in.Rd, v)
	case op <= OpSW:
		if !a.exact() || !p.store(uint32(1)<<(op-OpSB), a.lo+in.Imm, b, from, until) {
			return 0, false
		}
	case op <= OpCSRRCI:
		if !p.csr(in, a, from, until) {
			return 0, false
		}
	case op <= OpBGEU:
		taken, ok := decide(op, a, b)
		if !ok {
			return 0, false
		}
		if taken {
			return in.Imm, true
		}
	case op == OpJAL:
		p.set(in.Rd, exactly(s.next))
		return in.Imm, true
	case op == OpJALR:
		p.set(in.Rd, exactly(s.next))
		return (a.lo + in.Imm) &^ 1, a.exact()
	case op == OpMRET:
		return p.trap.mret(), p.trap.Mode == Machine
	default:
		return 0, false
	}
	return s.next, true
}

func (p *proof) load(op Op, addr uint32, from, until uint64) (interval, bool) {
	size := [...]uint32{1, 2, 4, 1, 2}[op-OpLB]
	v, ok := p.loadRaw(addr, size, from, until)
	if !ok {
		return v, false
	}
	switch sign := uint32(1) << (8*size - 1); {
	case op == OpLB || op == OpLH:
		v.step = 0
		if v.lo&sign != v.hi&sign || v.hi-v.lo >= sign {
			return anything, true
		}
		if v.lo&sign != 0 {
			v.lo, v.hi = v.lo|-sign, v.hi|-sign
		}
	}
	return v, true
}

func (p *proof) loadRaw(addr, size uint32, from, until uint64) (interval, bool) {
	c := p.c
	if addr&(size-1) != 0 || p.noticed(trigLoad, addr, size) {
		return anything, false
	}
	if mp := c.mem.at(addr); mp.perm&Read != 0 {
		off := mp.page<<pageShift + addr%PageSize
		for i := range p.cells {
			k := &p.cells[i]
			if k.bank != mp.bank || off+size <= k.off || k.off+k.size <= off {
				continue
			}
			return k.now, k.off == off && k.size == size
		}
		var w [4]byte
		mp.bank.Read(off, w[:size])
		return exactly(binary.LittleEndian.Uint32(w[:])), true
	}
	if c.spinBus == nil {
		return anything, false
	}
	sv := c.spinBus.SpinLoad(addr, int(size), from, until)
	v := interval{lo: sv.Lo, hi: sv.Hi}
	if !sv.OK || sv.Lo > sv.Hi || uint64(sv.Hi)>>(8*size) != 0 {
		return anything, false
	}
	if sv.Latched && !v.exact() {
		v.stale = p.stale
		for _, l := range p.named {
			if l.addr == addr && l.size == size {
				v.name = l.name
				return v, true
			}
		}
		p.names++
		v.name = p.names
		p.named = append(p.named, latch{addr, size, v.name})
	}
	return v, true
}

func (p *proof) store(size, addr uint32, v interval, from, until uint64) bool {
	c := p.c
	if addr&(size-1) != 0 || p.noticed(trigStore, addr, size) {
		return false
	}
	mp := c.mem.at(addr)
	if mp.perm&Write == 0 {
		p.stores++
		p.named = p.named[:0]
		return c.spinBus != nil && v.exact() && !v.stale && c.spinBus.SpinStore(addr, int(size), v.lo&(1<<(8*size)-1), from, until)
	}
	off := mp.page<<pageShift + addr%PageSize
	if mp.bank.code[mp.page].special()&linesOf(off, size) != 0 {
		return false
	}
	if size < 4 {
		if v.hi>>(8*size) != 0 {
			if !v.exact() {
				return false
			}
			v = interval{lo: v.lo & (1<<(8*size) - 1), stale: v.stale}
			v.hi = v.lo
		}
	}
	for i := range p.cells {
		k := &p.cells[i]
		if k.bank != mp.bank || off+size <= k.off || k.off+k.size <= off {
			continue
		}
		k.now = v
		return k.off == off && k.size == size
	}
	var w [4]byte
	mp.bank.Read(off, w[:size])
	p.cells = append(p.cells, cell{mp.bank, off, size, exactly(binary.LittleEndian.Uint32(w[:])), v, true})
	p.grown = true
	return true
}

// csr allows reads of CSRs that are storage or count cycles, and the interrupt
// enable of critical sections.
func (p *proof) csr(in Inst, a interval, from, until uint64) bool {
	c := p.c
	n := uint16(in.Imm >> 20)
	if Mode(n>>8&3) > p.trap.Mode {
		return false
	}
	imm := in.Op >= OpCSRRWI
	set := in.Op != OpCSRRW && in.Op != OpCSRRWI
	writes := !set || in.Rs1 != 0
	if n == 0x300 {
		old := p.trap.Mstatus
		if writes {
			if imm {
				a = exactly(uint32(in.Rs1))
			}
			if !a.exact() || a.stale || c.irq != 0 {
				return false
			}
			v := a.lo
			switch in.Op {
			case OpCSRRS, OpCSRRSI:
				v = old | a.lo
			case OpCSRRC, OpCSRRCI:
				v = old &^ a.lo
			}
			const simple = mstatusMIE | mstatusMPIE
			if (v^old)&^simple != 0 {
				return false
			}
			p.trap.Mstatus = v
		}
		p.set(in.Rd, exactly(old))
		return true
	}
	if writes {
		return false
	}
	switch n {
	case 0x341:
		p.set(in.Rd, exactly(p.trap.Mepc))
		return true
	case 0x342:
		p.set(in.Rd, exactly(p.trap.Mcause))
		return true
	case 0x343:
		p.set(in.Rd, exactly(p.trap.Mtval))
		return true
	case csrTcontrol:
		p.set(in.Rd, exactly(p.trap.Tcontrol))
		return true
	case csrMpccr, csrUpccr:
		base, mode := uint64(c.csr.MpccrBase), c.mcount
		if n == csrUpccr {
			base, mode = uint64(c.csr.UpccrBase), c.ucount
		}
		if mode == countNothing {
			p.set(in.Rd, exactly(uint32(base)))
			return true
		}
		if (base+from)>>32 != (base+until)>>32 {
			return false
		}
		p.set(in.Rd, interval{lo: uint32(base + from), hi: uint32(base + until)})
		return true
	}
	w, _ := c.csrWord(n)
	if w == nil {
		return false
	}
	p.set(in.Rd, exactly(*w))
	return true
}
