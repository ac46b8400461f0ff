package chip

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// The table must count as a map does, for each run and since power-on.
func TestAccessCounts(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	addrs := []uint32{0, 4, 0xffc, 0x1000, 0x60000000, 0x60000004, 0x600d0ffc, 0xfffffffc}
	var l accesses
	all := map[uint32]Access{}
	for run := range 30 {
		l.begin()
		now := map[uint32]Access{}
		for i := range rng.IntN(40) {
			a := Access{Addr: addrs[rng.IntN(len(addrs))], PC: uint32(run), At: Time(i), Value: uint32(i)}
			write := rng.IntN(2) == 0
			if l.count(a.Addr, write) == nil {
				l.first(a, write)
			}
			for _, m := range []map[uint32]Access{now, all} {
				x, ok := m[a.Addr]
				if !ok {
					x = a
				}
				if write {
					x.Writes++
				} else {
					x.Reads++
				}
				m[a.Addr] = x
			}
		}
		for _, k := range []struct {
			run  bool
			want map[uint32]Access
		}{{true, now}, {false, all}} {
			got := l.list(k.run)
			if len(got) != len(k.want) || !slices.IsSortedFunc(got, func(a, b Access) int { return int(int64(a.Addr) - int64(b.Addr)) }) {
				t.Fatalf("run %d: %d registers, want %d: %v", run, len(got), len(k.want), got)
			}
			for _, a := range got {
				if a != k.want[a.Addr] {
					t.Fatalf("run %d: %+v, want %+v", run, a, k.want[a.Addr])
				}
			}
		}
	}
}
