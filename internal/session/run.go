package session

import (
	"context"
	"errors"
	"io"
	"time"

	"espalier.dev/espalier/internal/console"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/ui"
	"espalier.dev/espalier/monitor"
	"espalier.dev/espalier/serial"
)

// run is a session while it lasts.
type run struct {
	s       *Session
	board   Board
	monitor *monitor.Monitor
	console *console.Console
	merge   merger
	log     *outputFile
	input   *input

	heard   bool // something was received, or its absence was noted
	running bool // the program has printed a line
	quit    bool // the user has quit
}

// period is how often, in the board's time, unfinished lines are shown and
// checked: that of monitor's pause, so that the verdict does not depend on the
// speed of the run.
const period = 50 * time.Millisecond

// loop runs until the verdict is in.
func (r *run) loop(ctx context.Context) error {
	inner := ctx
	if r.s.opt.Timeout > 0 {
		var cancel context.CancelFunc
		inner, cancel = context.WithTimeout(ctx, r.s.opt.Timeout)
		defer cancel()
	}
	if r.s.FromReset {
		r.input.firstPiped(inner)
	}
	for !r.monitor.Done() {
		r.handleInput(inner)
		if r.quit {
			r.monitor.Close(r.board.Now())
			return nil
		}
		err := r.board.Receive(inner, r.wanted(), r.deliver)
		now := r.board.Now()
		var gone *serial.GoneError
		var exit *ExitError
		switch {
		case err == nil:
			r.monitor.Flush(now)
			r.monitor.Tick(now)
			r.noteSilence(now)
		case ctx.Err() != nil:
			r.monitor.Close(now)
			return ctx.Err()
		case inner.Err() != nil:
			r.monitor.Timeout(now)
		case errors.Is(err, ErrIdle) && r.awaitsInput():
			r.monitor.Flush(now)
			r.input.wait(inner, period)
		case errors.Is(err, ErrIdle), errors.Is(err, ErrEnd):
			r.monitor.Close(now)
		case errors.As(err, &exit):
			r.monitor.Close(now)
			if !exit.Success() {
				return fault.Wrap(fault.Program, exit, "")
			}
		case errors.As(err, &gone):
			err = r.vanished(ctx, inner, gone)
			fallthrough
		default:
			if err != nil {
				r.monitor.Close(r.board.Now())
				return err
			}
		}
		if err := r.writeError(); err != nil {
			r.monitor.Close(now)
			return err
		}
	}
	return nil
}

// wanted is how long the board may run without the monitor.
func (r *run) wanted() time.Duration {
	now := r.board.Now()
	d := period - now%period
	if at, ok := r.monitor.NextTick(); ok {
		d = min(d, at-now)
	}
	return max(d, time.Microsecond)
}

// deliver takes bytes of the board.
func (r *run) deliver(s monitor.Stream, at time.Duration, p []byte) (stop bool) {
	r.heard = true
	r.merge.write(s, at, p)
	return r.monitor.Write(s, at, p) || r.merge.err != nil
}

// writeError is what keeps the session from writing its output. A log that is
// lost is a failure, and so is standard output.
func (r *run) writeError() error {
	if r.merge.err != nil {
		return r.merge.err
	}
	if err := r.s.UI.Err(); err != nil {
		return fault.Writing("standard output", err)
	}
	return r.log.flush()
}

// awaitsInput reports whether a board that is idle may still receive something.
func (r *run) awaitsInput() bool { return !r.input.ended && r.s.opt.For == 0 }

// bootTime is how long piped input waits for the first line of the program.
const bootTime = time.Second

// maxEvents bounds the events that are handled at once: piped input may be
// endless.
const maxEvents = 64

// handleInput handles the keys and piped bytes that are there.
func (r *run) handleInput(ctx context.Context) {
	if !r.input.keyboard && r.s.FromReset && !r.running && r.board.Now() < bootTime {
		return // ROM and bootloader would discard it
	}
	wire, limited := r.board.(busier)
	for range maxEvents {
		if r.quit || limited && !r.input.keyboard && wire.Busy() {
			return
		}
		e, ok := r.input.next()
		if !ok {
			return
		}
		r.handle(ctx, e)
	}
}

func (r *run) handle(ctx context.Context, e keyEvent) {
	u := r.s.UI
	switch e.act {
	case actSend:
		if err := r.board.Send(ctx, []byte(e.text)); err != nil {
			u.Debugf("sending to the board: %v", err)
		}
	case actQuit:
		r.quit = true
	case actReset:
		err := r.board.Reset(ctx)
		switch {
		case errors.Is(err, errors.ErrUnsupported):
			u.Note("this port has no reset line")
		case err != nil:
			u.Note("resetting the board: %v", err)
		}
	case actStamps:
		r.console.ToggleTimestamps()
	case actHelp:
		u.Note("%s", keyHelp)
	case actPrompt:
		r.console.Pause()
		io.WriteString(u.Writer(ui.Stderr), e.text)
	case actEcho:
		io.WriteString(u.Writer(ui.Stderr), e.text)
	case actFilter:
		r.setFilter(e.text)
		r.console.Resume()
	case actCancel:
		r.console.Resume()
	}
}

// setFilter replaces the filter by a rule; an empty one shows all lines.
func (r *run) setFilter(text string) {
	if text == "" {
		r.console.SetFilter(nil)
		return
	}
	rule, err := monitor.ParseRule(text)
	if err != nil {
		r.s.UI.Note("%v", err)
		return
	}
	r.console.SetFilter([]monitor.Rule{rule})
}

// silence is how long a real board may send nothing before that is noted.
const silence = 5 * time.Second

// noteSilence says once why nothing may have been received: the program prints
// to the chip's other port.
func (r *run) noteSilence(now time.Duration) {
	b, real := r.board.(*Serial)
	if !real || r.heard || now < r.s.silence {
		return
	}
	r.heard = true
	other := "this is UART0; the firmware may print to USB-Serial-JTAG, the chip's own USB device"
	if b.Stream() == monitor.USB {
		other = "this is USB-Serial-JTAG; the firmware may print to UART0, which needs a USB bridge"
	}
	r.s.UI.Note("nothing received yet: %s", other)
	r.s.UI.Hints("espalier monitor --reset: the mask ROM prints to both",
		"esp-println chooses by its features uart, jtag-serial and auto")
}
