package chip

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// board is a set of nets with pins that record their levels.
type netBoard struct {
	*Nets
	level   []bool
	changes [][]bool
}

func newNetBoard(pins int) *netBoard {
	b := &netBoard{Nets: NewNets(NewMachine(Config{}, nil, nil)), level: make([]bool, pins), changes: make([][]bool, pins)}
	for i := range pins {
		b.AddPin(func(high bool) {
			b.level[i] = high
			b.changes[i] = append(b.changes[i], high)
		}, nil)
	}
	return b
}

var (
	strongHigh = Source{Supply, 17}
	strongLow  = Source{0, 17}
	pullUp     = Source{Supply, 45_000}
	pullDown   = Source{0, 45_000}
)

func TestNetLevels(t *testing.T) {
	for _, c := range []struct {
		name    string
		sources []Source // of pins 0, 1, …, all joined
		mv      int
		high    bool
		short   bool
	}{
		{"nothing", []Source{{}, {}}, 0, false, false},
		{"pull-up", []Source{pullUp, {}}, Supply, true, false},
		{"driver beats pull", []Source{pullUp, strongLow}, 1, false, false},
		{"two drivers agree", []Source{strongHigh, strongHigh}, Supply, true, false},
		{"two drivers fight", []Source{strongHigh, strongLow}, Supply / 2, true, true}, // keeps its level,
		{"the stronger wins", []Source{{Supply, 8}, {0, 66}}, 2943, true, true},
		{"pulls against each other", []Source{pullUp, pullDown}, Supply / 2, true, false},
		{"open drain of three", []Source{{}, strongLow, pullUp}, 1, false, false},
		{"divider", []Source{{Supply, 10_000}, {0, 20_000}}, 2200, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newNetBoard(len(c.sources))
			for i := 1; i < len(c.sources); i++ {
				b.Join(0, i)
			}
			for i, s := range c.sources {
				b.Drive(i, s)
			}
			for i := range c.sources {
				if mv := b.MilliVolts(i); mv != c.mv {
					t.Errorf("pin %d has %d mV, want %d", i, mv, c.mv)
				}
				if b.level[i] != c.high || b.High(i) != c.high {
					t.Errorf("pin %d is high: %v, want %v", i, b.level[i], c.high)
				}
			}
			if got := len(b.Conflicts()) > 0; got != c.short {
				t.Errorf("conflicts %v", b.Conflicts())
			}
		})
	}
}

// Between the thresholds a pin keeps its level.
func TestNetHysteresis(t *testing.T) {
	b := newNetBoard(1)
	for _, c := range []struct {
		mv   int32
		high bool
	}{{1700, false}, {2475, true}, {1700, true}, {826, true}, {825, false}, {2474, false}} {
		b.SetOutside(0, Source{c.mv, 100})
		if b.High(0) != c.high {
			t.Errorf("%d mV is high: %v", c.mv, b.High(0))
		}
	}
	if b.SetOutside(0, Source{}); b.High(0) || b.Connected(0) {
		t.Error("nothing is connected")
	}
}

func TestNetWires(t *testing.T) {
	b := newNetBoard(5)
	b.Drive(0, strongHigh)
	b.Join(1, 2)
	b.Join(3, 2)
	b.Join(0, 1)
	b.Join(3, 0) // already joined
	if want := []bool{true, true, true, true, false}; !slices.Equal(b.level, want) {
		t.Errorf("levels %v, want %v", b.level, want)
	}
	b.Cut(1)
	if want := []bool{true, false, true, true, false}; !slices.Equal(b.level, want) {
		t.Errorf("levels %v after the cut, want %v", b.level, want)
	}
	if b.Wired(1) || !b.Wired(2) {
		t.Error("pin 1 is wired, or pin 2 is not")
	}
	b.Cut(1)
	b.Cut(0)
	if b.level[2] || b.level[3] || !b.level[0] {
		t.Errorf("levels %v after both cuts", b.level)
	}
	for i, c := range b.changes {
		for k := 1; k < len(c); k++ {
			if c[k] == c[k-1] {
				t.Errorf("pin %d was told %v twice", i, c[k])
			}
		}
	}
}

// A conflict is reported once for as long as it lasts.
func TestNetConflict(t *testing.T) {
	b := newNetBoard(3)
	b.Join(0, 2)
	for range 2 {
		b.Drive(0, strongHigh)
		b.Drive(2, strongLow)
		b.Drive(2, Source{0, 18})
		b.Drive(2, Source{})
	}
	got := b.Conflicts()
	if len(got) != 2 || !slices.Equal(got[0].Pins, []int{0, 2}) || got[0].MilliAmps < 90 {
		t.Errorf("conflicts %v", got)
	}
}

// Devices that invert each other's level end in a report, not in a hang.
func TestNetOscillation(t *testing.T) {
	b := &netBoard{Nets: NewNets(NewMachine(Config{}, nil, nil))}
	b.AddPin(func(high bool) {
		if high {
			b.Drive(1, strongLow)
		} else {
			b.Drive(1, strongHigh)
		}
	}, nil)
	b.AddPin(nil, nil)
	b.Drive(1, strongHigh)
	b.Join(0, 1)
	if c := b.Conflicts(); len(c) == 0 || !c[0].Oscillates {
		t.Errorf("conflicts %v", c)
	}
}

// What a net settles to depends on wires and sources, not on their order, and
// survives a snapshot.
func TestNetOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	sources := []Source{{}, strongHigh, strongLow, pullUp, pullDown, {Supply, 8}, {1200, 1000}}
	for range 300 {
		const pins = 7
		var wires [][2]int
		for range rng.IntN(pins) {
			wires = append(wires, [2]int{rng.IntN(pins), rng.IntN(pins)})
		}
		var set [pins]Source
		for i := range set {
			set[i] = sources[rng.IntN(len(sources))]
		}
		make := func() *netBoard {
			b := newNetBoard(pins)
			steps := rng.Perm(len(wires) + pins)
			for _, s := range steps {
				if s < pins {
					b.Drive(s, set[s])
				} else {
					b.Join(wires[s-pins][0], wires[s-pins][1])
				}
			}
			return b
		}
		a, b := make(), make()
		restored := newNetBoard(pins)
		if err := Load(Save(a.State, 0), restored.State); err != nil {
			t.Fatal(err)
		}
		for i := range pins {
			if a.MilliVolts(i) != b.MilliVolts(i) || a.MilliVolts(i) != restored.MilliVolts(i) || a.Wired(i) != restored.Wired(i) {
				t.Fatalf("pin %d: %d, %d, %d mV", i, a.MilliVolts(i), b.MilliVolts(i), restored.MilliVolts(i))
			}
		}
	}
}

func TestNetStateIsChecked(t *testing.T) {
	b := newNetBoard(3)
	b.Join(0, 1)
	p := Save(b.State, 0)
	for i := range p.Fields { // any damaged byte is refused or gives wires that end
		q := Saved{Fields: slices.Clone(p.Fields)}
		q.Fields[i] ^= 3
		if c := newNetBoard(3); Load(q, c.State) == nil {
			for pin := range 3 {
				c.SetOutside(pin, pullUp)
			}
		}
	}
}

// What a wire to another board shows is what the other sources of the net do.
func TestOthers(t *testing.T) {
	n := NewNets(NewMachine(Config{}, nil, nil))
	calls := 0
	a, b, c := n.AddPin(nil, nil), n.AddPin(nil, nil), n.AddPin(nil, nil)
	n.Join(a, b)
	n.OnResolved(a, func() { calls++ })
	n.Drive(a, Source{MilliVolts: 1000, Ohms: 100})
	if got := n.Others(a); got != (Source{}) {
		t.Errorf("no other source: %v", got)
	}
	n.Drive(b, Source{MilliVolts: Supply, Ohms: 1000})
	if got := n.Others(a); got != (Source{MilliVolts: Supply, Ohms: 1000}) {
		t.Errorf("one: %v", got)
	}
	n.Join(b, c)
	before := calls
	n.Drive(c, Source{Ohms: 1000}) // the level of a does not change
	if got := n.Others(a); got.MilliVolts != Supply/2 || got.Ohms != 500 {
		t.Errorf("a divider: %v", got)
	}
	if calls == before {
		t.Error("a change of a source is not reported")
	}
}

func TestTakers(t *testing.T) {
	n := NewNets(NewMachine(Config{}, nil, nil))
	clock, data, c1, d1, c2, d2, other := n.AddPin(nil, nil), n.AddPin(nil, nil), n.AddPin(nil, nil), n.AddPin(nil, nil),
		n.AddPin(nil, nil), n.AddPin(nil, nil), n.AddPin(nil, nil)
	n.AddTaker(c1, d1, func([]byte, int) {})
	n.AddTaker(c2, d2, func([]byte, int) {})
	check := func(what string, wantCount int, wantAlone bool) {
		t.Helper()
		if takes, alone := n.Takers(clock, data); len(takes) != wantCount || alone != wantAlone {
			t.Errorf("%s: %d takers, alone %v", what, len(takes), alone)
		}
	}
	check("nothing is joined", 0, false)
	n.Join(clock, c1)
	check("the clock only", 0, false)
	n.Join(data, d1)
	check("one", 1, true)
	n.Join(clock, c2)
	check("another's clock", 1, false)
	n.Join(data, d2)
	check("two", 2, true)
	n.Join(other, data)
	check("another part", 2, false)
	n.Cut(other)
	n.SetOutside(clock, Source{Ohms: 10})
	check("a source of the user", 2, false)
}
