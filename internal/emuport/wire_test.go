package emuport

import "testing"

// A host that does not read loses bytes; it does not make the queue grow.
func TestWireIsBounded(t *testing.T) {
	var w wire
	for range 2 * maxQueue / 1024 {
		w.send(make([]byte, 1024), false)
	}
	if len(w.queue) != maxQueue {
		t.Errorf("%d bytes are queued, want %d", len(w.queue), maxQueue)
	}
	if w.clear(); len(w.queue) != 0 {
		t.Error("a cleared wire has bytes")
	}
	w.send([]byte("xy"), false)
	buf := make([]byte, 1)
	for _, want := range "xy" {
		if n := w.receive(buf); n != 1 || buf[0] != byte(want) {
			t.Errorf("received %q, want %q", buf[:n], want)
		}
	}
}
