package chip

import (
	"fmt"
	"math"
	"time"
)

// Time is an instant of guest time: ticks since power-on. It does not restart
// at a reset of the chip.
type Time uint64

// Duration is a span of guest time in ticks.
//
// One tick is 6.25 ns, the CPU cycle at 160 MHz. Every clock that the CPU can
// be given by the crystal or the PLL has a period of whole ticks (160 MHz: 1,
// 80 MHz: 2, 40 MHz: 4, 40/n MHz: 4n), and so have APB (2), the crystal (4)
// and SYSTIMER (10), so a change of the CPU clock never rounds.
type Duration int64

// Units of guest time.
const (
	Tick        Duration = 1
	Microsecond          = 160 * Tick
	Millisecond          = 1000 * Microsecond
	Second               = 1000 * Millisecond
)

// TicksPerSecond is the resolution of guest time.
const TicksPerSecond = uint64(Second)

// Never is a deadline that does not come.
const Never = Time(1<<64 - 1)

// Add returns the instant d after t, at most Never. A negative d that would
// reach before power-on gives power-on.
func (t Time) Add(d Duration) Time {
	if d < 0 {
		if Time(-d) > t {
			return 0
		}
		return t - Time(-d)
	}
	if t > Never-Time(d) {
		return Never
	}
	return t + Time(d)
}

// Sub returns t-u.
func (t Time) Sub(u Time) Duration { return Duration(t - u) }

// Seconds returns t as seconds since power-on.
func (t Time) Seconds() float64 { return float64(t) / float64(Second) }

// String prints seconds with microseconds, as "0.024170".
func (t Time) String() string {
	if t == Never {
		return "never"
	}
	us := uint64(t) / uint64(Microsecond)
	return fmt.Sprintf("%d.%06d", us/1e6, us%1e6)
}

// At returns the instant d after power-on, which is instant 0 for a negative d.
// It is the inverse of Time.Duration for all times up to 292 years.
func At(d time.Duration) Time { return Time(0).Add(Ticks(d)) }

// Duration returns the time since power-on, rounded down to a nanosecond.
func (t Time) Duration() time.Duration {
	if t > Time(math.MaxInt64) {
		return math.MaxInt64
	}
	return Duration(t).Std()
}

// Ticks returns d in ticks, rounded up: a deadline is never early.
func Ticks(d time.Duration) Duration {
	return Duration(d/25*4 + (d%25*4+24)/25)
}

// Std returns d as a duration of the standard library, rounded down to a
// nanosecond; one of more than 292 years is math.MaxInt64.
func (d Duration) Std() time.Duration {
	if d > math.MaxInt64/25*4 {
		return math.MaxInt64
	}
	return time.Duration(d.Nanoseconds())
}

// Nanoseconds returns d rounded down to nanoseconds.
func (d Duration) Nanoseconds() int64 {
	return int64(d)/4*25 + int64(d)%4*25/4
}

// Seconds returns d in seconds.
func (d Duration) Seconds() float64 { return float64(d) / float64(Second) }

// String prints seconds with microseconds and the unit, as "1.250000s".
func (d Duration) String() string {
	if d < 0 {
		return "-" + (-d).String()
	}
	return Time(d).String() + "s"
}
