package order

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

type element struct {
	name string
	key  int
	rest [10]uint64
}

func byKey(a, b element) int { return cmp.Compare(a.key, b.key) }

func elements(n, keys int) []element {
	r := rand.New(rand.NewPCG(uint64(n), uint64(keys)))
	s := make([]element, n)
	for i := range s {
		s[i] = element{name: strings.Repeat("x", i%7), key: r.IntN(keys), rest: [10]uint64{uint64(i)}}
	}
	return s
}

func TestSort(t *testing.T) {
	for _, n := range []int{0, 1, 2, 3, 12, 13, 100, 5000} {
		for _, keys := range []int{1, 3, 1 << 30} {
			got := elements(n, keys)
			want := slices.Clone(got)
			slices.SortStableFunc(want, byKey)
			Sort(got, byKey)
			if !slices.Equal(got, want) {
				t.Errorf("%d elements with %d keys: not the order of slices.SortStableFunc", n, keys)
			}
			if a := testing.AllocsPerRun(1, func() { Sort(got, byKey) }); a != 0 {
				t.Errorf("%d elements in order: %v allocations", n, a)
			}
		}
	}
}

func BenchmarkSort(b *testing.B) {
	for name, sort := range map[string]func([]element, func(a, b element) int){
		"order.Sort": Sort[element], "slices.SortFunc": slices.SortFunc[[]element], "slices.SortStableFunc": slices.SortStableFunc[[]element],
	} {
		b.Run(name, func(b *testing.B) {
			in := elements(2000, 1<<30)
			s := make([]element, len(in))
			for b.Loop() {
				copy(s, in)
				sort(s, byKey)
			}
		})
	}
}
