package chip

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
)

// The heap must fire timers by deadline and, at the same deadline, in the
// order of their making, whatever was set and stopped before.
func TestTimersFireInOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var fired []int
		q := timers{changed: func() {}}
		for i := range 12 {
			q.add(func() { fired = append(fired, i) })
		}
		for range 60 {
			tm := q.all[rng.IntN(len(q.all))]
			if rng.IntN(4) == 0 {
				tm.Stop()
			} else {
				tm.Set(Time(rng.IntN(6)))
			}
		}
		var want []int
		for i, tm := range q.all {
			if tm.Armed() {
				want = append(want, i)
			}
		}
		slices.SortStableFunc(want, func(a, b int) int { return cmp.Compare(q.all[a].When(), q.all[b].When()) })
		for now := Time(0); now < 8; now++ {
			if q.next() < now {
				t.Fatalf("next is %d at %d", q.next(), now)
			}
			for tm := q.pop(now); tm != nil; tm = q.pop(now) {
				tm.fire()
			}
		}
		if !slices.Equal(fired, want) {
			t.Fatalf("fired %v, want %v", fired, want)
		}
		if q.next() != Never {
			t.Fatal("something is left")
		}
	}
}

func TestTimerSetNever(t *testing.T) {
	q := timers{changed: func() {}}
	tm := q.add(func() {})
	tm.Set(5)
	tm.Set(Never)
	if tm.Armed() || tm.When() != Never {
		t.Fatal("a timer set to Never is armed")
	}
}
