package serial

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Reconnect returns a port that survives the disconnection of its device, which
// USB-Serial-JTAG causes when its chip resets. Bytes that were under way are lost;
// the call that noticed continues with the port that reopen returns. reopen
// decides how long to wait; it gets the Info of the port that disconnected. After
// an error of reopen, and after Close, every call returns *GoneError.
func Reconnect(p Port, reopen func(ctx context.Context, was Info) (Port, error)) *ReconnectingPort {
	return &ReconnectingPort{port: p, reopen: reopen}
}

// ReconnectingPort is a Port that is opened again when its device comes back; see
// Reconnect.
type ReconnectingPort struct {
	reopen func(ctx context.Context, was Info) (Port, error)

	mu        sync.Mutex // guards the fields below; never held while waiting
	port      Port
	elapsed   time.Duration // by the clocks of earlier ports
	baud      int           // 0: as opened
	closed    bool
	reopening chan struct{} // not nil while a call reopens
}

// Current returns the port that is open now, which does not reconnect.
func (r *ReconnectingPort) Current() Port {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.port
}

// reopened opens the port again after old has failed with err. It returns err when
// the error is not a disconnection or the device does not come back.
func (r *ReconnectingPort) reopened(ctx context.Context, old Port, err error) error {
	var gone *GoneError
	if !errors.As(err, &gone) {
		return err
	}
	r.mu.Lock()
	for r.reopening != nil {
		c := r.reopening
		r.mu.Unlock()
		select {
		case <-c:
		case <-ctx.Done():
			return ctx.Err()
		}
		r.mu.Lock()
	}
	if r.closed {
		r.mu.Unlock()
		return err
	}
	if r.port != old {
		r.mu.Unlock()
		return nil // another call has opened it
	}
	r.reopening = make(chan struct{})
	baud := r.baud
	r.mu.Unlock()

	counted := old.Now()
	_ = old.Close()
	p, e := r.reopen(ctx, old.Info())
	if e == nil && baud != 0 {
		e = p.SetBaud(ctx, baud)
		if unsupported(e) {
			e = nil
		}
	}

	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.reopening)
	r.reopening = nil
	if e != nil {
		r.closed = true
		if cause := ctx.Err(); cause != nil {
			return cause
		}
		return err
	}
	if r.closed {
		_ = p.Close()
		return err
	}
	r.elapsed += counted - p.Now()
	r.port = p
	return nil
}

// Read implements Port.
func (r *ReconnectingPort) Read(ctx context.Context, b []byte, timeout time.Duration) (int, error) {
	for {
		p := r.Current()
		n, err := p.Read(ctx, b, timeout)
		if err == nil {
			return n, nil
		}
		if err := r.reopened(ctx, p, err); err != nil {
			return 0, err
		}
	}
}

// Write implements Port. Bytes that were under way when the device disconnected
// are lost without an error: the protocol above notices.
func (r *ReconnectingPort) Write(ctx context.Context, b []byte) error {
	p := r.Current()
	return r.reopened(ctx, p, p.Write(ctx, b))
}

// SetBaud implements Port.
func (r *ReconnectingPort) SetBaud(ctx context.Context, baud int) error {
	r.mu.Lock()
	p := r.port
	r.baud = baud
	r.mu.Unlock()
	return r.reopened(ctx, p, p.SetBaud(ctx, baud))
}

// SetLines implements Port.
func (r *ReconnectingPort) SetLines(ctx context.Context, dtr, rts bool) error {
	p := r.Current()
	err := p.SetLines(ctx, dtr, rts)
	if err == nil {
		return nil
	}
	if err := r.reopened(ctx, p, err); err != nil {
		return err
	}
	if rts {
		return nil // the reset that was asked for has disconnected it
	}
	return r.Current().SetLines(ctx, dtr, rts)
}

// Wait implements Port.
func (r *ReconnectingPort) Wait(ctx context.Context, d time.Duration) error {
	p := r.Current()
	return r.reopened(ctx, p, p.Wait(ctx, d))
}

// Now implements Port: the time while the device was disconnected does not count.
func (r *ReconnectingPort) Now() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.elapsed + r.port.Now()
}

// Info implements Port.
func (r *ReconnectingPort) Info() Info { return r.Current().Info() }

// Close implements Port.
func (r *ReconnectingPort) Close() error {
	r.mu.Lock()
	r.closed = true
	p := r.port
	r.mu.Unlock()
	return p.Close()
}
