package flashing

import (
	"context"
	"errors"
	"time"

	"espalier.dev/espalier/esp/loader"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/serial"
)

// DefaultBaud is the speed of bulk transfers: the highest that common
// USB bridges reach without errors.
const DefaultBaud = 460800

// usbReturns is how long a USB device may be disconnected while its chip is
// flashed.
const usbReturns = 5 * time.Second

// Options say how a board is reached.
type Options struct {
	Before loader.Before
	After  loader.After // when the board is done with
	Baud   int          // of bulk transfers; 0 is DefaultBaud
	Stub   *loader.Stub // nil: the mask ROM only
	// Event, when set, is called with one line for each event of interest.
	Event func(string)
	// OnExit, when set, registers what must happen if the process ends before
	// Close.
	OnExit func(release func())
}

// Board is a board whose loader answers.
type Board struct {
	Loader *loader.Loader
	port   serial.Port
	after  loader.After
}

// Connect opens a port and brings the chip into its loader. The caller ends with
// Close or Start. Errors are faults of kind Port or Chip.
func Connect(ctx context.Context, port string, o Options) (*Board, error) {
	event := o.Event
	if event == nil {
		event = func(string) {}
	}
	p, err := serial.Open(ctx, port, serial.Options{})
	if err != nil {
		return nil, Fault(err)
	}
	if p.Info().Kind == serial.USBJTAG {
		// It disconnects when its chip is reset by other means than the lines, and
		// with some hubs also then.
		p = serial.Reconnect(p, func(ctx context.Context, was serial.Info) (serial.Port, error) {
			event(was.Name + " has disconnected; waiting for it")
			return serial.Reopen(ctx, was, serial.Options{}, usbReturns)
		})
	}
	if o.OnExit != nil {
		o.OnExit(func() { release(p) })
	}
	if o.Baud == 0 {
		o.Baud = DefaultBaud
	}
	l, err := loader.Connect(ctx, p, loader.Options{Before: o.Before, Baud: o.Baud, Stub: o.Stub, Event: event})
	if err != nil {
		release(p)
		return nil, Fault(err)
	}
	return &Board{Loader: l, port: p, after: o.After}, nil
}

// release lets a chip that is held in reset start, and closes the port. It works
// also when the caller's context has ended.
func release(p serial.Port) {
	_ = p.SetLines(context.Background(), false, false)
	_ = p.Close()
}

// Info returns what is known about the port.
func (b *Board) Info() serial.Info { return b.port.Info() }

// Close ends the session after err, which it returns as a fault: the chip is
// reset as Options.After says, also after a failure, so that it does not stay in
// its loader unexpectedly; then the port is closed.
func (b *Board) Close(ctx context.Context, err error) error {
	if err == nil {
		err = b.Loader.Leave(ctx, b.after)
	} else if b.after != loader.StayInLoader {
		_ = loader.Run(context.WithoutCancel(ctx), b.port)
	}
	release(b.port)
	return Fault(err)
}

// Start is Close for a caller that continues to use the port, to monitor the board:
// after a success the port stays open and is returned. It no longer reconnects by
// itself.
func (b *Board) Start(ctx context.Context, err error) (serial.Port, error) {
	if err != nil {
		return nil, b.Close(ctx, err)
	}
	if err := b.Loader.Leave(ctx, b.after); err != nil {
		release(b.port)
		return nil, Fault(err)
	}
	if r, ok := b.port.(*serial.ReconnectingPort); ok {
		return r.Current(), nil
	}
	return b.port, nil
}

// Fault gives an error of a port or of a chip its kind, Port or Chip. Others stay
// as they are.
func Fault(err error) error {
	var (
		open    *serial.OpenError
		gone    *serial.GoneError
		connect *loader.ConnectError
		timeout *loader.TimeoutError
		command *loader.CommandError
		verify  *loader.VerifyError
		chip    *loader.WrongChipError
		secure  *loader.SecureDownloadError
		known   *fault.Error
	)
	switch {
	case err == nil, errors.As(err, &known):
		return err
	case errors.As(err, &open), errors.As(err, &gone):
		return fault.Wrap(fault.Port, err, "")
	case errors.As(err, &connect), errors.As(err, &timeout), errors.As(err, &command), errors.As(err, &verify),
		errors.As(err, &chip), errors.As(err, &secure):
		return fault.Wrap(fault.Chip, err, "")
	}
	return err
}
