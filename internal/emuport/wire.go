package emuport

import (
	"espalier.dev/espalier/emu"
)

// wire holds the bytes on their way to the host, each with the time at which
// the host has received all of its bits.
type wire struct {
	queue []arrival
	last  emu.Time // when the last byte arrives
}

type arrival struct {
	at emu.Time
	b  byte
}

// maxQueue bounds the bytes that the host has not read: 512 KiB, which holds
// what a flasher has in flight at once (64 blocks of 4 KiB). Later bytes are
// lost, as in a driver's buffer that overruns.
const maxQueue = 512 << 10

// send appends bytes that leave the chip at at and take frame each.
func (w *wire) send(at emu.Time, frame emu.Duration, p []byte, damaged bool) {
	for _, b := range p {
		if len(w.queue) == maxQueue {
			return
		}
		if damaged {
			b = garble(b)
		}
		w.last = max(w.last, at).Add(frame)
		w.queue = append(w.queue, arrival{w.last, b})
	}
}

// receive moves the bytes that have arrived by now to p.
func (w *wire) receive(p []byte, now emu.Time) int {
	n := 0
	for n < len(p) && n < len(w.queue) && w.queue[n].at <= now {
		p[n] = w.queue[n].b
		n++
	}
	w.queue = w.queue[n:]
	return n
}

// next is when the next byte arrives.
func (w *wire) next() (at emu.Time, ok bool) {
	if len(w.queue) == 0 {
		return 0, false
	}
	return w.queue[0].at, true
}

// reset drops the bytes that have not arrived by now: a reset of the chip clears
// its transmit FIFO. Without it, what a chip in a boot loop has queued would
// delay the loader's answer.
func (w *wire) reset(now emu.Time) {
	n := 0
	for n < len(w.queue) && w.queue[n].at <= now {
		n++
	}
	w.queue = w.queue[:n]
	w.last = min(w.last, now)
}

// clear drops all bytes.
func (w *wire) clear() { *w = wire{} }

// garble is what a receiver at a wrong speed reads instead of a byte.
func garble(b byte) byte { return b<<3 | b>>6 | 0x81 }
