// Package probe does for firmware on an emulated board what a debug probe does on
// a desk: it answers semihosting calls and reads and writes the channels of RTT.
//
// For a board and the firmware's symbols it returns bytes by stream, in the form
// that package monitor decodes, and how the firmware has exited.
package probe

import (
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/semihost"
	"espalier.dev/espalier/firmware"
	"espalier.dev/espalier/monitor"
	"espalier.dev/espalier/rtt"
)

// Streams besides the chip's serial ports.
const (
	RTT      monitor.Stream = "rtt"
	Semihost monitor.Stream = "semihosting"
)

// period is how often, in guest time, the channels are read: firmware waits while
// its buffer is full. It is a grid from power-on, so that a run does not depend on
// where it is interrupted.
const period = 100 * time.Microsecond

// Without symbols the control block is searched for, seldom and not for ever.
const (
	searchPeriod = 20 * time.Millisecond
	searchTime   = 3 * time.Second
	ramFirst     = 0x3fc80000 // SRAM 1 on the data bus
	ramLast      = 0x3fce0000
)

// Drain is how long, in guest time, a board runs on after an exit: what the firmware
// has written to a serial port is still on its way then (128 bytes at 115200 baud
// take 11 ms).
const Drain = 20 * time.Millisecond

// Write takes bytes of a stream; p is valid during the call.
type Write func(s monitor.Stream, at time.Duration, p []byte)

// Probe is a probe that is connected to a board.
type Probe struct {
	// Host answers semihosting calls. Its Exited says how the firmware ended.
	Host semihost.Host

	board  *emu.Board
	write  Write
	block  *rtt.Block // nil: not found, or there is none
	search bool
	next   time.Duration // of the search
	frames map[int]*rtt.Frames
	defmt  bool
}

// New connects a probe to a board, before its first instruction. Symbols without
// an application make it search for RTT; an application without the symbol of a
// control block has none.
func New(board *emu.Board, symbols *firmware.Symbols, write Write) *Probe {
	p := &Probe{board: board, write: write, frames: map[int]*rtt.Frames{}}
	out := func(b []byte) { write(Semihost, board.Now(), b) }
	p.Host.Stdout, p.Host.Stderr = out, out
	p.Host.Centiseconds = func() uint32 { return uint32(board.Now() / (10 * time.Millisecond)) }
	p.Host.Attach(board.CPU())
	app := symbols.App()
	if app == nil {
		p.search = true
		return p
	}
	if s, ok := app.Lookup(rtt.Symbol); ok {
		p.block = rtt.New(board.CPU().Memory(), s.Addr)
	}
	table, err := app.Defmt()
	p.defmt = err == nil && table != nil
	return p
}

// Next is when Poll is wanted, after now; ok is false for never.
func (p *Probe) Next(now time.Duration) (at time.Duration, ok bool) {
	switch {
	case p.block != nil:
		return now - now%period + period, true
	case p.search:
		return max(p.next, now+time.Microsecond), true
	}
	return 0, false
}

// Poll writes what the firmware has written to its channels.
func (p *Probe) Poll(now time.Duration) {
	if p.search && now >= p.next {
		p.find(now)
	}
	if p.block == nil {
		return
	}
	p.block.Poll(func(c rtt.Channel, b []byte) {
		if p.defmt && c.Name != "Terminal" {
			f := p.frames[c.Number]
			if f == nil {
				f = &rtt.Frames{}
				p.frames[c.Number] = f
			}
			b = f.Append(nil, b)
		}
		p.write(RTT, now, b)
	})
}

func (p *Probe) find(now time.Duration) {
	p.next = now - now%searchPeriod + searchPeriod
	if at, ok := rtt.Find(p.board.CPU().Memory(), ramFirst, ramLast); ok {
		p.block, p.search = rtt.New(p.board.CPU().Memory(), at), false
	}
	p.search = p.search && now < searchTime
}

// Send writes to down channel 0 what has room there, and returns how much that
// is: 0 without such a channel.
func (p *Probe) Send(b []byte) int {
	if p.block == nil {
		return 0
	}
	return p.block.Send(0, b)
}
