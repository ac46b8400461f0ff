package faults

import (
	"slices"
	"strings"

	"espalier.dev/espalier/emu"
)

// Fault is one thing that goes wrong.
type Fault struct {
	Kind     Kind
	From, To emu.Time     // From <= t < To; To is emu.Never without an end
	PPM      uint32       // share of frames, in millionths
	Delay    emu.Duration // of what is late or wrong
	Level    int8         // dBm
	Reason   uint16       // IEEE 802.11, 9.4.1.7
	Answer   Answer
}

// Schedule is a time line, in the order of From and then as written.
type Schedule []Fault

// New puts faults in order.
func New(list ...Fault) Schedule {
	s := Schedule(slices.Clone(list))
	slices.SortStableFunc(s, func(a, b Fault) int {
		switch {
		case a.From < b.From:
			return -1
		case a.From > b.From:
			return 1
		}
		return 0
	})
	return s
}

// Active returns the fault of a kind that lasts at an instant. Of several, the
// one that began last counts.
func (s Schedule) Active(k Kind, at emu.Time) (Fault, bool) {
	for _, f := range slices.Backward(s) {
		if f.Kind == k && f.From <= at && at < f.To {
			return f, true
		}
	}
	return Fault{}, false
}

// Due returns the faults of a kind that begin in after < t <= upTo, in order.
// A machine that calls it with the instant of its previous call misses none;
// one that starts at power-on begins with emu.Never as after, which stands for
// the instant before the first.
func (s Schedule) Due(k Kind, after, upTo emu.Time) []Fault {
	var out []Fault
	for _, f := range s {
		if f.Kind == k && (after == emu.Never || f.From > after) && f.From <= upTo {
			out = append(out, f)
		}
	}
	return out
}

// Next returns the next instant after which something begins or ends,
// emu.Never when nothing does.
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

// Has reports whether a kind occurs at all.
func (s Schedule) Has(k Kind) bool {
	return slices.ContainsFunc(s, func(f Fault) bool { return f.Kind == k })
}

// String writes the schedule as ParseAll reads it, one fault a line.
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
