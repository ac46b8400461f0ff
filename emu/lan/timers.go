package lan

import (
	"container/heap"

	"espalier.dev/espalier/emu"
)

// timer is something to do at an instant. Two of the same instant are done in
// the order in which they were set.
type timer struct {
	at    emu.Time
	order uint64
	do    func()
	pos   int // in the heap, -1 when not set
}

type timers struct {
	heap  timerHeap
	order uint64
}

// set arms t, replacing an earlier deadline.
func (q *timers) set(t *timer, at emu.Time) {
	q.order++
	t.at, t.order = at, q.order
	if t.pos >= 0 {
		heap.Fix(&q.heap, t.pos)
		return
	}
	heap.Push(&q.heap, t)
}

func (q *timers) stop(t *timer) {
	if t.pos >= 0 {
		heap.Remove(&q.heap, t.pos)
	}
}

// once does something later, without a way to stop it.
func (q *timers) once(at emu.Time, do func()) { q.set(newTimer(do), at) }

func newTimer(do func()) *timer { return &timer{do: do, pos: -1} }

func (q *timers) next() (emu.Time, bool) {
	if len(q.heap) == 0 {
		return emu.Never, false
	}
	return q.heap[0].at, true
}

func (q *timers) pop() *timer { return heap.Pop(&q.heap).(*timer) }

type timerHeap []*timer

func (h timerHeap) Len() int { return len(h) }
func (h timerHeap) Less(i, j int) bool {
	return h[i].at < h[j].at || h[i].at == h[j].at && h[i].order < h[j].order
}
func (h timerHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].pos, h[j].pos = i, j
}
func (h *timerHeap) Push(x any) {
	t := x.(*timer)
	t.pos = len(*h)
	*h = append(*h, t)
}
func (h *timerHeap) Pop() any {
	old := *h
	t := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	t.pos = -1
	return t
}
