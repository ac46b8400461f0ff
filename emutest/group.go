package emutest

import (
	"strconv"
	"testing"
	"time"

	"espalier.dev/espalier/emu"
)

// Group is several boards that run in step, joined by wires. While one of them
// waits, in Expect or Run, guest time passes on all. What happens on the boards does
// not depend on which of them a test waits for, or on where its waits end.
type Group struct {
	t      testing.TB
	group  *emu.Group
	boards []*Board
}

// NewGroup returns a group of boards on which no time has passed. Each board has an
// access point and a network of its own. Artefacts of the boards have the prefix
// board1-, board2- and so on; recordings are not kept, because what a board received
// over wires replays only on one with the same wires.
//
//	a, b := emutest.New(t, emutest.Firmware("sensor.elf")), emutest.New(t, emutest.Firmware("display.elf"))
//	g := emutest.NewGroup(t, a, b)
//	g.Join(a, 4, b, 5)
func NewGroup(t testing.TB, boards ...*Board) *Group {
	t.Helper()
	var list []*emu.Board
	for _, b := range boards {
		list = append(list, b.bed.Board)
	}
	group, err := emu.NewGroup(0, list...)
	if err != nil {
		t.Fatalf("emutest: %v", err)
	}
	g := &Group{t: t, group: group, boards: boards}
	for i, b := range boards {
		b.group = g
		b.keep.prefix = "board" + strconv.Itoa(i+1) + "-"
		b.keep.joined = true
	}
	return g
}

// Join connects a pin of one board with a pin of another by a wire, before time
// passes. The grounds of all boards are connected. A change at one end reaches the
// other after emu.DefaultLatency.
func (g *Group) Join(a *Board, pinA int, b *Board, pinB int) {
	g.t.Helper()
	if err := g.group.Join(a.bed.Board, pinA, b.bed.Board, pinB); err != nil {
		g.t.Fatalf("emutest: %v", err)
	}
}

// together returns the boards on which time passes with b, b first.
func (b *Board) together() []*Board {
	all := []*Board{b}
	if b.group != nil {
		for _, other := range b.group.boards {
			if other != b {
				all = append(all, other)
			}
		}
	}
	return all
}

// next returns when a monitor or a scenario of the boards is due, at most end.
func next(boards []*Board, end time.Duration) time.Duration {
	for _, b := range boards {
		if at, ok := b.monitor.NextTick(); ok {
			end = min(end, max(at, b.Now()+time.Microsecond))
		}
		if b.player != nil {
			if at, ok := b.player.Next(b.Now()); ok {
				end = min(end, at)
			}
		}
	}
	return end
}

// step lets guest time pass on the board, and on those of its group.
func (b *Board) step(opts ...emu.Option) emu.Result {
	b.t.Helper()
	if b.group == nil {
		return b.bed.Board.Run(b.t.Context(), opts...)
	}
	res, stopped := b.group.group.Run(b.t.Context(), b.bed.Board, opts...)
	for _, other := range b.group.boards {
		if other.bed.Board == stopped && other != b {
			other.fail("another board of the group waits", res)
		}
	}
	return res
}
