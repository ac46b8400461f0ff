package emu

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"espalier.dev/espalier/emu/chip"
)

// DefaultLatency is the delay of a wire between two boards of a Group.
const DefaultLatency = time.Microsecond

// Group is several boards whose pins are joined by wires, and which run in step. A
// change at one end of a wire reaches the other end after a fixed latency.
//
// The boards exchange changes at the multiples of the latency, so that what happens
// on them is a function of their configurations, firmware, seeds and inputs, each at
// its instant. It does not depend on the board that Run is called with, on where runs
// end, or on the order of the boards. What arrives is an input of the receiving
// board: Board.Inputs of it, replayed on a board with the same terminals, repeats its
// part of the run alone.
//
// A wire carries voltages with their resistances, both ways: push-pull outputs,
// open drain with pull resistors of either board, and short circuits are as on one
// board. Boards of a group are restored from snapshots together, between two runs, or
// not at all.
type Group struct {
	boards  []*Board
	latency chip.Duration
	wires   []*wire
	ran     bool
}

// wire is one direction of a connection: a terminal on board from whose net shows
// what the other end, a terminal on board to, receives.
type wire struct {
	from, to int
	near     *Terminal
	far      int // the pin of the other terminal
	last     Source
	moves    []move // not delivered yet, in the order of time
}

// move is a change of a wire and the instant of its arrival.
type move struct {
	At     Time
	Source Source
}

// NewGroup returns a group of boards that have not run yet. Latency is the delay of
// wires, 0 for DefaultLatency; a shorter one takes longer to emulate.
func NewGroup(latency time.Duration, boards ...*Board) (*Group, error) {
	if latency == 0 {
		latency = DefaultLatency
	}
	if latency < 0 {
		return nil, fmt.Errorf("latency %v: want a positive duration", latency)
	}
	g := &Group{latency: chip.Ticks(latency)}
	for _, b := range boards {
		if err := g.add(b); err != nil {
			return nil, err
		}
	}
	return g, nil
}

func (g *Group) add(b *Board) error {
	if b.m.Now() != 0 {
		return errors.New("a board of a group has run already")
	}
	for _, other := range g.boards {
		if other == b {
			return errors.New("a board is in its group twice")
		}
	}
	g.boards = append(g.boards, b)
	return nil
}

func (g *Group) index(b *Board) int {
	for i, other := range g.boards {
		if other == b {
			return i
		}
	}
	return -1
}

// Join connects a pin of one board with a pin of another, before the first run.
// The grounds of all boards are connected.
func (g *Group) Join(a *Board, pinA int, b *Board, pinB int) error {
	i, k := g.index(a), g.index(b)
	switch {
	case i < 0 || k < 0:
		return errors.New("joining pins of a board that is not in the group")
	case i == k:
		a.Join(pinA, pinB)
		return nil
	case g.ran:
		return errors.New("joining pins of boards that have run")
	}
	ta, tb := a.NewTerminal(nil), b.NewTerminal(nil)
	for _, w := range []*wire{{from: i, to: k, near: ta, far: tb.Pin()}, {from: k, to: i, near: tb, far: ta.Pin()}} {
		g.wires = append(g.wires, w)
		g.boards[w.from].AddStateFunc(w.state)
	}
	a.Join(ta.Pin(), pinA)
	b.Join(tb.Pin(), pinB)
	return nil
}

// state is the part of the wire in the snapshots of its board from.
func (w *wire) state(s *State) {
	n := uint32(len(w.moves))
	s.Fixed(&w.last, &n)
	if s.Loading() {
		w.moves = w.moves[:0]
	}
	for i := range n {
		var m move
		if !s.Loading() {
			m = w.moves[i]
		}
		if s.Fixed(&m); s.Err() != nil {
			return
		}
		if s.Loading() {
			w.moves = append(w.moves, m)
		}
	}
}

// watch has each wire note its changes. No wire is added any more.
func (g *Group) watch() {
	g.ran = true
	for _, w := range g.wires {
		w.near.m.Chip().Nets().OnResolved(w.near.pin, func() { w.note(g.latency) })
		w.note(g.latency)
	}
}

// note records what the near end of a wire shows, if that is new.
func (w *wire) note(latency chip.Duration) {
	s := w.near.m.Chip().Nets().Others(w.near.pin)
	if s == w.last {
		return
	}
	w.last = s
	w.moves = append(w.moves, move{At: w.near.m.Now().Add(latency), Source: s})
}

// Run lets guest time pass on all boards until a condition of opts holds for board
// b, and returns its result. Each other board has then reached the last multiple of
// the latency, and none is farther than the next one; after Limit, all have reached
// its end. A board that stops by itself (StopStrict, StopAbsent, StopTrapLoop,
// StopEbreak, StopBreakpoint) ends the run, too: stopped is that board, else b.
func (g *Group) Run(ctx context.Context, b *Board, opts ...Option) (res Result, stopped *Board) {
	at := g.index(b)
	if at < 0 {
		panic("emu: the board is not in the group")
	}
	if !g.ran {
		g.watch()
	}
	var st stops
	for _, o := range opts {
		o(&st)
	}
	own := st.machine()
	start, begun := b.m.Now(), b.Instructions()
	end := chip.Never
	if own.Limit > 0 {
		end = start.Add(own.Limit)
	}
	finish := func(board *Board, r chip.Result, reached Time) (Result, *Board) {
		g.rest(ctx, reached)
		res.Reason, res.Err = r.Reason, r.Err
		if st.found != "" && r.Reason == StopOutput {
			res.Reason, res.Text = StopText, st.found
		}
		res.Now, res.Elapsed = b.Now(), b.m.Now().Sub(start).Std()
		res.Instructions, res.Trace = b.Instructions()-begun, b.Trace()
		return res, board
	}
	order := append([]int{at}, slices.DeleteFunc(g.order(), func(i int) bool { return i == at })...)
	for {
		from, to := g.window()
		switch {
		case from == chip.Never && end == chip.Never:
			return finish(b, chip.Result{Reason: StopIdle}, 0)
		case from >= end:
			return finish(b, chip.Result{Reason: StopLimit}, end)
		}
		g.deliver(to)
		for _, i := range order {
			board, until := g.boards[i], min(to, end)
			if g.rests(i) >= until {
				continue
			}
			s := chip.Stops{Limit: until.Sub(board.m.Now())}
			if i == at {
				s.Reset, s.Output = own.Reset, own.Output
				if own.Instructions > 0 {
					s.Instructions = own.Instructions - (b.Instructions() - begun)
				}
			}
			r := board.m.Run(ctx, s)
			if i == at {
				res.Resets = append(res.Resets, r.Resets...)
				res.Unmodelled = merge(res.Unmodelled, r.Unmodelled)
				if own.Instructions > 0 && r.Reason == StopLimit && b.Instructions()-begun >= own.Instructions {
					r.Reason = StopInstructions // at the end of the window
				}
			}
			if r.Reason != StopLimit {
				return finish(board, r, from)
			}
		}
	}
}

// order returns the indices of the boards.
func (g *Group) order() []int {
	all := make([]int, len(g.boards))
	for i := range all {
		all[i] = i
	}
	return all
}

// rests returns the instant up to which nothing happens on a board: its time, or
// its next event when it waits for one.
func (g *Group) rests(i int) Time {
	m := g.boards[i].m
	if next, idle := m.Idle(); idle {
		return max(next, m.Now())
	}
	return m.Now()
}

// window returns the next instant at which something happens on a board or arrives
// there, and the multiple of the latency after it, the end of the window that all
// boards have reached and may run through. Never: all boards wait, and for nothing.
// A change in the window arrives at its end or later.
func (g *Group) window() (from, to Time) {
	from = chip.Never
	for i := range g.boards {
		from = min(from, g.rests(i))
	}
	for _, w := range g.wires {
		if len(w.moves) > 0 {
			from = min(from, w.moves[0].At)
		}
	}
	if from == chip.Never {
		return from, from
	}
	q := Time(g.latency)
	return from, (from/q + 1) * q
}

// deliver makes the changes that arrive before an instant inputs of their boards.
// At one instant, the order is that of the wires.
func (g *Group) deliver(before Time) {
	for _, w := range g.wires {
		n := 0
		for n < len(w.moves) && w.moves[n].At < before {
			g.boards[w.to].m.Inject(Input{At: w.moves[n].At, Kind: InputVoltage, Pin: w.far, Source: w.moves[n].Source})
			n++
		}
		w.moves = append(w.moves[:0], w.moves[n:]...)
	}
}

// rest lets the time of boards pass on which nothing happens before an instant.
func (g *Group) rest(ctx context.Context, until Time) {
	for i, b := range g.boards {
		if now := b.m.Now(); now < until && g.rests(i) >= until {
			b.m.Run(context.WithoutCancel(ctx), chip.Stops{Limit: until.Sub(now)})
		}
	}
}

// merge adds the accesses of a later part of a run to those before. Both are in
// the order of addresses.
func merge(before, more []Access) []Access {
	for _, a := range more {
		i, found := slices.BinarySearchFunc(before, a.Addr, func(e Access, addr uint32) int { return cmp.Compare(e.Addr, addr) })
		if found {
			before[i].Reads += a.Reads
			before[i].Writes += a.Writes
			continue
		}
		before = slices.Insert(before, i, a)
	}
	return before
}
