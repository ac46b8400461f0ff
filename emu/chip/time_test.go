package chip

import (
	"math"
	"testing"
	"time"
)

func TestTime(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{Time(0).String(), "0.000000"},
		{Time(Second + 24*Millisecond + 170*Microsecond).String(), "1.024170"},
		{(1250 * Millisecond).String(), "1.250000s"},
		{(-2 * Second).String(), "-2.000000s"},
		{Never.String(), "never"},
		{Never.Add(5).String(), "never"},
		{Time(3).Add(-9).String(), "0.000000"},
		{(Time(0).Add(Second)).String(), "1.000000"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
	for _, d := range []struct {
		d  Duration
		ns int64
	}{{1, 6}, {2, 12}, {3, 18}, {4, 25}, {Microsecond, 1000}, {Second, 1e9}, {40 * 3600 * Second, 40 * 3600e9}} {
		if got := d.d.Nanoseconds(); got != d.ns {
			t.Errorf("%d ticks are %d ns, want %d", d.d, got, d.ns)
		}
	}
}

func TestClockIsContinuous(t *testing.T) {
	c := clock{Period: 8} // 20 MHz
	if at := c.at(1000); at != 8000 {
		t.Fatalf("cycle 1000 is at %d", at)
	}
	c = clock{Base: c.at(1000), Cycle: 1000, Period: 1}
	for _, k := range []struct {
		t     Time
		cycle uint64
	}{{8000, 1000}, {8001, 1001}, {0, 1000}, {Never, ^uint64(0)}} {
		if got := c.cycle(k.t); got != k.cycle {
			t.Errorf("time %d is at cycle %d, want %d", k.t, got, k.cycle)
		}
	}
	c.Period = 3
	for _, at := range []Time{8000, 8001, 8002, 8003, 8004} {
		cycle := c.cycle(at)
		if c.at(cycle) < at {
			t.Errorf("cycle %d for %d is too early", cycle, at)
		}
		if cycle > 1000 && c.at(cycle-1) >= at {
			t.Errorf("cycle %d for %d is too late", cycle, at)
		}
	}
}

// A time in nanoseconds names one tick, and no conversion is early.
func TestStandardDurations(t *testing.T) {
	for _, tick := range []Time{0, 1, 2, 3, 4, 5, 159, 160, Time(Second) + 7, Time(90 * 24 * 3600 * Second)} {
		if got := At(tick.Duration()); got != tick {
			t.Errorf("At(%v) is tick %d, want %d", tick.Duration(), got, tick)
		}
	}
	for _, c := range []struct {
		d    time.Duration
		want Duration
	}{{0, 0}, {1, 1}, {6, 1}, {7, 2}, {25, 4}, {26, 5}, {time.Microsecond, Microsecond}, {time.Hour, 3600 * Second}} {
		if got := Ticks(c.d); got != c.want {
			t.Errorf("Ticks(%v) is %d, want %d", c.d, got, c.want)
		}
	}
	if got := At(-time.Second); got != 0 {
		t.Errorf("before power-on: %v", got)
	}
	if got := Never.Duration(); got != math.MaxInt64 {
		t.Errorf("never is %v", got)
	}
	if d := Ticks(math.MaxInt64); d <= 0 {
		t.Errorf("the longest duration is %d ticks", d)
	}
}
