package probe

import (
	"encoding/binary"
	"testing"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/c3"
	"espalier.dev/espalier/monitor"
)

const block = 0x3fc90000

// loops is a mask ROM that does nothing, forever: the test writes to memory what
// firmware would.
func loops() []byte {
	rom := make([]byte, 384<<10)
	copy(rom, []byte{0x6f, 0x00, 0x00, 0x00}) // j .
	return rom
}

// put writes a control block with an up channel of 8 bytes that has text, and a
// down channel.
func put(t *testing.T, b *emu.Board, text string) {
	t.Helper()
	var p []byte
	word := func(v uint32) { p = binary.LittleEndian.AppendUint32(p, v) }
	p = append(p, "SEGGER RTT\x00\x00\x00\x00\x00\x00"...)
	for _, v := range []uint32{1, 1, 0, block + 0x100, 16, uint32(len(text)), 0, 0, 0, block + 0x200, 16, 0, 0, 0} {
		word(v)
	}
	mem := b.CPU().Memory()
	if !mem.Write(block, p) || !mem.Write(block+0x100, []byte(text)) {
		t.Fatal("no memory")
	}
}

// Without symbols the control block is found when it appears, at a time that does
// not depend on how the run is cut in pieces.
func TestSearch(t *testing.T) {
	var found []time.Duration
	for _, piece := range []time.Duration{100 * time.Microsecond, 7 * time.Millisecond} {
		board, err := c3.New(emu.Config{ROM: loops()})
		if err != nil {
			t.Fatal(err)
		}
		var text string
		p := New(board, nil, func(s monitor.Stream, at time.Duration, b []byte) {
			if s != RTT {
				t.Errorf("stream %s", s)
			}
			if text == "" {
				found = append(found, at)
			}
			text += string(b)
		})
		run := func(end time.Duration) {
			for board.Now() < end {
				until := min(end, board.Now()+piece)
				if at, ok := p.Next(board.Now()); ok {
					until = min(until, at)
				}
				board.Run(t.Context(), emu.Limit(until-board.Now()))
				p.Poll(board.Now())
			}
		}
		run(50 * time.Millisecond)
		if text != "" || p.Send([]byte("x")) != 0 {
			t.Errorf("%q before there is a control block", text)
		}
		put(t, board, "hello\n")
		run(100 * time.Millisecond)
		if text != "hello\n" {
			t.Errorf("%q", text)
		}
		if n := p.Send([]byte("input")); n != 5 {
			t.Errorf("%d bytes sent", n)
		}
		var got [5]byte
		if board.CPU().Memory().Read(block+0x200, got[:]); string(got[:]) != "input" {
			t.Errorf("down channel %q", got)
		}
	}
	if len(found) != 2 || found[0] != found[1] {
		t.Errorf("found at %v", found)
	}
}

// The search ends.
func TestSearchEnds(t *testing.T) {
	board, err := c3.New(emu.Config{ROM: loops()})
	if err != nil {
		t.Fatal(err)
	}
	p := New(board, nil, func(monitor.Stream, time.Duration, []byte) { t.Error("output") })
	for range 1000 {
		at, ok := p.Next(board.Now())
		if !ok {
			if board.Now() < searchTime {
				t.Errorf("ended at %v", board.Now())
			}
			return
		}
		board.Run(t.Context(), emu.Limit(at-board.Now()))
		p.Poll(board.Now())
	}
	t.Errorf("still searching at %v", board.Now())
}
