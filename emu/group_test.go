package emu_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/c3"
)

// echoer is a board that sends each byte back that arrives on UART0, by its pins
// GPIO20 (in) and GPIO21 (out).
func echoer(t testing.TB, replay []emu.Input, output func(emu.Output)) *emu.Board {
	t.Helper()
	b, err := c3.New(emu.Config{ROM: rom(), Output: output, Replay: replay})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Two boards echo one byte to each other. What happens does not depend on the order
// of the boards, on which of them a run is for, or on where runs end; and the inputs
// of one board repeat its part alone.
func TestGroup(t *testing.T) {
	const end = 50 * time.Millisecond
	type outcome struct {
		traces [2]uint64
		count  [2]int
		inputs [2][]emu.Input
	}
	play := func(swapped bool, wait func(*emu.Group, [2]*emu.Board)) (o outcome) {
		var boards [2]*emu.Board
		for i := range boards {
			boards[i] = echoer(t, nil, func(out emu.Output) { o.count[i] += len(out.Data) })
		}
		g := crossed(t, 0, boards, swapped)
		boards[0].Send(emu.UART0, []byte("x"))
		if wait != nil {
			wait(g, boards)
		}
		res, stopped := g.Run(t.Context(), boards[0], emu.Limit(end-boards[0].Now()))
		if res.Reason != emu.StopLimit || stopped != boards[0] {
			t.Fatalf("stopped by %v, %v", res.Reason, res.Err)
		}
		for i, b := range boards {
			if over := b.Now() - end; over < 0 || over >= time.Microsecond {
				t.Errorf("board %d is at %v", i, b.Now())
			}
			o.traces[i], o.inputs[i] = b.Trace(), b.Inputs()
		}
		return o
	}
	first := play(false, nil)
	// After a reset, a UART rests for 256 bits of 35 us between transfers
	// (TX_IDLE_NUM).
	if n := first.count[0]; n < 5 || n > 7 || first.count[1] < n-1 || first.count[1] > n {
		t.Fatalf("%v bytes", first.count)
	}
	random := func(seed uint64) func(*emu.Group, [2]*emu.Board) {
		return func(g *emu.Group, boards [2]*emu.Board) {
			r := rand.New(rand.NewPCG(seed, 0))
			for boards[0].Now() < end*9/10 && boards[1].Now() < end*9/10 {
				limit := emu.Limit(time.Duration(1 + r.IntN([]int{50, 3_000, 300_000}[r.IntN(3)])))
				b := boards[r.IntN(2)]
				switch r.IntN(4) {
				case 0:
					g.Run(t.Context(), b, limit, emu.Instructions(1+r.Uint64N(40)))
				case 1:
					g.Run(t.Context(), b, limit, emu.UntilOutput(func(emu.Output) bool { return true }))
				default:
					g.Run(t.Context(), b, limit)
				}
			}
		}
	}
	for _, k := range []struct {
		name    string
		swapped bool
		wait    func(*emu.Group, [2]*emu.Board)
	}{
		{"again", false, nil},
		{"in another order", true, nil},
		{"in pieces", false, func(g *emu.Group, boards [2]*emu.Board) {
			for range 16 {
				g.Run(t.Context(), boards[0], emu.Limit(3*time.Millisecond))
			}
		}},
		{"for the other board", false, func(g *emu.Group, boards [2]*emu.Board) {
			for range 2 {
				if res, _ := g.Run(t.Context(), boards[1], emu.UntilText("x")); res.Reason != emu.StopText {
					t.Errorf("stopped by %v", res.Reason)
				}
			}
		}},
		{"random 1", false, random(1)},
		{"random 2", true, random(2)},
		{"random 3", false, random(3)},
	} {
		if o := play(k.swapped, k.wait); o.traces != first.traces || o.count != first.count {
			t.Errorf("%s: traces %x, %v bytes; first %x, %v", k.name, o.traces, o.count, first.traces, first.count)
		}
	}
	// Alone, with the inputs that it had in the group.
	count := 0
	alone := echoer(t, first.inputs[1], func(out emu.Output) { count += len(out.Data) })
	alone.NewTerminal(nil)
	alone.NewTerminal(nil)
	alone.Run(t.Context(), emu.Limit(end))
	if alone.Trace() != first.traces[1] || count != first.count[1] {
		t.Errorf("alone: trace %x, %d bytes; in the group %x, %d", alone.Trace(), count, first.traces[1], first.count[1])
	}
}

// crossed returns a group of two boards each of which sends to the other.
func crossed(t testing.TB, latency time.Duration, boards [2]*emu.Board, swapped bool) *emu.Group {
	t.Helper()
	order := boards[:]
	if swapped {
		order = []*emu.Board{boards[1], boards[0]}
	}
	g, err := emu.NewGroup(latency, order...)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range [][2]int{{21, 20}, {20, 21}} {
		if err := g.Join(boards[0], w[0], boards[1], w[1]); err != nil {
			t.Fatal(err)
		}
	}
	return g
}

// Boards that restore snapshots together continue as those that these were made of,
// at whatever instant: a change that is on its way is in the snapshot.
func TestGroupSnapshot(t *testing.T) {
	made := func() (*emu.Group, [2]*emu.Board) {
		boards := [2]*emu.Board{echoer(t, nil, nil), echoer(t, nil, nil)}
		return crossed(t, 200*time.Microsecond, boards, false), boards
	}
	g, boards := made()
	boards[0].Send(emu.UART0, []byte("x"))
	g.Run(t.Context(), boards[0], emu.Limit(9*time.Millisecond))
	pending := 0
	for i := range 200 {
		g.Run(t.Context(), boards[i%2], emu.Limit(time.Duration(300+997*i)))
		if g.Pending() == 0 && i%20 != 0 {
			continue
		}
		pending += g.Pending()
		var saved [2]*emu.Snapshot
		for k, b := range boards {
			saved[k] = b.Snapshot()
		}
		again, copies := made()
		for k, b := range copies {
			if err := b.Restore(saved[k]); err != nil {
				t.Fatal(err)
			}
		}
		const more = 3 * time.Millisecond
		again.Run(t.Context(), copies[1], emu.Limit(more))
		g.Run(t.Context(), boards[1], emu.Limit(more))
		for k, b := range boards {
			if b.Trace() != copies[k].Trace() || b.Now() != copies[k].Now() {
				t.Fatalf("round %d, board %d: trace %x at %v, restored %x at %v", i, k, b.Trace(), b.Now(), copies[k].Trace(), copies[k].Now())
			}
		}
	}
	if pending == 0 {
		t.Error("no snapshot was made while a change was on its way")
	}
}

// A line with a pull resistor that either board pulls low, as an I2C bus is.
func TestGroupOpenDrain(t *testing.T) {
	a, b := echoer(t, nil, nil), echoer(t, nil, nil)
	g, err := emu.NewGroup(500*time.Nanosecond, a, b)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Join(a, 4, b, 5); err != nil {
		t.Fatal(err)
	}
	pull, ta, tb := a.NewTerminal(nil), a.NewTerminal(nil), b.NewTerminal(nil)
	a.Join(pull.Pin(), 4)
	a.Join(ta.Pin(), 4)
	b.Join(tb.Pin(), 5)
	pull.Drive(emu.Source{MilliVolts: emu.Supply, Ohms: 4700})
	run := func(want emu.Level) {
		t.Helper()
		g.Run(t.Context(), a, emu.Limit(2*time.Microsecond))
		if a.Pin(4) != want || b.Pin(5) != want {
			t.Errorf("levels %v and %v, want %v", a.Pin(4), b.Pin(5), want)
		}
	}
	low := emu.Source{Ohms: 30}
	run(emu.High)
	tb.Drive(low)
	run(emu.Low)
	ta.Drive(low)
	run(emu.Low)
	tb.Drive(emu.Source{})
	run(emu.Low)
	ta.Drive(emu.Source{})
	run(emu.High) // neither end keeps the other low
	if len(a.Conflicts())+len(b.Conflicts()) > 0 {
		t.Errorf("conflicts %v %v", a.Conflicts(), b.Conflicts())
	}
	// Two outputs against each other are a short circuit on both boards.
	ta.Drive(emu.Source{MilliVolts: emu.Supply, Ohms: 30})
	tb.Drive(low)
	g.Run(t.Context(), a, emu.Limit(2*time.Microsecond))
	if len(a.Conflicts()) == 0 || len(b.Conflicts()) == 0 {
		t.Error("no conflict")
	}
}

// A run of a group reports the unmodelled accesses of all its windows.
func TestGroupUnmodelled(t *testing.T) {
	code := make([]byte, 384<<10)
	copy(code, []byte{
		0xb7, 0x02, 0x05, 0x60, // lui  t0, 0x60050     not modelled
		0x23, 0xa0, 0x52, 0x00, // sw   t0, 0(t0)
		0x6f, 0xf0, 0xdf, 0xff, // j    .-4
	})
	board := func() *emu.Board {
		b, err := c3.New(emu.Config{ROM: code})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	alone, joined := board(), board()
	g, err := emu.NewGroup(0, joined, echoer(t, nil, nil))
	if err != nil {
		t.Fatal(err)
	}
	want := alone.Run(t.Context(), emu.Instructions(10_000)).Unmodelled
	res, _ := g.Run(t.Context(), joined, emu.Instructions(10_000))
	if len(want) != 1 || want[0].Writes < 1000 || !slices.Equal(res.Unmodelled, want) || res.Instructions != 10_000 {
		t.Errorf("%v after %d instructions (%v), alone %v", res.Unmodelled, res.Instructions, res.Reason, want)
	}
}

func TestGroupRefuses(t *testing.T) {
	a, b := echoer(t, nil, nil), echoer(t, nil, nil)
	if _, err := emu.NewGroup(0, a, a); err == nil {
		t.Error("a board is in its group twice")
	}
	if _, err := emu.NewGroup(-1, a, b); err == nil {
		t.Error("a negative latency")
	}
	g, err := emu.NewGroup(0, a)
	if err != nil {
		t.Fatal(err)
	}
	if g.Join(a, 1, b, 1) == nil {
		t.Error("a board of another group is joined")
	}
	if err := g.Join(a, 1, a, 2); err != nil {
		t.Error(err)
	}
	a.Run(context.Background(), emu.Limit(time.Microsecond))
	if _, err := emu.NewGroup(0, a, b); err == nil {
		t.Error("a board that has run")
	}
}

// The cost of exchanging levels each microsecond: boards that compute, joined and
// alone, per millisecond of guest time.
func BenchmarkGroup(b *testing.B) {
	b.Run("joined", func(b *testing.B) {
		boards := [2]*emu.Board{echoer(b, nil, nil), echoer(b, nil, nil)}
		g := crossed(b, 0, boards, false)
		for b.Loop() {
			g.Run(b.Context(), boards[0], emu.Limit(time.Millisecond))
		}
	})
	b.Run("alone", func(b *testing.B) {
		boards := [2]*emu.Board{echoer(b, nil, nil), echoer(b, nil, nil)}
		for b.Loop() {
			for _, board := range boards {
				board.Run(b.Context(), emu.Limit(time.Millisecond))
			}
		}
	})
}
