package emu

import (
	"context"
	"errors"
	"fmt"
	"time"

	"espalier.dev/espalier/emu/chip"
)

// DefaultLatency is the delay of a wire between two boards of a Group.
const DefaultLatency = time.Microsecond

// Group is several boards whose pins are joined by wires, and which run in step. A
// change at one end of a wire reaches the other end after a fixed latency, so the
// boards run one after the other for that long, and the result depends on their
// configurations and inputs only. What arrives is an input of the receiving board:
// Board.Inputs of it, replayed on a board with the same wires, repeats its part of
// the run alone.
//
// A wire carries voltages with their resistances, both ways: push-pull outputs,
// open drain with pull resistors of either board, and short circuits are as on one
// board. Boards of a group are restored from snapshots together or not at all.
type Group struct {
	boards  []*Board
	latency chip.Duration
	wires   []wire
	ran     bool
}

// wire is one end of a connection: a terminal on board from whose net shows what
// the other end, a terminal on board to, receives.
type wire struct {
	from, to int
	near     *Terminal
	far      int // the pin of the other terminal
	last     Source
	moves    []Input
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
	g.wires = append(g.wires, wire{from: i, to: k, near: ta, far: tb.Pin()}, wire{from: k, to: i, near: tb, far: ta.Pin()})
	a.Join(ta.Pin(), pinA)
	b.Join(tb.Pin(), pinB)
	return nil
}

// watch has each wire note its changes. The wires do not move any more.
func (g *Group) watch() {
	g.ran = true
	for i := range g.wires {
		w := &g.wires[i]
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
	w.moves = append(w.moves, Input{At: w.near.m.Now().Add(latency), Kind: InputVoltage, Pin: w.far, Source: s})
}

// Run lets guest time pass on all boards until a condition of opts holds for board
// b, and returns its result. The other boards are then at most the latency ahead
// of or behind it. A board that stops by itself (StopStrict, StopAbsent,
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
	finish := func(board *Board, r chip.Result) (Result, *Board) {
		res.Reason, res.Err = r.Reason, r.Err
		if st.found != "" && r.Reason == StopOutput {
			res.Reason, res.Text = StopText, st.found
		}
		res.Now, res.Elapsed = b.Now(), b.m.Now().Sub(start).Std()
		res.Instructions, res.Trace = b.Instructions()-begun, b.Trace()
		return res, board
	}
	for {
		to := g.next(end)
		if to == chip.Never {
			return finish(b, chip.Result{Reason: StopIdle})
		}
		for i, board := range g.boards {
			if board.m.Now() >= to {
				continue
			}
			s := chip.Stops{Limit: to.Sub(board.m.Now())}
			if i == at {
				s.Reset, s.Output = own.Reset, own.Output
				if own.Instructions > 0 {
					s.Instructions = own.Instructions - (b.Instructions() - begun)
				}
			}
			r := board.m.Run(ctx, s)
			if i == at {
				res.Resets = append(res.Resets, r.Resets...)
				res.Unmodelled = r.Unmodelled
			}
			if r.Reason != StopLimit {
				g.exchange()
				return finish(board, r)
			}
		}
		g.exchange()
		if b.m.Now() >= end {
			return finish(b, chip.Result{Reason: StopLimit})
		}
	}
}

// next returns the instant up to which all boards can run before they exchange
// changes of their wires: the latency after the last of them, or after the first
// event on any when all of them wait.
func (g *Group) next(end chip.Time) chip.Time {
	from, waits := chip.Never, true
	event := chip.Never
	for _, b := range g.boards {
		from = min(from, b.m.Now())
		next, idle := b.m.Idle()
		waits = waits && idle
		event = min(event, next)
	}
	if waits {
		if event == chip.Never {
			return end
		}
		from = max(from, event)
	}
	return min(from.Add(g.latency), end)
}

// exchange delivers the changes of the wires.
func (g *Group) exchange() {
	for i := range g.wires {
		w := &g.wires[i]
		for _, in := range w.moves {
			g.boards[w.to].m.Inject(in)
		}
		w.moves = w.moves[:0]
	}
}
