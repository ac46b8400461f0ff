package emuport

import (
	"context"
	"sync"
	"time"
)

// pacer holds guest time to the host's clock times a factor. A factor of 0 lets
// the guest run as fast as it can.
type pacer struct {
	factor float64

	mu   sync.Mutex
	zero time.Time // host time of guest time zero
}

// maxLag is how far the guest may fall behind the host's clock and still catch
// up. Beyond it the lost time is given up: a process that was stopped for a
// minute does not run a minute of the guest at full speed afterwards.
const maxLag = time.Second

// minSleep is the shortest sleep worth a timer.
const minSleep = 200 * time.Microsecond

// wait sleeps until the host's clock has reached guest time now.
func (p *pacer) wait(ctx context.Context, now time.Duration) error {
	if p.factor == 0 {
		return ctx.Err()
	}
	p.mu.Lock()
	ahead := time.Duration(float64(now)/p.factor) - time.Since(p.zero)
	if ahead < -maxLag {
		p.zero = p.zero.Add(-ahead)
	}
	p.mu.Unlock()
	if ahead <= minSleep {
		return ctx.Err()
	}
	t := time.NewTimer(ahead)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
