package c3

import (
	"math/bits"

	"espalier.dev/espalier/emu/chip"
)

// The GPIO matrix and IO_MUX connect peripherals and pads, TRM 5.5 to 5.7. A
// peripheral knows signals only:
//
//   - drive sets the level of one of its output signals, enableOutput whether
//     it drives the pad at all (SPI in half duplex, I2C);
//   - observe calls a function when an input signal changes, input reads one;
//   - an output that changes all the time (a PWM, the line of a UART) is lazy:
//     while nothing depends on its level, the peripheral does not call drive,
//     and the matrix computes the level when a register or the user asks.
//
// The levels of output signals are state. Everything else here is derived from
// the registers by route and rewatch.

// lazyOutput is an output signal whose level is computed when it is read.
type lazyOutput struct {
	level func() bool
	// watch is called when something starts to depend on every change of the
	// signal, and when that ends. In between the peripheral calls drive for
	// each change.
	watch func(on bool)
}

type matrix struct {
	s struct {
		Out, Enabled [2]uint64 // output signals: level; the peripheral's output enable
		Seen         [2]uint64 // input signals: the level that was last told to the observer
		Watched      [2]uint64 // output signals with a carrier on which something depends
	}
	lazy      [signals]lazyOutput
	observers [signals]func(high bool)

	carriers  [signals]uint32 // pads that show an output signal
	from      [signals]int8   // input signals: the pad, or fromLow, fromHigh
	inverted  [2]uint64       // input signals
	listeners [gpPins][]signal
}

const (
	fromLow  = -1
	fromHigh = -2
)

func has(set *[2]uint64, n signal) bool { return set[n>>6]>>(n&63)&1 != 0 }

func put(set *[2]uint64, n signal, on bool) {
	if on {
		set[n>>6] |= 1 << (n & 63)
	} else {
		set[n>>6] &^= 1 << (n & 63)
	}
}

// drive sets the level of an output signal.
func (g *gpio) drive(n signal, high bool) {
	if has(&g.matrix.s.Out, n) == high {
		return
	}
	put(&g.matrix.s.Out, n, high)
	g.refreshAll(g.matrix.carriers[n])
}

// enableOutput sets the output enable that a peripheral gives for a signal; at
// reset it is set for all.
func (g *gpio) enableOutput(n signal, on bool) {
	if has(&g.matrix.s.Enabled, n) == on {
		return
	}
	put(&g.matrix.s.Enabled, n, on)
	g.refreshAll(g.matrix.carriers[n])
}

// lazily makes an output signal lazy.
func (g *gpio) lazily(n signal, level func() bool, watch func(on bool)) {
	g.matrix.lazy[n] = lazyOutput{level, watch}
}

// isWatched reports whether something depends on every change of an output signal.
func (g *gpio) isWatched(n signal) bool { return has(&g.matrix.s.Watched, n) }

// observe calls f when an input signal changes. It is for the making of a chip.
func (g *gpio) observe(n signal, f func(high bool)) { g.matrix.observers[n] = f }

// input returns the level of an input signal.
func (g *gpio) input(n signal) bool {
	var high bool
	switch pad := g.matrix.from[n]; pad {
	case fromLow:
	case fromHigh:
		high = true
	default:
		bit := uint32(1) << pad
		if g.lazyPads&bit != 0 {
			g.refresh(uint32(pad))
		}
		high = g.s.Levels&g.ie&bit != 0
	}
	return high != has(&g.matrix.inverted, n)
}

// output returns the level of an output signal.
func (g *gpio) output(n signal) bool {
	if l := g.matrix.lazy[n].level; l != nil && !has(&g.matrix.s.Watched, n) {
		return l()
	}
	return has(&g.matrix.s.Out, n)
}

// routeInput finds what feeds an input signal, from FUNCn_IN_SEL_CFG and the
// functions of the pads.
func (g *gpio) routeInput(n signal) {
	m := &g.matrix
	cfg := g.get(gpFuncInSel0 + 4*uint32(n))
	old := m.from[n]
	from := int8(fromLow)
	if restsHigh(n) {
		from = fromHigh
	}
	invert := false
	if cfg&gpInSelMatrix != 0 {
		invert = cfg&gpInInv != 0
		switch pad := cfg & 0x1f; {
		case pad < gpPins:
			from = int8(pad)
		case pad == gpInHigh:
			from = fromHigh
		default:
			from = fromLow
		}
	} else if pad, fn, ok := directPad(n); ok && g.iomux.function(pad) == fn {
		from = int8(pad)
	}
	put(&m.inverted, n, invert)
	m.from[n] = from
	if m.observers[n] == nil {
		return
	}
	if old >= 0 {
		list := m.listeners[old]
		for i, s := range list {
			if s == n {
				m.listeners[old] = append(list[:i:i], list[i+1:]...)
				break
			}
		}
	}
	if from >= 0 {
		m.listeners[from] = append(m.listeners[from], n)
	}
	g.tell(n)
}

// tell calls the observer of an input signal if its level is not the last one
// that it knows.
func (g *gpio) tell(n signal) {
	high := g.input(n)
	if g.stale || has(&g.matrix.s.Seen, n) == high {
		return
	}
	if g.depth == maxDepth {
		if from := g.matrix.from[n]; from >= 0 {
			g.nets.Report(chip.Conflict{Pins: []int{int(from)}, Oscillates: true})
		}
		return
	}
	put(&g.matrix.s.Seen, n, high)
	g.depth++
	g.matrix.observers[n](high)
	g.depth--
}

// maxDepth bounds how many input signals can follow each other at one instant:
// signals 97 to 100 can feed a pad back to itself.
const maxDepth = 32

// rewatch computes on which pads something depends, and tells the peripherals
// whose lazy outputs start or cease to be watched.
func (g *gpio) rewatch() {
	m := &g.matrix
	g.refreshAll(g.lazyPads)
	g.regroup()
	before := g.watched
	g.watched = g.dependents()
	fresh := g.watched &^ before // what their input was before is not known
	g.s.In = g.s.In&^fresh | g.s.Levels&g.ie&fresh
	var watched [2]uint64
	g.lazyPads = 0
	for n := range uint32(gpPins) {
		src := g.pads[n].source
		if src >= signals {
			continue
		}
		if g.watched>>n&1 != 0 {
			put(&watched, src, true)
		}
	}
	for n := range uint32(gpPins) {
		if src := g.pads[n].source; src < signals && m.lazy[src].level != nil && !has(&watched, src) {
			g.lazyPads |= 1 << n
		}
	}
	changed := [2]uint64{watched[0] ^ m.s.Watched[0], watched[1] ^ m.s.Watched[1]}
	for w := range changed {
		for c := changed[w]; c != 0; c &= c - 1 {
			n := signal(w*64 + bits.TrailingZeros64(c))
			l := &m.lazy[n]
			if l.watch == nil {
				put(&m.s.Watched, n, has(&watched, n))
				continue
			}
			put(&m.s.Out, n, l.level())
			put(&m.s.Watched, n, has(&watched, n))
			l.watch(has(&watched, n))
			g.refreshAll(m.carriers[n])
		}
	}
	if g.lazyPads != 0 {
		g.mark(varies, gpIn)
	} else {
		g.kinds[gpIn>>2] &^= varies
	}
}

// dependents returns the pads on which something depends.
func (g *gpio) dependents() uint32 {
	if g.soc.m.PinsObserved() {
		return gpPinMask
	}
	pads := g.wired&^g.burst | g.rising | g.falling | g.lowLevel | g.highLevel
	for n := range uint32(gpPins) {
		if len(g.matrix.listeners[n]) > 0 || g.get(gpPin0+4*n)&gpWakeup != 0 {
			pads |= 1 << n
		}
	}
	return pads
}

// refreshAll computes the drive of several pads again.
func (g *gpio) refreshAll(pads uint32) {
	for ; pads != 0; pads &= pads - 1 {
		g.refresh(uint32(bits.TrailingZeros32(pads)))
	}
}
