package rv32

import (
	"math/rand/v2"
	"testing"
)

// TestIntervalsHoldTheirValues computes with values from intervals and checks
// that the results are in the computed interval, in particular at the bounds.
func TestIntervalsHoldTheirValues(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	random := func() interval {
		lo := r.Uint32() >> r.IntN(32)
		switch r.IntN(6) {
		case 0:
			return exactly(lo)
		case 1:
			lo = 0x80000000 - r.Uint32()&7
		case 2:
			lo = -(r.Uint32() & 7)
		}
		hi := lo + r.Uint32()>>r.IntN(32)
		return interval{lo: min(lo, hi), hi: max(lo, hi)}
	}
	pick := func(v interval) uint32 {
		switch r.IntN(4) {
		case 0:
			return v.lo
		case 1:
			return v.hi
		}
		return v.lo + uint32(r.Uint64N(uint64(v.hi-v.lo)+1))
	}
	narrowed := map[Op]int{}
	for range 400_000 {
		op := OpADDI + Op(r.IntN(int(OpREMU-OpADDI)+1))
		a, b := random(), random()
		v := compute(op, a, b)
		if v != anything {
			narrowed[op]++
		}
		for range 4 {
			x, y := pick(a), pick(b)
			if got := alu(op, x, y); got < v.lo || got > v.hi {
				t.Fatalf("%s of %x and %x from %+v and %+v is %x, not in %+v", opNames[op], x, y, a, b, got, v)
			}
		}
	}
	for op := OpADDI; op <= OpREMU; op++ {
		if narrowed[op] < 100 {
			t.Errorf("%s: nothing known", opNames[op])
		}
	}
	for range 400_000 {
		op := OpBEQ + Op(r.IntN(6))
		a, b := random(), random()
		taken, ok := decide(op, a, b)
		if !ok {
			continue
		}
		x, y := pick(a), pick(b)
		want := [...]bool{x == y, x != y, int32(x) < int32(y), int32(x) >= int32(y), x < y, x >= y}[op-OpBEQ]
		if want != taken {
			t.Fatalf("%s of %x and %x from %+v and %+v: decided %v", opNames[op], x, y, a, b, taken)
		}
	}
}
