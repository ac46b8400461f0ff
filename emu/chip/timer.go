package chip

// Timer is a deadline of a device. The zero deadline state is stopped. Timers
// are made once, when the chip is built; two that are due at the same instant
// fire in the order in which they were made, which is the same in every run and
// after a snapshot.
type Timer struct {
	queue *timers
	id    int
	when  Time
	pos   int // in the heap, -1 when stopped
	// untraced: firing is not part of the trace hash.
	untraced bool
	fire     func()
}

// Set arms the timer for the instant at, replacing an earlier deadline. An
// instant that has passed fires at the next opportunity, before another
// instruction is executed.
func (t *Timer) Set(at Time) {
	if at == Never {
		t.Stop()
		return
	}
	t.when = at
	if t.pos < 0 {
		t.pos = len(t.queue.heap)
		t.queue.heap = append(t.queue.heap, t)
		t.queue.up(t.pos)
	} else if !t.queue.down(t.pos) {
		t.queue.up(t.pos)
	}
	t.queue.changed()
}

// Stop disarms the timer.
func (t *Timer) Stop() {
	if t.pos < 0 {
		return
	}
	t.queue.remove(t.pos)
	t.queue.changed()
}

// Armed reports whether a deadline is set.
func (t *Timer) Armed() bool { return t.pos >= 0 }

// When returns the deadline, Never when stopped.
func (t *Timer) When() Time {
	if t.pos < 0 {
		return Never
	}
	return t.when
}

// timers is a binary heap of the armed timers, ordered by (when, id).
type timers struct {
	all  []*Timer
	heap []*Timer
	// changed is called when the earliest deadline may have moved.
	changed func()
}

func (q *timers) add(fire func()) *Timer {
	t := &Timer{queue: q, id: len(q.all), pos: -1, fire: fire}
	q.all = append(q.all, t)
	return t
}

// next returns the earliest deadline.
func (q *timers) next() Time {
	if len(q.heap) == 0 {
		return Never
	}
	return q.heap[0].when
}

// first returns the number of the timer with the earliest deadline, -1 when all
// are stopped.
func (q *timers) first() int {
	if len(q.heap) == 0 {
		return -1
	}
	return q.heap[0].id
}

// pop removes and returns the first timer that is due at now, or nil.
func (q *timers) pop(now Time) *Timer {
	if len(q.heap) == 0 || q.heap[0].when > now {
		return nil
	}
	t := q.heap[0]
	q.remove(0)
	return t
}

func (q *timers) less(i, j int) bool {
	a, b := q.heap[i], q.heap[j]
	return a.when < b.when || a.when == b.when && a.id < b.id
}

func (q *timers) swap(i, j int) {
	q.heap[i], q.heap[j] = q.heap[j], q.heap[i]
	q.heap[i].pos, q.heap[j].pos = i, j
}

func (q *timers) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if !q.less(i, parent) {
			return
		}
		q.swap(i, parent)
		i = parent
	}
}

// down reports whether the element moved.
func (q *timers) down(i int) bool {
	start := i
	for {
		child := 2*i + 1
		if child >= len(q.heap) {
			break
		}
		if child+1 < len(q.heap) && q.less(child+1, child) {
			child++
		}
		if !q.less(child, i) {
			break
		}
		q.swap(i, child)
		i = child
	}
	return i > start
}

func (q *timers) remove(i int) {
	last := len(q.heap) - 1
	t := q.heap[i]
	if i != last {
		q.swap(i, last)
	}
	q.heap = q.heap[:last]
	t.pos = -1
	if i < last && !q.down(i) {
		q.up(i)
	}
}
