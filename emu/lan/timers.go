package lan

import (
	"container/heap"

	"espalier.dev/espalier/emu"
)

// timer calls a function at an instant. Timers of the same instant are called
// in the order in which they were set.
type timer struct {
	at    emu.Time
	order uint64
	call  func()
	pos   int // in the heap, -1 when not armed
}

func newTimer(call func()) *timer { return &timer{call: call, pos: -1} }

func (t *timer) armed() bool { return t.pos >= 0 }

// timers is the queue of armed timers.
type timers struct {
	heap  timerHeap
	order uint64
}

// set arms t, replacing an earlier deadline.
func (q *timers) set(t *timer, at emu.Time) {
	q.order++
	t.at, t.order = at, q.order
	if t.armed() {
		heap.Fix(&q.heap, t.pos)
		return
	}
	heap.Push(&q.heap, t)
}

func (q *timers) stop(t *timer) {
	if t.armed() {
		heap.Remove(&q.heap, t.pos)
	}
}

// once calls a function at an instant; it cannot be stopped.
func (q *timers) once(at emu.Time, call func()) { q.set(newTimer(call), at) }

func (q *timers) next() (emu.Time, bool) {
	if len(q.heap) == 0 {
		return emu.Never, false
	}
	return q.heap[0].at, true
}

func (q *timers) pop() *timer { return heap.Pop(&q.heap).(*timer) }

// timerHeap implements heap.Interface.
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
