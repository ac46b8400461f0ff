package firmware

import (
	"container/heap"
	"sort"
)

// layer is an interval that covers what lies below it: among the layers over
// an address the deepest wins, then the one that starts later, then the one
// added later. Layers may overlap in any way.
type layer struct {
	start uint32
	end   uint64
	depth int32
	item  int32
}

func (a *layer) over(b *layer) bool {
	if a.depth != b.depth {
		return a.depth > b.depth
	}
	if a.start != b.start {
		return a.start > b.start
	}
	return a.item > b.item
}

type layerHeap []layer

func (h layerHeap) Len() int           { return len(h) }
func (h layerHeap) Less(i, j int) bool { return h[i].over(&h[j]) }
func (h layerHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *layerHeap) Push(x any)        { *h = append(*h, x.(layer)) }
func (h *layerHeap) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}

// flatten turns layers into spans that do not overlap, sorted by address.
// The result has at most two spans per layer, however they overlap. It
// reorders in.
func flatten(in []layer) []span {
	sort.Slice(in, func(i, j int) bool { return in[i].start < in[j].start })
	var out []span
	var active layerHeap
	var pos uint64
	emit := func(end uint64) {
		if len(active) == 0 || pos >= end {
			return
		}
		item := active[0].item
		if n := len(out); n > 0 && out[n-1].item == item && out[n-1].end == pos {
			out[n-1].end = end
			return
		}
		out = append(out, span{uint32(pos), end, item})
	}
	// drain emits what is active up to limit, dropping layers that end.
	drain := func(limit uint64) {
		for len(active) > 0 {
			if active[0].end <= pos {
				heap.Pop(&active)
				continue
			}
			end := min(active[0].end, limit)
			emit(end)
			pos = max(pos, end)
			if pos >= limit {
				return
			}
		}
	}
	for _, l := range in {
		if uint64(l.start) >= l.end {
			continue
		}
		drain(uint64(l.start))
		pos = uint64(l.start)
		heap.Push(&active, l)
	}
	drain(1 << 33)
	return out
}

// findSpan returns the index of the span that contains addr, or -1.
func findSpan(spans []span, addr uint32) int {
	lo, hi := 0, len(spans)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if spans[mid].start <= addr {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo > 0 && uint64(addr) < spans[lo-1].end {
		return lo - 1
	}
	return -1
}
