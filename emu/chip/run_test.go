package chip

import (
	"context"
	"testing"
)

// expiring is a context that ends at a number of checks.
type expiring struct {
	context.Context
	checks int
}

func (e *expiring) Err() error {
	if e.checks--; e.checks <= 0 {
		return context.Canceled
	}
	return nil
}

// A flood of events at one instant, or while the chip sleeps, does not delay the end
// of the context, and the next run handles the rest.
func TestContextEndsFloodOfEvents(t *testing.T) {
	for _, asleep := range []bool{false, true} {
		m := NewMachine(Config{}, nil, nil)
		fired := 0
		const all = 5*contextEvents + 7
		var timer *Timer
		timer = m.NewTimer(func() {
			if fired++; fired < all {
				at := m.Now()
				if asleep {
					at++
				}
				timer.Set(at)
			}
		})
		timer.Set(0)
		m.Halt(asleep)
		if r := m.Run(&expiring{t.Context(), 3}, Stops{Limit: Second}); r.Reason != StopContext || fired > 3*contextEvents+1 {
			t.Errorf("asleep %v: %v after %d events", asleep, r.Reason, fired)
		}
		m.Halt(true)
		if r := m.Run(t.Context(), Stops{Limit: Second}); r.Reason != StopLimit || fired != all {
			t.Errorf("asleep %v: %v after %d events, want %d", asleep, r.Reason, fired, all)
		}
	}
}
