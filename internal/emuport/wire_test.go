package emuport

import (
	"testing"

	"espalier.dev/espalier/emu"
)

// A chip that sends more than the line carries: the host reads no byte that is
// older than the queue, and none that a reset has cleared.
func TestWireIsBounded(t *testing.T) {
	const frame = 10 * emu.Microsecond
	var w wire
	for range 2 * maxQueue / 1024 {
		w.send(0, frame, make([]byte, 1024), false)
	}
	if len(w.queue) != maxQueue {
		t.Errorf("%d bytes are queued, want %d", len(w.queue), maxQueue)
	}

	now := emu.Time(0).Add(10*frame + 1)
	w.reset(now)
	buf := make([]byte, 64)
	if n := w.receive(buf, now); n != 10 {
		t.Errorf("%d bytes after a reset, want the 10 that had arrived", n)
	}
	w.send(now, frame, []byte("x"), false)
	if at, ok := w.next(); !ok || at != now.Add(frame) {
		t.Errorf("the next byte arrives at %v, %v; want %v", at, ok, now.Add(frame))
	}

	w.send(now.Add(emu.Second), frame, make([]byte, 100), false)
	w.clear()
	w.send(now, frame, []byte("y"), false)
	if at, _ := w.next(); at != now.Add(frame) {
		t.Errorf("a cleared wire delays the next byte until %v", at)
	}
}
