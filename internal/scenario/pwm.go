package scenario

import (
	"time"

	"espalier.dev/espalier/emu"
)

// probe measures the share of time for which a pin is high, over whole periods.
type probe struct {
	pin   int
	t     *emu.Terminal
	rises []time.Duration // the latest, at most window+1
	highs []time.Duration // how long the pin was high after each of them
}

// window is over how many periods the share is measured.
const window = 8

// Attach implements emu.Part.
func (p *probe) Attach(b *emu.Board) error {
	p.t = b.NewTerminal(func(high bool) {
		now := p.t.Now()
		switch n := len(p.rises); {
		case high:
			p.rises, p.highs = append(p.rises, now), append(p.highs, 0)
			if n > window {
				p.rises, p.highs = p.rises[1:], p.highs[1:]
			}
		case n > 0:
			p.highs[n-1] = now - p.rises[n-1]
		}
	})
	b.Join(p.t.Pin(), p.pin)
	return nil
}

// share is the mean of the last periods; ok is false before there are as many, and
// when the pin has stopped changing.
func (p *probe) share(now time.Duration) (share float64, ok bool) {
	n := len(p.rises) - 1
	if n < window {
		return 0, false
	}
	period := (p.rises[n] - p.rises[0]) / time.Duration(n)
	if now-p.rises[n] > 3*period {
		return 0, false
	}
	var high time.Duration
	for _, h := range p.highs[:n] {
		high += h
	}
	return float64(high) / float64(p.rises[n]-p.rises[0]), true
}
