package chip

import (
	"fmt"
	"slices"
)

// Supply is the voltage of a board's logic, in millivolts, and what a pin that
// is driven high has.
const Supply = 3300

// Input thresholds of a digital pin, in millivolts (data sheet, DC
// characteristics: 0.25 and 0.75 of the supply). Between them a pin keeps the
// level that it had.
const (
	maxLow  = Supply / 4
	minHigh = Supply * 3 / 4
)

// Source is what a device connected to a net does to it: a voltage with an output
// resistance. The zero Source is a device that leaves the net alone.
type Source struct {
	MilliVolts int32
	Ohms       uint32 // 0: not connected
}

// Conflict is a short circuit on a net: two devices drive it to different
// levels with little resistance.
type Conflict struct {
	At   Time
	Pins []int // those of the net, in ascending order
	// MilliAmps is the current that flows between them.
	MilliAmps int
	// Oscillates is set for another fault: the devices on the pins keep changing
	// each other's levels without an end. MilliAmps is 0.
	Oscillates bool
}

// Nets is the wiring of a board: which pins are joined, what the devices on
// each pin do to its net, and the voltage that results. Pins are numbered from
// 0; the chip's pads come first, then the terminals of parts.
//
// A net settles at once and in an order that does not depend on the order of
// the calls: the voltage is that of the resistor network that the sources form.
type Nets struct {
	m         *Machine
	pins      []netPin
	pending   []int // pins whose nets must be resolved
	settling  bool
	conflicts []Conflict
	takers    []taker
	before    func() // see BeforeChange
}

// taker is a device that takes data which another clocks out, see Clocked.
type taker struct {
	clock, data int
	take        func(data []byte, bits int)
}

type netPin struct {
	own, outside Source // of the device at the pin, of the user
	next         int    // the next pin of the same net, in a ring
	milliVolts   int32
	high         bool
	connected    bool // some source of the net is connected
	shorted      bool // a conflict has been reported and lasts
	wired        bool
	changed      func(high bool)
	onWired      func(wired bool)
	resolved     func() // the sources of the net have changed
}

// NewNets returns the nets of a board without pins.
func NewNets(m *Machine) *Nets { return &Nets{m: m} }

// AddPin adds a pin and returns its number. Changed is called when the level of
// its net changes; it may call Drive. Wired, if not nil, is called when the pin
// starts or ceases to share its net with another pin or an outside source, and
// when it shares it with others: a device need not call Drive before.
func (n *Nets) AddPin(changed func(high bool), wired func(bool)) int {
	i := len(n.pins)
	n.pins = append(n.pins, netPin{next: i, changed: changed, onWired: wired})
	return i
}

// OnResolved has f called when the sources on the net of a pin have changed, also
// if its level has not. It must not change the wiring.
func (n *Nets) OnResolved(pin int, f func()) { n.pins[pin].resolved = f }

// BeforeChange has f called before any wire, and any level of a net, changes.
func (n *Nets) BeforeChange(f func()) { n.before = f }

func (n *Nets) change() {
	if n.before != nil {
		n.before()
	}
}

// Others returns what all sources on the net of a pin do to it, but for those at the
// pin itself: the voltage without load, and the resistance of them in parallel.
func (n *Nets) Others(pin int) Source {
	var siemens, amperes int64 // in nS and pA
	for i := n.pins[pin].next; i != pin; i = n.pins[i].next {
		p := &n.pins[i]
		for _, s := range [2]Source{p.own, p.outside} {
			if s.Ohms != 0 {
				g := 1_000_000_000 / int64(s.Ohms)
				siemens += g
				amperes += g * int64(s.MilliVolts)
			}
		}
	}
	if siemens == 0 {
		return Source{}
	}
	return Source{MilliVolts: int32(amperes / siemens), Ohms: uint32(max(1_000_000_000/siemens, 1))}
}

// Len returns the number of pins.
func (n *Nets) Len() int { return len(n.pins) }

// AddTaker says that the device at the pins clock and data only takes bits from
// data when clock rises, and drives neither. A controller that is alone with such
// devices on its lines can call take with many bits, the upper bit of each byte
// first, instead of showing the edges.
func (n *Nets) AddTaker(clock, data int, take func(data []byte, bits int)) {
	n.takers = append(n.takers, taker{clock, data, take})
}

// Takers returns the functions of AddTaker of the devices that share the nets of
// the pins clock and data, and whether nothing else does.
func (n *Nets) Takers(clock, data int) (takes []func(data []byte, bits int), alone bool) {
	if len(n.takers) == 0 || n.together(clock, data) {
		return nil, false
	}
	others := n.others(clock) + n.others(data)
	for _, t := range n.takers {
		if t.clock != clock && t.data != data && n.together(clock, t.clock) && n.together(data, t.data) {
			takes = append(takes, t.take)
			others -= 2
		}
	}
	return takes, others == 0 && len(takes) > 0 && !n.pulled(clock) && !n.pulled(data)
}

// others returns how many pins share the net of a pin.
func (n *Nets) others(pin int) (count int) {
	for i := n.pins[pin].next; i != pin; i = n.pins[i].next {
		count++
	}
	return count
}

// pulled reports whether the user does something to the net of a pin.
func (n *Nets) pulled(pin int) bool {
	i := pin
	for {
		if n.pins[i].outside.Ohms != 0 {
			return true
		}
		if i = n.pins[i].next; i == pin {
			return false
		}
	}
}

// Drive sets what the device at a pin does to its net.
func (n *Nets) Drive(pin int, s Source) {
	if n.pins[pin].own == s {
		return
	}
	n.pins[pin].own = s
	n.pending = append(n.pending, pin)
	n.settle()
}

// Preset says which level the device at a pin had while it did not share its net:
// what counts as a change of its level.
func (n *Nets) Preset(pin int, high bool) { n.pins[pin].high = high }

// SetOutside sets what the user of the board does to a pin.
func (n *Nets) SetOutside(pin int, s Source) {
	if n.pins[pin].outside == s {
		return
	}
	n.change()
	n.pins[pin].outside = s
	n.rewire(pin)
	n.settle()
}

// Join connects two pins by a wire. Joining pins of one net does nothing.
func (n *Nets) Join(a, b int) {
	if n.together(a, b) {
		return
	}
	n.change()
	n.pins[a].next, n.pins[b].next = n.pins[b].next, n.pins[a].next
	n.rewire(a)
	n.settle()
}

// Cut removes all wires from a pin; the other pins of its net stay joined.
func (n *Nets) Cut(pin int) {
	before := n.pins[pin].next
	if before == pin {
		return
	}
	n.change()
	rest := before
	for n.pins[before].next != pin {
		before = n.pins[before].next
	}
	n.pins[before].next = n.pins[pin].next
	n.pins[pin].next = pin
	n.rewire(pin)
	n.rewire(rest)
	n.settle()
}

func (n *Nets) together(a, b int) bool {
	if a == b {
		return true
	}
	for i := n.pins[a].next; i != a; i = n.pins[i].next {
		if i == b {
			return true
		}
	}
	return false
}

// rewire informs the pins of a net whether they share it. Its voltage is resolved
// when all of them have said what they do to it.
func (n *Nets) rewire(pin int) {
	nested := n.settling
	n.settling = true
	defer func() { n.settling = nested }()
	n.pending = append(n.pending, pin)
	i := pin
	for {
		p := &n.pins[i]
		wired := p.next != i || p.outside.Ohms != 0
		if wired || wired != p.wired {
			p.wired = wired
			if p.onWired != nil {
				p.onWired(wired)
			}
		}
		if i = p.next; i == pin {
			return
		}
	}
}

// Wired reports whether a pin shares its net with another pin or an outside
// source.
func (n *Nets) Wired(pin int) bool { return n.pins[pin].wired }

// High reports the logic level of a pin's net.
func (n *Nets) High(pin int) bool { return n.pins[pin].high }

// Connected reports whether any source of a pin's net is connected.
func (n *Nets) Connected(pin int) bool { return n.pins[pin].connected }

// MilliVolts returns the voltage of a pin's net, 0 when no source is connected.
func (n *Nets) MilliVolts(pin int) int { return int(n.pins[pin].milliVolts) }

// Conflicts returns the short circuits so far, in the order of their start, at
// most maxConflicts of them.
func (n *Nets) Conflicts() []Conflict { return slices.Clone(n.conflicts) }

// Limits: of the list of conflicts, and of the rounds in which the devices of a
// board may react to each other at one instant.
const (
	maxConflicts = 64
	maxRounds    = 4096
)

// settle resolves the nets of all pending pins and of those that change because
// of them.
func (n *Nets) settle() {
	if n.settling || len(n.pending) == 0 {
		return
	}
	n.change()
	n.settling = true
	for round := 0; len(n.pending) > 0; round++ {
		if round == maxRounds {
			n.Report(Conflict{Pins: n.members(n.pending[0]), Oscillates: true})
			n.pending = n.pending[:0]
			break
		}
		next := n.pending[0]
		n.pending = append(n.pending[:0], n.pending[1:]...)
		n.resolve(next)
	}
	n.settling = false
}

func (n *Nets) members(pin int) []int {
	list := []int{pin}
	for i := n.pins[pin].next; i != pin; i = n.pins[i].next {
		list = append(list, i)
	}
	slices.Sort(list)
	return list
}

// Report adds a conflict to the list, with the time of the call.
func (n *Nets) Report(c Conflict) {
	c.At = n.m.Now()
	if len(n.conflicts) < maxConflicts {
		n.conflicts = append(n.conflicts, c)
	}
}

// shortCircuit is the current in milliamperes from which two drivers are taken
// to fight; data sheet: the strongest pad delivers 40 mA.
const shortCircuit = 10

// resolve computes the voltage of a pin's net by adding up conductances, and
// informs the pins.
func (n *Nets) resolve(pin int) {
	var siemens, amperes int64 // in nS and pA
	i := pin
	for {
		p := &n.pins[i]
		for _, s := range [2]Source{p.own, p.outside} {
			if s.Ohms != 0 {
				g := 1_000_000_000 / int64(s.Ohms)
				siemens += g
				amperes += g * int64(s.MilliVolts)
			}
		}
		if i = p.next; i == pin {
			break
		}
	}
	var mv int32
	if siemens != 0 {
		mv = int32(amperes / siemens)
	}
	short := n.short(pin, mv)
	if short != 0 && !n.pins[pin].shorted {
		n.Report(Conflict{Pins: n.members(pin), MilliAmps: short})
	}
	// First all pins, then the calls: a device that is called may look at any.
	for {
		p := &n.pins[i]
		p.milliVolts, p.connected, p.shorted = mv, siemens != 0, short != 0
		if i = p.next; i == pin {
			break
		}
	}
	for {
		p := &n.pins[i]
		if high := p.level(); p.high != high {
			p.high = high
			if p.changed != nil {
				p.changed(high)
			}
		}
		if p.resolved != nil {
			p.resolved()
		}
		if i = p.next; i == pin {
			return
		}
	}
}

// level returns the logic level of a pin at the voltage of its net.
func (p *netPin) level() bool {
	switch {
	case !p.connected || p.milliVolts <= maxLow:
		return false
	case p.milliVolts >= minHigh:
		return true
	}
	return p.high
}

// short returns the current, in milliamperes, that sources of a net at mv
// drive against each other if that is a conflict, else 0.
func (n *Nets) short(pin int, mv int32) int {
	if mv < Supply/20 || mv > Supply*19/20 {
		return 0
	}
	var in int64 // microamperes into the net
	i := pin
	for {
		p := &n.pins[i]
		for _, s := range [2]Source{p.own, p.outside} {
			if s.Ohms != 0 && s.MilliVolts > mv {
				in += int64(s.MilliVolts-mv) * 1000 / int64(s.Ohms)
			}
		}
		if i = p.next; i == pin {
			break
		}
	}
	if in /= 1000; in < shortCircuit {
		return 0
	}
	return int(in)
}

// State walks over wires, sources and levels. The number of pins is part of the
// board; the callbacks are not called when a snapshot is restored.
func (n *Nets) State(s *State) {
	s.Expect("number of pins", uint64(len(n.pins)))
	if s.err != nil {
		return
	}
	for i := range n.pins {
		p := &n.pins[i]
		next := int32(p.next)
		s.Fixed(&p.own, &p.outside, &next, &p.milliVolts, &p.high, &p.connected, &p.shorted, &p.wired)
		if !s.loading {
			continue
		}
		if s.err == nil && (next < 0 || int(next) >= len(n.pins)) {
			s.err = fmt.Errorf("wire from pin %d to pin %d of %d", i, next, len(n.pins))
		}
		if s.err != nil {
			return
		}
		p.next = int(next)
	}
	if !s.loading {
		return
	}
	wires := make([]bool, len(n.pins)) // rings: each pin is the next of exactly one
	for i := range n.pins {
		if next := n.pins[i].next; wires[next] {
			s.err = fmt.Errorf("two wires lead to pin %d", next)
			return
		} else {
			wires[next] = true
		}
	}
}
