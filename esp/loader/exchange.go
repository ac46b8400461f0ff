package loader

import (
	"context"
	"errors"
	"os"
	"time"

	"espalier.dev/espalier/serial"
)

// link exchanges packets with the chip.
type link struct {
	port   serial.Port
	slip   unslip
	in     []byte // read from the port, not yet looked at
	buf    [4096]byte
	status int // bytes of status in an answer: 4 ROM, 2 stub
	heard  int // bytes received
	sent   int
	trace  func(string)
}

// frame returns the next frame, or os.ErrDeadlineExceeded at the deadline, on
// the port's clock.
func (l *link) frame(ctx context.Context, deadline time.Duration) ([]byte, error) {
	for {
		for i, b := range l.in {
			if f, ok := l.slip.feed(b); ok {
				l.in = l.in[i+1:]
				return f, nil
			}
		}
		l.in = nil
		left := deadline - l.port.Now()
		if left <= 0 {
			return nil, os.ErrDeadlineExceeded
		}
		n, err := l.port.Read(ctx, l.buf[:], left)
		if err != nil {
			return nil, err
		}
		l.heard += n
		l.in = l.buf[:n]
	}
}

// send writes one packet.
func (l *link) send(ctx context.Context, packet []byte) error {
	out := appendSLIP(make([]byte, 0, len(packet)+len(packet)/64+2), packet)
	l.sent += len(out)
	return l.port.Write(ctx, out)
}

// drain forgets what has arrived and waits until nothing comes for quiet, but
// not for the end of a chip that never stops talking.
func (l *link) drain(ctx context.Context, quiet time.Duration) error {
	l.in = nil
	end := l.port.Now() + 6*quiet
	for l.port.Now() < end {
		n, err := l.port.Read(ctx, l.buf[:], quiet)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if err != nil {
			return err
		}
		l.heard += n
		for _, b := range l.buf[:n] {
			l.slip.feed(b)
		}
	}
	l.slip.in, l.slip.frame, l.slip.escape, l.slip.bad = false, l.slip.frame[:0], false, false
	return nil
}

// once sends a command and waits for its answer. Answers of other commands,
// and what is none, is passed over. Errors: *TimeoutError, *CommandError, those
// of the port.
func (l *link) once(ctx context.Context, op opcode, data []byte, sum uint32, timeout time.Duration) (response, error) {
	if err := l.send(ctx, request(op, data, sum)); err != nil {
		return response{}, err
	}
	return l.answer(ctx, op, timeout)
}

func (l *link) answer(ctx context.Context, op opcode, timeout time.Duration) (response, error) {
	deadline := l.port.Now() + timeout
	for {
		f, err := l.frame(ctx, deadline)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			l.tracef(op, "no answer")
			return response{}, &TimeoutError{Command: op.String(), After: timeout}
		}
		if err != nil {
			return response{}, err
		}
		r, ok := parseResponse(f, l.status)
		if !ok || r.op != op {
			continue
		}
		r.data = append([]byte(nil), r.data...)
		if r.fail != 0 {
			l.tracef(op, "refused")
			return r, &CommandError{Command: op.String(), Status: r.fail, Code: r.code, Stub: l.status == 2}
		}
		return r, nil
	}
}

func (l *link) tracef(op opcode, text string) {
	if l.trace != nil {
		l.trace(op.String() + ": " + text)
	}
}

// attempts is how often a command is sent that may be repeated.
const attempts = 4

// command is once for commands that may be repeated: after a failure the two
// ends find each other again with SYNC.
func (l *link) command(ctx context.Context, op opcode, data []byte, timeout time.Duration) (response, error) {
	var last error
	for range attempts {
		r, err := l.once(ctx, op, data, 0, timeout)
		if err == nil || !recoverable(err) {
			return r, err
		}
		last = err
		if err := l.resync(ctx); err != nil {
			if !recoverable(err) {
				return r, err
			}
			return r, last
		}
	}
	return response{}, last
}

// quiet is how long a line must be silent to count as drained: more than the
// latency timer of an FTDI chip.
const quiet = 20 * time.Millisecond

// resync makes both ends start at a packet again: the END of the SYNC's frame
// ends whatever the chip was in the middle of, and it answers that with an
// error; the ROM repeats those for a while.
func (l *link) resync(ctx context.Context) error {
	if err := l.drain(ctx, quiet); err != nil {
		return err
	}
	var last error
	for range 5 {
		r, err := l.once(ctx, opSync, syncData(), 0, timeSync)
		if err == nil {
			_ = r
			return l.drain(ctx, quiet)
		}
		if !recoverable(err) {
			return err
		}
		last = err
		if err := l.drain(ctx, quiet); err != nil {
			return err
		}
	}
	return last
}
