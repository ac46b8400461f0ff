package session

import (
	"context"
	"errors"
	"os"
	"strings"
	"time"

	"espalier.dev/espalier/esp/loader"
	"espalier.dev/espalier/monitor"
	"espalier.dev/espalier/serial"
)

// Serial is a board on a serial port.
type Serial struct {
	port   serial.Port
	reopen Reopen
	start  time.Time
	buf    []byte
}

// Reopen opens a port again that has vanished, and waits for it until ctx ends.
type Reopen func(ctx context.Context, was serial.Info) (serial.Port, error)

// NewSerial returns the board on an open port, which it closes. reopen may be
// nil: then serial.Reopen with a timeout of one hour.
func NewSerial(p serial.Port, reopen Reopen) *Serial {
	if reopen == nil {
		reopen = func(ctx context.Context, was serial.Info) (serial.Port, error) {
			return serial.Reopen(ctx, was, serial.Options{}, time.Hour)
		}
	}
	return &Serial{port: p, reopen: reopen, start: time.Now(), buf: make([]byte, 32<<10)}
}

// readTimeout bounds one read, so that keys are handled and unfinished lines
// are shown in time.
const readTimeout = 25 * time.Millisecond

// Receive implements Board.
func (s *Serial) Receive(ctx context.Context, d time.Duration, deliver Deliver) error {
	n, err := s.port.Read(ctx, s.buf, min(d, readTimeout))
	switch {
	case err == nil:
		deliver(s.Stream(), s.Now(), s.buf[:n])
	case errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return err
}

// Send implements Board.
func (s *Serial) Send(ctx context.Context, p []byte) error { return s.port.Write(ctx, p) }

// Reset implements Board.
func (s *Serial) Reset(ctx context.Context) error { return loader.Run(ctx, s.port) }

// Now implements Board.
func (s *Serial) Now() time.Duration { return time.Since(s.start) }

// Close implements Board. The modem lines stay as they are.
func (s *Serial) Close() error {
	_ = s.port.Close() // nothing is lost when a port that was read fails to close
	return nil
}

// Stream is the chip's port at the other end.
func (s *Serial) Stream() monitor.Stream {
	if s.port.Info().Kind == serial.USBJTAG {
		return monitor.USB
	}
	return monitor.UART0
}

// Name is the port's name.
func (s *Serial) Name() string { return s.port.Info().Name }

// Reconnects reports whether a port that has vanished can come back as itself. A
// pseudo-terminal can by the name of a link: its number will be reused. A
// network connection that ended is the end of the output.
func (s *Serial) Reconnects() bool {
	i := s.port.Info()
	if i.Kind == serial.Terminal {
		return !strings.HasPrefix(i.Name, "/dev/pts/")
	}
	return i.Kind != serial.Network
}

// Closed reports whether the other end has closed the port. A read of a
// pseudo-terminal whose other end closes meanwhile fails with EIO; one that
// begins later finds the end of the file.
func (s *Serial) Closed(gone *serial.GoneError) bool {
	return gone.Err == nil || s.port.Info().Kind == serial.Terminal
}

// Reconnect closes the port and opens it again.
func (s *Serial) Reconnect(ctx context.Context) error {
	was := s.port.Info()
	_ = s.port.Close()
	p, err := s.reopen(ctx, was)
	if err == nil {
		s.port = p
	}
	return err
}
