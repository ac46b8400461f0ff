package parts

import (
	"bytes"
	"fmt"
	"time"

	"espalier.dev/espalier/emu"
)

// UART is a device on a serial line, such as a modem or a GPS receiver: eight
// bits, no parity, one stop bit. Its answers are Replies, or what Received gives
// to Send.
type UART struct {
	// TX is the pin on which the chip sends, RX the one on which it receives.
	TX, RX int
	Baud   int // 115200 if 0
	// Replies are tried in order after each byte that the chip has sent.
	Replies []Reply
	// Received, if not nil, is called for each byte that the chip has sent.
	Received func(b byte)

	rx, tx *emu.Terminal
	sample *emu.Timer
	shift  *emu.Timer
	bit    emu.Duration
	seen   []byte // what no reply has answered yet
	queue  []byte
	s      struct {
		In      uint16
		InBits  uint8 // received, 0 while the line rests
		Out     uint16
		OutBits uint8 // left to send
		Errors  uint64
	}
}

// Reply is an answer to text that the chip sends.
type Reply struct {
	Expect, Send string
	// After is the guest time between the last byte of Expect and the first of Send.
	After time.Duration
}

// maxSeen bounds what is kept for the comparison with replies.
const maxSeen = 4096

// Attach implements emu.Part. The error is of a speed that cannot be sent.
func (u *UART) Attach(b *emu.Board) error {
	if u.Baud == 0 {
		u.Baud = 115200
	}
	if u.Baud < 1 || u.Baud > 20_000_000 {
		return fmt.Errorf("UART at %d baud: want 1 to 20000000", u.Baud)
	}
	u.bit = emu.Duration((emu.TicksPerSecond + uint64(u.Baud)/2) / uint64(u.Baud))
	u.rx = b.NewTerminal(u.edge)
	u.tx = b.NewTerminal(nil)
	u.sample = b.NewTimer(u.take)
	u.shift = b.NewTimer(u.give)
	b.AddStateFunc(func(s *emu.State) {
		s.Fixed(&u.s)
		s.Bytes(&u.seen)
		s.Bytes(&u.queue)
	})
	u.rx.Drive(rail(true, 100_000)) // a line that is not connected rests
	u.tx.Drive(rail(true, spiOhms))
	b.Join(u.rx.Pin(), u.TX)
	b.Join(u.tx.Pin(), u.RX)
	return nil
}

// edge finds the beginning of a start bit.
func (u *UART) edge(high bool) {
	if !high && u.s.InBits == 0 && !u.sample.Armed() {
		u.sample.Set(emu.At(u.rx.Now()).Add(u.bit / 2))
	}
}

// take is the middle of a bit.
func (u *UART) take() {
	s := &u.s
	high := u.rx.High()
	switch {
	case s.InBits == 0 && high:
		return // a pulse of less than half a bit
	case s.InBits < 9:
		s.In >>= 1
		if high {
			s.In |= 1 << 8
		}
		s.InBits++
		u.sample.Set(emu.At(u.rx.Now()).Add(u.bit))
		return
	}
	s.InBits = 0
	if !high {
		s.Errors++ // no stop bit: a break, or another speed
		return
	}
	u.received(byte(s.In >> 1))
}

func (u *UART) received(b byte) {
	if u.Received != nil {
		u.Received(b)
	}
	if len(u.Replies) == 0 {
		return
	}
	u.seen = append(u.seen, b)
	for _, r := range u.Replies {
		if r.Expect != "" && bytes.HasSuffix(u.seen, []byte(r.Expect)) {
			u.seen = u.seen[:0]
			u.send([]byte(r.Send), r.After)
			return
		}
	}
	if len(u.seen) > maxSeen {
		u.seen = append(u.seen[:0], u.seen[maxSeen/2:]...)
	}
}

// Send sends bytes to the chip, after those that are still to be sent.
func (u *UART) Send(p []byte) { u.send(p, 0) }

func (u *UART) send(p []byte, after time.Duration) {
	u.queue = append(u.queue, p...)
	if !u.shift.Armed() && len(u.queue) > 0 {
		u.shift.Set(emu.At(u.tx.Now() + after))
	}
}

// give is the beginning of a bit.
func (u *UART) give() {
	s := &u.s
	if s.OutBits == 0 {
		if len(u.queue) == 0 {
			return
		}
		s.Out, s.OutBits = uint16(u.queue[0])<<1|1<<9, 10
		u.queue = u.queue[1:]
	}
	u.tx.Drive(rail(s.Out&1 != 0, spiOhms))
	s.Out >>= 1
	s.OutBits--
	u.shift.Set(emu.At(u.tx.Now()).Add(u.bit))
}

// Errors returns how many bytes had no stop bit.
func (u *UART) Errors() uint64 { return u.s.Errors }
