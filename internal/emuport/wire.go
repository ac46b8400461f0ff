package emuport

// wire holds the bytes that the host has received and not read. The chip's UART
// takes the line's time, so no byte is queued before the host has all its bits.
type wire struct{ queue []byte }

// maxQueue bounds the bytes that the host has not read: 512 KiB, which holds
// what a flasher has in flight at once (64 blocks of 4 KiB). Later bytes are
// lost, as in a driver's buffer that overruns.
const maxQueue = 512 << 10

// send appends bytes that have arrived.
func (w *wire) send(p []byte, damaged bool) {
	for _, b := range p {
		if len(w.queue) == maxQueue {
			return
		}
		if damaged {
			b = garble(b)
		}
		w.queue = append(w.queue, b)
	}
}

// receive moves the bytes that have arrived to p.
func (w *wire) receive(p []byte) int {
	n := copy(p, w.queue)
	w.queue = w.queue[n:]
	return n
}

// clear drops all bytes.
func (w *wire) clear() { *w = wire{} }

// garble is what a receiver at a wrong speed reads instead of a byte.
func garble(b byte) byte { return b<<3 | b>>6 | 0x81 }
