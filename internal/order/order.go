// Package order sorts slices of structs without a sorting algorithm for each type of
// element.
//
// The compiler makes an instance of slices.SortFunc and of the ten functions that it
// calls for each struct, about 15 kB of program. Sort compares elements but sorts
// their indexes, for which there is one instance, and moves each element once. It is
// not slower: the more bytes an element has, the more the moves cost that it saves.
// Slices of pointers, strings and numbers share instances and are sorted by package
// slices. The public packages, which import no internal ones, use package sort.
package order

import "slices"

// Sort sorts s in the order of compare, whose results are those of cmp.Compare.
// Equal elements keep their order. A slice that is in order is not written to, and
// no memory is allocated for it; otherwise Sort allocates a copy of s.
//
//	order.Sort(files, func(a, b file) int { return strings.Compare(a.name, b.name) })
func Sort[E any](s []E, compare func(a, b E) int) {
	p := permutation(len(s), func(i, j int) int { return compare(s[i], s[j]) })
	if p == nil {
		return
	}
	old := slices.Clone(s)
	for i, from := range p {
		s[i] = old[from]
	}
}

// permutation returns, for each place in the sorted sequence, the index of the
// element that belongs there; nil if the sequence is sorted.
func permutation(n int, compare func(i, j int) int) []int {
	i := 1
	for i < n && compare(i-1, i) <= 0 {
		i++
	}
	if i >= n {
		return nil
	}
	p := make([]int, n)
	for i := range p {
		p[i] = i
	}
	slices.SortFunc(p, func(i, j int) int {
		if c := compare(i, j); c != 0 {
			return c
		}
		return i - j // so that the order is stable
	})
	return p
}
