package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"espalier.dev/espalier/emu/semihost"
	"espalier.dev/espalier/monitor"
	"espalier.dev/espalier/serial"
)

// Deliver takes bytes that a board has sent on a stream. p is valid during the
// call only. When it returns true, Receive returns at once.
type Deliver func(s monitor.Stream, at time.Duration, p []byte) (stop bool)

// Board is what a session monitors. Its time is its own: guest time since
// power-on for an emulated board, the host's clock since the start of the
// session for a real one. Its methods are called by one goroutine.
type Board interface {
	// Receive waits for what the board sends, until about d has passed or
	// deliver returns true; it may return earlier. Errors: ErrIdle, ErrEnd, a
	// *serial.GoneError, that of ctx, or what keeps the board from going on.
	Receive(ctx context.Context, d time.Duration, deliver Deliver) error

	// Send sends bytes to the firmware's serial input.
	Send(ctx context.Context, p []byte) error

	// Reset resets the chip and starts its firmware. The error of a port without
	// modem lines is errors.ErrUnsupported.
	Reset(ctx context.Context) error

	// Now is the time of the board.
	Now() time.Duration

	// Close ends the use of the board. Its error is a failure of the run: a
	// recording that could not be written, a replay that differs.
	Close() error
}

// ErrIdle is the error of a board that will send nothing more unless it receives
// something: its CPU waits for an interrupt that no timer will raise.
var ErrIdle = errors.New("the board is idle")

// ErrEnd is the error of a board that will send nothing more.
var ErrEnd = errors.New("the output ended")

// ExitError is the error of a board whose firmware has exited by semihosting.
type ExitError struct{ semihost.Exit }

func (e *ExitError) Error() string {
	if e.Reason != semihost.ApplicationExit {
		return fmt.Sprintf("the firmware exited with reason 0x%x", e.Reason)
	}
	return fmt.Sprintf("the firmware exited with status %d", e.Code)
}

// reconnecter is a board whose port may vanish and come back.
type reconnecter interface {
	// Reconnects reports whether the port can come back as itself.
	Reconnects() bool
	// Closed reports whether the other end has closed the port, which is the end
	// of the output and no error.
	Closed(*serial.GoneError) bool
	// Reconnect waits for the port, until ctx ends.
	Reconnect(ctx context.Context) error
	// Name is the port's name.
	Name() string
}

// busier is a board whose input takes time on the wire.
type busier interface {
	// Busy reports whether input should wait.
	Busy() bool
}

// counter is a board that counts what its chip executes.
type counter interface {
	// Progress returns the retired instructions and the trace hash.
	Progress() (instructions, trace uint64)
}
