package emu_test

import (
	"context"
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

// Two boards echo one byte to each other. The result does not depend on the order
// of the boards or on how the run is divided, and the inputs of one board repeat
// its part alone.
func TestGroup(t *testing.T) {
	type outcome struct {
		traces [2]uint64
		count  [2]int
		inputs [2][]emu.Input
	}
	play := func(swapped bool, slices int) (o outcome) {
		var boards [2]*emu.Board
		for i := range boards {
			boards[i] = echoer(t, nil, func(out emu.Output) { o.count[i] += len(out.Data) })
		}
		order := []*emu.Board{boards[0], boards[1]}
		if swapped {
			order[0], order[1] = order[1], order[0]
		}
		g, err := emu.NewGroup(0, order...)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range [][2]int{{21, 20}, {20, 21}} {
			if err := g.Join(boards[0], w[0], boards[1], w[1]); err != nil {
				t.Fatal(err)
			}
		}
		boards[0].Send(emu.UART0, []byte("x"))
		for range slices {
			res, stopped := g.Run(t.Context(), boards[0], emu.Limit(100*time.Millisecond/time.Duration(slices)))
			if res.Reason != emu.StopLimit || stopped != boards[0] {
				t.Fatalf("stopped by %v, %v", res.Reason, res.Err)
			}
		}
		// The other board to the same instant.
		if left := 20*time.Millisecond - boards[1].Now(); left > 0 {
			g.Run(t.Context(), boards[1], emu.Limit(left))
		}
		for i, b := range boards {
			o.traces[i], o.inputs[i] = b.Trace(), b.Inputs()
		}
		return o
	}
	first := play(false, 1)
	// After a reset, a UART rests for 256 bits of 35 us between transfers
	// (TX_IDLE_NUM).
	if n := first.count[0]; n < 10 || n > 13 || first.count[1] < n-1 || first.count[1] > n {
		t.Fatalf("%v bytes", first.count)
	}
	for _, k := range []struct {
		name    string
		swapped bool
		slices  int
	}{{"again", false, 1}, {"in another order", true, 1}, {"in pieces", false, 16}} {
		if o := play(k.swapped, k.slices); o.traces != first.traces || o.count != first.count {
			t.Errorf("%s: traces %x, %v bytes; first %x, %v", k.name, o.traces, o.count, first.traces, first.count)
		}
	}
	// Alone, with the inputs that it had in the group.
	count := 0
	alone := echoer(t, first.inputs[1], func(out emu.Output) { count += len(out.Data) })
	alone.NewTerminal(nil)
	alone.NewTerminal(nil)
	alone.Run(t.Context(), emu.Limit(100*time.Millisecond))
	if alone.Trace() != first.traces[1] || count != first.count[1] {
		t.Errorf("alone: trace %x, %d bytes; in the group %x, %d", alone.Trace(), count, first.traces[1], first.count[1])
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
