package emuport

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/c3"
	"espalier.dev/espalier/emu/chip"
	"espalier.dev/espalier/serial"
)

// Options say how the port behaves. The zero value is UART0 with modem lines,
// at the speed of the emulator.
type Options struct {
	// Stream is the chip's port: emu.UART0 through a USB bridge with the usual
	// two transistors, or emu.USB.
	Stream emu.Stream

	// Pace holds guest time to the host's clock times this factor; 0 does not.
	Pace float64

	// NoLines makes a port without modem lines, as a pseudo-terminal or a plain
	// TCP connection is.
	NoLines bool

	// AnyBaud gives the host's side the guest's speed, whatever that is: a plain
	// TCP connection carries bytes, not frames.
	AnyBaud bool

	// Disconnect makes USB-Serial-JTAG leave the bus for this long when the lines
	// reset the chip, as the host sees it when the peripheral is reset, too.
	Disconnect time.Duration

	// Output, when set, receives all bytes that the guest sends on any stream, at
	// the instant at which they leave the chip; Read receives none then. When it
	// returns true, Run returns. Data is valid during the call only. It is called
	// while the port is locked and must not use it.
	Output func(emu.Output) (stop bool)
}

// Port is a serial port of an emulated board. As any serial.Port it may be read
// and written by two goroutines.
type Port struct {
	opt   Options
	board *emu.Board

	mu     sync.Mutex // guards board and the fields below
	baud   int
	wire   wire
	lines  lines
	closed bool
	absent emu.Time // until when the device has left the bus; 0: it is there
	stop   bool     // Options.Output wants Run to return
	pace   pacer
}

// New powers on an emulated ESP32-C3. The straps of cfg hold for the first boot
// only, as if the BOOT button was held meanwhile. cfg.Output keeps receiving
// what the guest sends. Errors are those of c3.New.
func New(cfg emu.Config, opt Options) (*Port, error) {
	p := &Port{opt: opt, baud: serial.DefaultBaud, pace: pacer{factor: opt.Pace, zero: time.Now()}}
	if opt.Stream == emu.USB {
		cfg.USBHost = true
	}
	also := cfg.Output
	cfg.Output = func(r emu.Output) {
		if also != nil {
			also(r)
		}
		switch {
		case opt.Output != nil:
			p.stop = opt.Output(r) || p.stop
		case r.Stream == opt.Stream:
			p.wire.send(r.Data, p.mismatch())
		}
	}
	board, err := c3.New(cfg)
	if err != nil {
		return nil, err
	}
	p.board = board
	if cfg.Strap != emu.StrapFlash {
		board.SetStrap(emu.StrapFlash) // an input, and as such part of the trace
	}
	return p, nil
}

// Board returns the board. It must not be used while the port is.
func (p *Port) Board() *emu.Board { return p.board }

// Do calls f with the board while no one else uses it.
func (p *Port) Do(f func(*emu.Board)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(p.board)
}

// Progress returns the instructions that the guest has retired since power-on
// and the trace hash.
func (p *Port) Progress() (instructions, trace uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.board.Instructions(), p.board.Trace()
}

// now is guest time in ticks; mu is held.
func (p *Port) now() emu.Time { return emu.At(p.board.Now()) }

// mismatch reports whether the two ends of a UART run at different speeds:
// beyond 4 % the last bits of a frame are sampled wrongly.
func (p *Port) mismatch() bool {
	if p.opt.Stream == emu.USB || p.opt.AnyBaud {
		return false
	}
	chip := p.board.Baud(p.opt.Stream)
	d := chip - p.baud
	return max(d, -d)*25 > chip
}

// run runs the board until until, at the latest; mu is held.
func (p *Port) run(ctx context.Context, until emu.Time, opts ...emu.Option) emu.Result {
	return p.board.Run(ctx, append(opts, emu.Limit(until.Sub(p.now()).Std()))...)
}

// Run lets the guest run until guest time until, or until an option holds or
// Options.Output returns true, and then waits for the host's clock
// (Options.Pace). The error is that of ctx while waiting; how the run itself
// ended is in the result. In contrast to Read, the guest runs without a break:
// equal calls give equal traces.
func (p *Port) Run(ctx context.Context, until time.Duration, opts ...emu.Option) (emu.Result, error) {
	r := p.runUntil(ctx, emu.At(until), opts)
	if r.Reason == emu.StopContext {
		return r, ctx.Err()
	}
	return r, p.pace.wait(ctx, r.Now)
}

func (p *Port) runUntil(ctx context.Context, until emu.Time, opts []emu.Option) emu.Result {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stop = false
	opts = append(opts[:len(opts):len(opts)], emu.UntilOutput(func(emu.Output) bool { return p.stop }))
	for {
		next := min(until, p.lines.due(p.board))
		if next <= p.now() {
			return emu.Result{Reason: emu.StopLimit, Now: p.board.Now(), Trace: p.board.Trace()}
		}
		r := p.run(ctx, next, opts...)
		if r.Reason != emu.StopLimit || p.now() >= until {
			return r
		}
	}
}

// slice is how much guest time passes between two opportunities for a writer,
// and between two checks of the host's clock.
const slice = 2 * emu.Millisecond

// advance lets the guest run until until, or a little less: to the end of the
// slice, a change of the reset pin, and for a reader the next byte. mu is held.
func (p *Port) advance(ctx context.Context, until emu.Time, reader bool) error {
	now := p.now()
	until = min(until, now.Add(slice), p.lines.due(p.board))
	var opts []emu.Option
	if reader {
		opts = []emu.Option{emu.UntilOutput(func(o emu.Output) bool { return o.Stream == p.opt.Stream })}
	}
	if until <= now {
		return nil
	}
	r := p.run(ctx, until, opts...)
	switch r.Reason {
	case emu.StopContext:
		return ctx.Err()
	case emu.StopStrict, emu.StopAbsent:
		return r.Err
	}
	return nil
}

// step is advance, followed by waiting for the host's clock with mu released. mu
// is held before and after.
func (p *Port) step(ctx context.Context, until emu.Time, reader bool) error {
	err := p.advance(ctx, until, reader)
	now := p.board.Now()
	p.mu.Unlock()
	defer p.mu.Lock()
	if err != nil {
		return err
	}
	return p.pace.wait(ctx, now)
}

// check returns why the port cannot be used; mu is held.
func (p *Port) check(ctx context.Context) error {
	if p.closed {
		return &serial.GoneError{Name: p.Info().Name}
	}
	if p.absent != 0 {
		return &serial.GoneError{Name: p.Info().Name, Err: errors.New("the USB device has left the bus")}
	}
	return ctx.Err()
}

// Read implements serial.Port; timeout is guest time.
func (p *Port) Read(ctx context.Context, b []byte, timeout time.Duration) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	end := p.now().Add(chip.Ticks(timeout))
	for {
		if err := p.check(ctx); err != nil {
			return 0, err
		}
		if n := p.wire.receive(b); n > 0 {
			return n, nil
		}
		if p.now() >= end {
			return 0, os.ErrDeadlineExceeded
		}
		if err := p.step(ctx, end, true); err != nil {
			return 0, err
		}
	}
}

// Write implements serial.Port. The bytes take their time on the wire after it
// has returned, as with the buffer of a driver.
func (p *Port) Write(ctx context.Context, b []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.check(ctx); err != nil {
		return err
	}
	if p.mismatch() {
		damaged := make([]byte, len(b))
		for i, v := range b {
			damaged[i] = garble(v)
		}
		b = damaged
	}
	p.board.Send(p.opt.Stream, b)
	return nil
}

// SetBaud implements serial.Port.
func (p *Port) SetBaud(ctx context.Context, baud int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.opt.AnyBaud {
		return errors.ErrUnsupported
	}
	if baud < 1 {
		return errors.New("the speed of a port is at least 1 baud")
	}
	p.baud = baud
	return p.check(ctx)
}

// SetLines implements serial.Port.
func (p *Port) SetLines(ctx context.Context, dtr, rts bool) error {
	if p.opt.NoLines {
		return errors.ErrUnsupported
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.check(ctx); err != nil {
		return err
	}
	apply := p.lines.uart
	if p.opt.Stream == emu.USB {
		apply = p.lines.usb
	}
	if !apply(p.board, dtr, rts) {
		return nil
	}
	if p.opt.Stream == emu.USB && p.opt.Disconnect > 0 {
		p.disconnect(p.opt.Disconnect)
	}
	return nil
}

// disconnect takes the USB device off the bus; mu is held.
func (p *Port) disconnect(d time.Duration) {
	p.board.PlugUSB(false)
	p.absent = p.now().Add(chip.Ticks(d))
	p.wire.clear()
	p.lines.dtr, p.lines.rts = false, false
}

// Disconnect takes the USB device off the bus for a time, as when its chip goes
// to sleep or its cable is pulled.
func (p *Port) Disconnect(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.disconnect(d)
}

// Reconnect lets the guest run until the USB device is on the bus again, for at
// most timeout, and opens the port: what serial.Reopen does for devices.
func (p *Port) Reconnect(ctx context.Context, timeout time.Duration) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	end := p.now().Add(chip.Ticks(timeout))
	for p.absent != 0 && p.now() < p.absent {
		if p.now() >= end {
			return &serial.OpenError{Name: p.Info().Name, Reason: serial.Missing}
		}
		if err := p.step(ctx, min(p.absent, end), false); err != nil {
			return err
		}
	}
	if p.absent != 0 {
		p.absent = 0
		p.board.PlugUSB(true)
	}
	p.closed = false
	p.wire.clear()
	return ctx.Err()
}

// Wait implements serial.Port.
func (p *Port) Wait(ctx context.Context, d time.Duration) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	end := p.now().Add(chip.Ticks(d))
	for {
		if err := p.check(ctx); err != nil || p.now() >= end {
			return err
		}
		if err := p.step(ctx, end, false); err != nil {
			return err
		}
	}
}

// Now implements serial.Port: guest time since power-on.
func (p *Port) Now() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.board.Now()
}

// Info implements serial.Port.
func (p *Port) Info() serial.Info {
	i := serial.Info{Name: "emulated board, " + p.opt.Stream.String(), Kind: serial.Emulated, Chip: "ESP32-C3"}
	if p.opt.Stream == emu.USB {
		i.Kind, i.VID, i.PID = serial.USBJTAG, 0x303a, 0x1001
	}
	return i
}

// Close implements serial.Port. The board keeps its state and can be run on.
func (p *Port) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	return nil
}

// Reopen opens the port again after Close: bytes on the wire are lost and the
// clock continues.
func (p *Port) Reopen() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed, p.baud = false, serial.DefaultBaud
	p.wire.clear()
}
