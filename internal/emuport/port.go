package emuport

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/c3"
	"espalier.dev/espalier/serial"
)

// Options say how the port behaves.
type Options struct {
	// Stream is the port of the chip: emu.UART0 behind a USB bridge with the
	// usual two transistors, or emu.USB.
	Stream emu.Stream
	// Pace holds the guest to the host's clock times this factor; 0 lets it
	// run as fast as somebody waits.
	Pace float64
	// NoLines makes a port without modem lines, as a pseudo-terminal or a
	// plain TCP connection is.
	NoLines bool
	// AnyBaud lets the host's end have the guest's speed, whatever it is: a
	// plain TCP connection carries bytes, not frames.
	AnyBaud bool
	// Away makes USB-Serial-JTAG leave the bus when the lines reset the chip, as
	// its host sees it where the peripheral is reset, too: the port has gone for
	// this long, and comes back by Return.
	Away time.Duration
}

// Port is the wire to an emulated board. As every serial.Port it may be read
// and written by two goroutines.
type Port struct {
	o     Options
	board *emu.Board

	mu       sync.Mutex // guards board and what follows
	baud     int
	out      []arrival // bytes on the way to the host, in order
	last     emu.Time  // when the last of them arrives
	lines    lines
	closed   bool
	away     emu.Time // until when the device has left the bus; 0: it is there
	opened   emu.Time
	hostZero time.Time // host time of guest time zero
}

// arrival is a byte and when the host has all its bits.
type arrival struct {
	at emu.Time
	b  byte
}

// New powers an emulated ESP32-C3 on. A chip that is strapped for download is
// so for this first boot only, as if somebody had held the button. cfg.Output
// keeps receiving what the board writes. Errors are those of c3.New.
func New(cfg emu.Config, o Options) (*Port, error) {
	p := &Port{o: o, baud: serial.DefaultBaud, hostZero: time.Now()}
	if o.Stream == emu.USB {
		cfg.USBHost = true
	}
	also := cfg.Output
	cfg.Output = func(r emu.Output) {
		if also != nil {
			also(r)
		}
		if r.Stream == o.Stream {
			p.take(r)
		}
	}
	board, err := c3.New(cfg)
	if err != nil {
		return nil, err
	}
	p.board = board
	board.SetStrap(emu.StrapFlash)
	return p, nil
}

// Board returns the board. It must not be used while the port is.
func (p *Port) Board() *emu.Board { return p.board }

// Do runs f with the board while nobody else uses it.
func (p *Port) Do(f func(*emu.Board)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(p.board)
}

// frame is how long a byte is on the wire: the sender, here the guest, decides.
func (p *Port) frame() emu.Duration {
	baud := p.board.Baud(p.o.Stream)
	if baud == 0 {
		return 0 // USB
	}
	return emu.Duration(10 * emu.TicksPerSecond / uint64(baud))
}

// take receives what the guest writes; mu is held by whoever runs the board.
func (p *Port) take(r emu.Output) {
	for _, b := range r.Data {
		if p.mismatch() {
			b = garble(b)
		}
		p.last = max(p.last, r.At).Add(p.frame())
		p.out = append(p.out, arrival{p.last, b})
	}
}

// mismatch reports whether the two ends of a UART run at different speeds:
// beyond 4 % the last bits of a frame are sampled wrongly.
func (p *Port) mismatch() bool {
	if p.o.Stream == emu.USB || p.o.AnyBaud {
		return false
	}
	chip := p.board.Baud(p.o.Stream)
	d := chip - p.baud
	return max(d, -d)*25 > chip
}

// garble is what a receiver at a wrong speed makes of a byte.
func garble(b byte) byte { return b<<3 | b>>6 | 0x81 }

// slice is how much guest time passes between two chances for a writer, and
// between two looks at the host's clock.
const slice = 2 * emu.Millisecond

// advance lets the guest run until until, or a little less: to the next slice,
// a change of the reset pin, and for a reader to the next arrival. mu is held.
func (p *Port) advance(ctx context.Context, until emu.Time, reader bool) error {
	now := p.board.Now()
	until = min(until, now.Add(slice))
	until = min(until, p.lines.due(p.board))
	opts := make([]emu.Option, 0, 2)
	switch {
	case !reader:
	case len(p.out) > 0:
		until = min(until, p.out[0].at)
	default:
		opts = append(opts, emu.UntilOutput(func(o emu.Output) bool { return o.Stream == p.o.Stream }))
	}
	if until <= now {
		return nil
	}
	r := p.board.Run(ctx, append(opts, emu.Limit(until.Sub(now)))...)
	switch r.Reason {
	case emu.StopContext:
		return ctx.Err()
	case emu.StopStrict, emu.StopAbsent:
		return r.Err
	}
	return nil
}

// keepPace sleeps until the host's clock has caught up. mu is not held.
func (p *Port) keepPace(ctx context.Context, now emu.Time) error {
	if p.o.Pace == 0 {
		return ctx.Err()
	}
	ahead := time.Duration(float64(emu.Duration(now).Nanoseconds())/p.o.Pace) - time.Since(p.hostZero)
	if ahead < -time.Second {
		// The guest could not keep up, or nobody waited: it does not run after
		// the lost time.
		p.hostZero = p.hostZero.Add(-ahead)
	}
	if ahead <= 200*time.Microsecond {
		return ctx.Err()
	}
	t := time.NewTimer(ahead)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Read implements serial.Port; timeout is guest time.
func (p *Port) Read(ctx context.Context, b []byte, timeout time.Duration) (int, error) {
	p.mu.Lock()
	end := p.board.Now().Add(ticks(timeout))
	for {
		if err := p.check(ctx); err != nil {
			p.mu.Unlock()
			return 0, err
		}
		if n := p.arrived(b); n > 0 {
			p.mu.Unlock()
			return n, nil
		}
		if p.board.Now() >= end {
			p.mu.Unlock()
			return 0, os.ErrDeadlineExceeded
		}
		err := p.advance(ctx, end, true)
		now := p.board.Now()
		p.mu.Unlock()
		if err == nil {
			err = p.keepPace(ctx, now)
		}
		if err != nil {
			return 0, err
		}
		p.mu.Lock()
	}
}

func (p *Port) check(ctx context.Context) error {
	if p.closed {
		return &serial.GoneError{Name: p.Info().Name}
	}
	if p.away != 0 {
		return &serial.GoneError{Name: p.Info().Name, Err: errors.New("the USB device has left the bus")}
	}
	return ctx.Err()
}

// arrived moves what the host has received to b.
func (p *Port) arrived(b []byte) int {
	n, now := 0, p.board.Now()
	for n < len(b) && n < len(p.out) && p.out[n].at <= now {
		b[n] = p.out[n].b
		n++
	}
	p.out = p.out[n:]
	return n
}

// Write implements serial.Port. The bytes take their time on the wire after it
// has returned, as behind the buffer of a driver.
func (p *Port) Write(ctx context.Context, b []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.check(ctx); err != nil {
		return err
	}
	if p.mismatch() {
		bad := make([]byte, len(b))
		for i, v := range b {
			bad[i] = garble(v)
		}
		b = bad
	}
	p.board.Send(p.o.Stream, b)
	return nil
}

// SetBaud implements serial.Port.
func (p *Port) SetBaud(ctx context.Context, baud int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.o.AnyBaud {
		return errors.ErrUnsupported
	}
	if baud < 1 {
		return errors.New("no such speed")
	}
	p.baud = baud
	return p.check(ctx)
}

// SetLines implements serial.Port.
func (p *Port) SetLines(ctx context.Context, dtr, rts bool) error {
	if p.o.NoLines {
		return errors.ErrUnsupported
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.check(ctx); err != nil {
		return err
	}
	if p.o.Stream == emu.USB {
		if p.lines.usb(p.board, dtr, rts) && p.o.Away > 0 {
			p.leave(p.o.Away)
		}
	} else {
		p.lines.uart(p.board, dtr, rts)
	}
	return nil
}

// leave takes the device off the bus.
func (p *Port) leave(d time.Duration) {
	p.board.PlugUSB(false)
	p.away, p.out = p.board.Now().Add(ticks(d)), nil
	p.lines.dtr, p.lines.rts = false, false
}

// Leave makes a USB device that is there leave the bus for a while, as one does
// whose chip goes to sleep or whose cable is pulled.
func (p *Port) Leave(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.leave(d)
}

// Return lets the guest run until the USB device is on the bus again, for at
// most patience, and opens the port: what serial.Reopen is for devices.
func (p *Port) Return(ctx context.Context, patience time.Duration) error {
	p.mu.Lock()
	end := p.board.Now().Add(ticks(patience))
	for p.away != 0 && p.board.Now() < p.away {
		if p.board.Now() >= end {
			p.mu.Unlock()
			return &serial.OpenError{Name: p.Info().Name, Reason: serial.Missing}
		}
		err := p.advance(ctx, min(p.away, end), false)
		now := p.board.Now()
		p.mu.Unlock()
		if err == nil {
			err = p.keepPace(ctx, now)
		}
		if err != nil {
			return err
		}
		p.mu.Lock()
	}
	defer p.mu.Unlock()
	if p.away != 0 {
		p.away = 0
		p.board.PlugUSB(true)
	}
	p.closed, p.out = false, nil
	return ctx.Err()
}

// Wait implements serial.Port.
func (p *Port) Wait(ctx context.Context, d time.Duration) error {
	p.mu.Lock()
	end := p.board.Now().Add(ticks(d))
	for {
		if err := p.check(ctx); err != nil || p.board.Now() >= end {
			p.mu.Unlock()
			return err
		}
		err := p.advance(ctx, end, false)
		now := p.board.Now()
		p.mu.Unlock()
		if err == nil {
			err = p.keepPace(ctx, now)
		}
		if err != nil {
			return err
		}
		p.mu.Lock()
	}
}

// Now implements serial.Port: guest time.
func (p *Port) Now() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Duration(emu.Duration(p.board.Now() - p.opened).Nanoseconds())
}

// Info implements serial.Port.
func (p *Port) Info() serial.Info {
	i := serial.Info{Name: "emulated board, " + p.o.Stream.String(), Kind: serial.Emulated, Chip: "ESP32-C3"}
	if p.o.Stream == emu.USB {
		i.Kind, i.VID, i.PID = serial.USBJTAG, 0x303a, 0x1001
	}
	return i
}

// Close implements serial.Port. The board stays as it is and can be run on.
func (p *Port) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	return nil
}

// Plug opens the port again after Close, as plugging a cable in does: bytes on
// the way are lost and the clock goes on.
func (p *Port) Plug() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed, p.out, p.baud = false, nil, serial.DefaultBaud
}

// ticks is a duration of the guest.
func ticks(d time.Duration) emu.Duration {
	return emu.Duration(d/time.Microsecond)*emu.Microsecond + emu.Duration(d%time.Microsecond*4/25)
}
