package lan

import (
	"slices"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/faults"
)

// link is one direction of the Ethernet link between access point and router.
// The faults of the link act on it.
type link struct {
	n       *Network
	random  *faults.Random
	deliver func(frame []byte)
	spacing emu.Duration // between two frames; 0: none
	free    emu.Time     // when the next frame may be sent
}

const (
	// latency is the time of a frame from the router to the access point.
	latency = 200 * emu.Microsecond
	// frameSpacing keeps the router below the rate of full frames over 802.11g:
	// a chip has few receive buffers.
	frameSpacing = 250 * emu.Microsecond
)

// send transmits a frame. A frame without delay is delivered before send
// returns; the frame may then be reused.
func (l *link) send(frame []byte) {
	n := l.n
	if f, ok := n.fault(faults.FrameLoss); ok && l.random.Hit(f.PPM) {
		return
	}
	var delay emu.Duration
	if l.spacing > 0 {
		l.free = max(l.free, n.now.Add(latency))
		delay = l.free.Sub(n.now)
		l.free = l.free.Add(l.spacing)
	}
	if f, ok := n.fault(faults.FrameDelay); ok {
		delay += f.Delay
	}
	if f, ok := n.fault(faults.FrameReordering); ok && l.random.Hit(f.PPM) {
		delay += emu.Duration(l.random.N(uint64(f.Delay) + 1))
	}
	copies := 1
	if f, ok := n.fault(faults.FrameDuplication); ok && l.random.Hit(f.PPM) {
		copies = 2
	}
	for range copies {
		if delay == 0 {
			l.deliver(frame)
			continue
		}
		kept := slices.Clone(frame)
		n.timers.once(n.now.Add(delay), func() { l.deliver(kept) })
	}
}
