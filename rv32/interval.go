package rv32

import "math/bits"

// interval is a set of possible 32-bit values: unsigned bounds; a name, where
// equal names (not 0) mean equal values; whether the value may depend on
// registers, memory or latches of an earlier iteration; and of a counter (see
// counting.go), whose step is not 0, the value in the first iteration.
type interval struct {
	lo, hi      uint32
	name        uint32
	stale       bool
	first, step uint32
}

func exactly(v uint32) interval           { return interval{lo: v, hi: v} }
func (v interval) exact() bool            { return v.lo == v.hi }
func (v interval) within(w interval) bool { return v.lo >= w.lo && v.hi <= w.hi }

func join(a, b interval) interval {
	return interval{lo: min(a.lo, b.lo), hi: max(a.hi, b.hi)}
}

var anything = interval{hi: 0xffffffff}

// compute is alu for intervals.
func compute(op Op, a, b interval) interval {
	var v interval
	switch {
	case a.exact() && b.exact():
		v = exactly(alu(op, a.lo, b.lo))
	default:
		v = bound(op, a, b)
	}
	// a value that is the same for all states does not depend on any
	v.stale = (a.stale || b.stale) && !v.exact()
	return v
}

// narrow makes an interval of 64-bit bounds if both are in the same 2^32.
func narrow(lo, hi uint64) interval {
	if lo>>32 != hi>>32 {
		return anything
	}
	return interval{lo: uint32(lo), hi: uint32(hi)}
}

// unknown is the mask of bits in which the values of an interval can differ.
func (v interval) unknown() uint32 { return 1<<bits.Len32(v.lo^v.hi) - 1 }

func bound(op Op, a, b interval) interval {
	al, ah, bl, bh := uint64(a.lo), uint64(a.hi), uint64(b.lo), uint64(b.hi)
	shift := b.lo & 31
	const sign = 1 << 31
	switch op {
	case OpADDI, OpADD:
		v := narrow(al+bl, ah+bh)
		if b.exact() && b.lo == 0 {
			v.name = a.name
		} else if a.exact() && a.lo == 0 {
			v.name = b.name
		}
		return v
	case OpSUB:
		if a.name != 0 && a.name == b.name {
			return exactly(0)
		}
		return narrow(al-bh, ah-bl)
	case OpANDI, OpAND:
		au, bu := a.unknown(), b.unknown()
		return interval{lo: a.lo &^ au & (b.lo &^ bu), hi: min((a.lo|au)&(b.lo|bu), a.hi, b.hi)}
	case OpORI, OpOR:
		au, bu := a.unknown(), b.unknown()
		if (a.lo|au)&(b.lo|bu) == 0 {
			return interval{lo: a.lo + b.lo, hi: a.hi + b.hi}
		}
		return interval{lo: a.lo&^au | b.lo&^bu, hi: a.lo | au | b.lo | bu}
	case OpXORI, OpXOR:
		if a.name != 0 && a.name == b.name {
			return exactly(0)
		}
		u := a.unknown() | b.unknown()
		return interval{lo: (a.lo ^ b.lo) &^ u, hi: (a.lo ^ b.lo) | u}
	case OpSLLI, OpSLL:
		if b.exact() {
			return narrow(al<<shift, ah<<shift)
		}
	case OpSRLI, OpSRL:
		if b.exact() {
			return interval{lo: a.lo >> shift, hi: a.hi >> shift}
		}
	case OpSRAI, OpSRA:
		if b.exact() && a.lo&sign == a.hi&sign {
			return interval{lo: uint32(int32(a.lo) >> shift), hi: uint32(int32(a.hi) >> shift)}
		}
	case OpSLTI, OpSLT:
		// flipping the sign bit maps the signed order to the unsigned one, for
		// intervals that do not contain both signs
		flip := func(v interval) interval {
			if v.lo&sign != v.hi&sign {
				return anything
			}
			v.lo, v.hi = v.lo^sign, v.hi^sign
			return v
		}
		return bound(OpSLTU, flip(a), flip(b))
	case OpSLTIU, OpSLTU:
		switch {
		case a.hi < b.lo:
			return exactly(1)
		case a.lo >= b.hi, a.name != 0 && a.name == b.name:
			return exactly(0)
		}
		return interval{hi: 1}
	case OpMUL:
		if a.exact() || b.exact() || ah*bh>>32 == 0 {
			return narrow(al*bl, ah*bh)
		}
	case OpMULHU:
		return interval{lo: uint32(al * bl >> 32), hi: uint32(ah * bh >> 32)}
	case OpMULH, OpMULHSU:
		if a.hi < sign && (b.hi < sign || op == OpMULHSU) {
			return bound(OpMULHU, a, b)
		}
	case OpDIVU:
		if b.lo != 0 {
			return interval{lo: a.lo / b.hi, hi: a.hi / b.lo}
		}
	case OpREMU:
		if b.exact() && b.lo != 0 {
			if a.lo/b.lo == a.hi/b.lo {
				return interval{lo: a.lo % b.lo, hi: a.hi % b.lo}
			}
			return interval{hi: b.lo - 1}
		}
	case OpDIV:
		if a.hi < sign && b.hi < sign {
			return bound(OpDIVU, a, b)
		}
	case OpREM:
		if a.hi < sign && b.hi < sign {
			return bound(OpREMU, a, b)
		}
	}
	return anything
}

// decide returns the direction of a branch if it is the same for all values.
func decide(op Op, a, b interval) (taken, ok bool) {
	var v interval
	switch op {
	case OpBEQ, OpBNE:
		equal := a.exact() && b.exact() && a.lo == b.lo || a.name != 0 && a.name == b.name
		if !equal && a.lo <= b.hi && b.lo <= a.hi {
			return false, false
		}
		return equal == (op == OpBEQ), true
	case OpBLT, OpBGE:
		v = compute(OpSLT, a, b)
	default:
		v = compute(OpSLTU, a, b)
	}
	return (v.lo == 1) == (op == OpBLT || op == OpBLTU), v.exact()
}
