package faults

import (
	"slices"
	"sort"
	"strings"

	"espalier.dev/espalier/emu"
)

// Fault is one fault.
type Fault struct {
	Kind     Kind
	From, To emu.Time     // From <= t < To; To is emu.Never without an end
	PPM      uint32       // share of frames, in millionths
	Delay    emu.Duration // by which something is late or off
	Level    int8         // dBm
	Reason   uint16       // IEEE 802.11, 9.4.1.7
	Answer   Answer
}

// Schedule is a list of faults in the order of From, then as given.
type Schedule []Fault

// New returns a schedule of faults.
func New(list ...Fault) Schedule {
	s := Schedule(slices.Clone(list))
	sort.SliceStable(s, func(i, j int) bool { return s[i].From < s[j].From })
	return s
}

// Active returns the fault of a kind that is active at an instant. Of several, it
// is the one that started last.
func (s Schedule) Active(k Kind, at emu.Time) (Fault, bool) {
	for _, f := range slices.Backward(s) {
		if f.Kind == k && f.From <= at && at < f.To {
			return f, true
		}
	}
	return Fault{}, false
}

// Due returns the faults of a kind that start in after < t <= upTo, in order. A
// caller that passes the instant of its previous call as after misses none; for
// the first call after is emu.Never, which means before guest time zero.
func (s Schedule) Due(k Kind, after, upTo emu.Time) []Fault {
	var out []Fault
	for _, f := range s {
		if f.Kind == k && (after == emu.Never || f.From > after) && f.From <= upTo {
			out = append(out, f)
		}
	}
	return out
}

// Next returns the first instant later than after at which a fault starts or ends, emu.Never
// if there is none.
func (s Schedule) Next(after emu.Time) emu.Time {
	next := emu.Never
	for _, f := range s {
		if f.From > after {
			next = min(next, f.From)
		}
		if f.To > after {
			next = min(next, f.To)
		}
	}
	return next
}

// Has reports whether the schedule contains a kind.
func (s Schedule) Has(k Kind) bool {
	return slices.ContainsFunc(s, func(f Fault) bool { return f.Kind == k })
}

// String returns the schedule in the syntax of ParseAll, one fault per line.
func (s Schedule) String() string {
	var b strings.Builder
	for i, f := range s {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(f.String())
	}
	return b.String()
}
