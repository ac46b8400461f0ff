package lan

import (
	"slices"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/faults"
)

// wire is one direction between access point and router; faults act on it.
type wire struct {
	n      *Network
	random *faults.Random
	arrive func(frame []byte)
	pace   emu.Duration // between two frames; 0: at once
	free   emu.Time     // when the wire has room for the next
}

const (
	// latency is how long a frame of the router takes to the access point.
	latency = 200 * emu.Microsecond
	// framePace keeps the router from sending faster than 802.11g could carry
	// full frames; a chip has few receive buffers.
	framePace = 250 * emu.Microsecond
)

// send puts a frame on the wire. A frame that is not delayed arrives before
// send returns; the frame may then be reused.
func (w *wire) send(frame []byte) {
	n := w.n
	if f, ok := n.fault(faults.FrameLoss); ok && w.random.Hit(f.PPM) {
		return
	}
	var wait emu.Duration
	if w.pace > 0 {
		w.free = max(w.free, n.now.Add(latency))
		wait = w.free.Sub(n.now)
		w.free = w.free.Add(w.pace)
	}
	if f, ok := n.fault(faults.FrameDelay); ok {
		wait += f.Delay
	}
	if f, ok := n.fault(faults.FrameReordering); ok && w.random.Hit(f.PPM) {
		wait += emu.Duration(w.random.N(uint64(f.Delay) + 1))
	}
	copies := 1
	if f, ok := n.fault(faults.FrameDuplication); ok && w.random.Hit(f.PPM) {
		copies = 2
	}
	for range copies {
		if wait == 0 {
			w.arrive(frame)
			continue
		}
		kept := slices.Clone(frame)
		n.timers.once(n.now.Add(wait), func() { w.arrive(kept) })
	}
}
