package rv32

import "encoding/binary"

// Many loops that wait also count: the iterations that are left until a timeout,
// or those that were made. Such a register or word of memory is a counter: its value at the
// start of an iteration is that of the iteration before plus a constant, the
// step. In a proof it has the bounds of the iterations that are looked at, so
// that a branch at the limit of a timeout ends them; when they are skipped, it
// has the value of a product.

// linear reports whether the value is known in every iteration: it is exact or a
// counter.
func (v interval) linear() bool { return v.exact() || v.step != 0 }

// initial is a linear value in the first iteration.
func (v interval) initial() uint32 {
	if v.step != 0 {
		return v.first
	}
	return v.lo
}

// counter is the value first + k*step, for the iterations k of the proof.
func (p *proof) counter(first, step uint32) interval {
	if step == 0 {
		return exactly(first)
	}
	v := interval{hi: 0xffffffff, first: first, step: step}
	if n := p.rounds - 1; n <= 1<<31 {
		switch last := int64(first) + int64(int32(step))*int64(n); {
		case last < 0 || last > 0xffffffff: // it wraps
		case last < int64(first):
			v.lo, v.hi = uint32(last), first
		default:
			v.lo, v.hi = first, uint32(last)
		}
	}
	return v
}

// compute is alu for intervals and counters.
func (p *proof) compute(op Op, a, b interval) interval {
	if a.step|b.step == 0 || !a.linear() || !b.linear() {
		return compute(op, a, b)
	}
	first, factor := alu(op, a.initial(), b.initial()), uint32(0)
	switch op {
	case OpADDI, OpADD:
		return p.counter(first, a.step+b.step)
	case OpSUB:
		return p.counter(first, a.step-b.step)
	case OpSLLI, OpSLL:
		if b.step != 0 {
			return compute(op, a, b)
		}
		factor = 1 << (b.lo & 31)
	case OpMUL:
		if a.step != 0 && b.step != 0 {
			return compute(op, a, b)
		}
		return p.counter(first, a.step*b.initial()+b.step*a.initial())
	default:
		return compute(op, a, b)
	}
	return p.counter(first, a.step*factor)
}

// widen changes the value at the start of an iteration to one that includes now,
// the value at its end. It reports whether it was sufficient. A value that was
// exact may become a counter after the first iteration.
func (p *proof) widen(head *interval, now interval, first bool) bool {
	switch {
	case head.step != 0:
		if now.step == head.step && now.first == head.first+head.step {
			return true
		}
		*head = join(exactly(head.first), now)
	case now.within(*head):
		return true
	case p.counters && first && head.exact() && now.exact():
		*head = p.counter(head.lo, now.lo-head.lo)
	default:
		*head = join(*head, now)
	}
	return false
}

// counted is a counter: a register, or a cell of memory.
type counted struct {
	register   int
	bank       *Bank // nil: a register
	off, size  uint32
	value, add uint32
}

// counted returns the counters of a proof.
func (p *proof) counted() (list []counted) {
	for i, v := range p.head {
		if v.step != 0 {
			list = append(list, counted{register: i, value: v.first, add: v.step})
		}
	}
	for _, k := range p.cells {
		if v := k.head; v.step != 0 {
			list = append(list, counted{bank: k.bank, off: k.off, size: k.size, value: v.first, add: v.step})
		}
	}
	return list
}

// skip gives a counter the value after a number of iterations.
func (k *counted) skip(c *CPU, rounds uint64) {
	v := k.value + uint32(rounds)*k.add
	if k.bank == nil {
		c.x[k.register] = v
		return
	}
	var w [4]byte
	binary.LittleEndian.PutUint32(w[:], v)
	k.bank.Write(k.off, w[:k.size])
}

// longest proves as many iterations as it can, up to most, and skips them but for
// the last ones, which have to be executed: the state is then that of executing
// the skipped ones. It returns the number of iterations skipped, and that of those left.
func (p *proof) longest(most uint64) (skipped, depth uint64) {
	good := uint64(0)
	var counters []counted
	try := func(rounds uint64) bool {
		d, ok := p.holds(rounds)
		if ok {
			good, depth, counters = rounds, d, p.counted()
		}
		return ok
	}
	for p.counters = false; !try(spinLeast); p.counters = true {
		if p.counters {
			return 0, 0
		}
	}
	if !try(most) {
		// the largest number of iterations that can be proved; if the proof is
		// not monotonic, the result is correct but not optimal
		for low, high := uint64(spinLeast), most; high-low > 1+low/256; {
			mid := low + (high-low)/2
			if try(mid) {
				low = mid
			} else {
				high = mid
			}
		}
	}
	skipped = good - depth
	for i := range counters {
		counters[i].skip(p.c, skipped)
	}
	p.c.cycles += skipped * p.length
	return skipped, depth
}
