package chip

import "testing"

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
