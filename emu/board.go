package emu

import (
	"context"
	"slices"
)

// Chip is a chip as a board needs it; emu/c3 implements it. Its methods are
// called between instructions.
type Chip interface {
	// Reset performs the reset that was asked for by Machine.RequestReset.
	Reset()
	// Input delivers an input whose time has come.
	Input(Input)
	// State walks over everything that is not in Machine: memories and devices.
	State(*State)
	// Pin returns the level that can be measured at a pin.
	Pin(n int) Level
	// Baud returns the bits per second of a serial port, 0 for USB.
	Baud(Stream) int
	// Flash and EFuse return copies of what is stored.
	Flash() []byte
	EFuse() []byte
}

// Board is a chip with power on. It is not safe for concurrent use.
type Board struct {
	m      *Machine
	chip   Chip
	inputs inputs
}

// NewBoard returns a board made of a machine and the chip that was built on
// it. Users call the New of a chip package instead.
func NewBoard(m *Machine, chip Chip) *Board {
	b := &Board{m: m, chip: chip}
	for _, in := range m.cfg.Replay {
		b.inputs.add(in)
	}
	return b
}

// contextPeriod is how much guest time passes at most between two looks at the
// context: some milliseconds of wall time in a compute-bound guest.
const contextPeriod = 10 * Millisecond

// Run lets guest time pass until a condition of opts holds, the context ends
// or nothing can happen any more, and says which. Called again, it continues.
func (b *Board) Run(ctx context.Context, opts ...Option) Result {
	var st stops
	for _, o := range opts {
		o(&st)
	}
	m := b.m
	m.stops, m.reason, m.resets = &st, stopCause{}, nil
	start, begun := m.Now(), b.retired()
	for _, f := range m.onRun {
		f()
	}
	b.loop(ctx, &st, start, begun)
	m.stops = nil
	return Result{
		Reason:       m.reason.reason,
		Text:         m.reason.text,
		Err:          m.reason.err,
		Now:          m.Now(),
		Elapsed:      m.Now().Sub(start),
		Instructions: b.retired() - begun,
		Trace:        b.traceHash(),
		Resets:       m.resets,
		Unmodelled:   m.access.list(),
	}
}

// retired returns the instructions since power-on.
func (b *Board) retired() uint64 { return b.m.CPU.Cycles() - b.m.clock.Idle }

// Now returns the guest time.
func (b *Board) Now() Time { return b.m.Now() }

// Inject delivers an input at its time; one whose time has passed is delivered
// at once and recorded with the time of its delivery. Inject and the methods
// built on it may be called from Config.Output and Config.Pin: the answer to a
// prompt arrives right after it.
func (b *Board) Inject(in Input) {
	in.At = max(in.At, b.m.Now())
	b.inputs.add(in)
	if b.m.inRun { // called from Output or Pin
		b.m.CPU.Limit(b.m.clock.cycle(in.At))
	}
}

// Send puts bytes on the receiving side of a serial port, now.
func (b *Board) Send(s Stream, p []byte) {
	b.Inject(Input{Kind: InputSerial, Port: s, Data: p})
}

// SetPin drives a pin from outside, or lets go of it with Floating, now.
func (b *Board) SetPin(n int, l Level) {
	b.Inject(Input{Kind: InputPin, Pin: n, Level: l})
}

// PlugUSB connects a host to USB-Serial-JTAG, or removes it, now.
func (b *Board) PlugUSB(present bool) {
	l := Low
	if present {
		l = High
	}
	b.Inject(Input{Kind: InputUSBHost, Level: l})
}

// Reset pulses the reset pin with the straps set to s, now.
func (b *Board) Reset(s Strap) { b.Inject(Input{Kind: InputReset, Strap: s}) }

// SetStrap sets the strapping pins; the chip looks at its next reset.
func (b *Board) SetStrap(s Strap) { b.Inject(Input{Kind: InputStrap, Strap: s}) }

// SetEnable holds the chip in reset with Low and starts it with High.
func (b *Board) SetEnable(l Level) { b.Inject(Input{Kind: InputEnable, Level: l}) }

// Baud returns the bits per second that the guest has configured for a serial
// port, 0 where there is no such thing (USB).
func (b *Board) Baud(s Stream) int { return b.chip.Baud(s) }

// Inputs returns the inputs that were delivered so far, for Config.Replay.
func (b *Board) Inputs() []Input { return slices.Clone(b.inputs.done) }

// Pin returns the level that can be measured at pin n, Floating for a pin that
// nobody drives or that does not exist.
func (b *Board) Pin(n int) Level { return b.chip.Pin(n) }

// Flash returns a copy of the flash content, EFuse of the eFuse blocks.
func (b *Board) Flash() []byte { return b.chip.Flash() }

// EFuse returns a copy of the content of the eFuse blocks, for Config.EFuse.
func (b *Board) EFuse() []byte { return b.chip.EFuse() }

// Unmodelled returns the registers used so far that the board does not model.
func (b *Board) Unmodelled() []Access { return b.m.access.list() }

// traceHash returns the hash of the run so far, with the registers of the CPU.
func (b *Board) traceHash() uint64 {
	t := b.m.trace
	s := b.m.CPU.State()
	for i, x := range s.X {
		t.mix(uint64(x), uint64(i))
	}
	t.mix(uint64(s.PC), s.Cycles)
	t.mix(uint64(b.m.Now()), b.retired())
	return uint64(t)
}
