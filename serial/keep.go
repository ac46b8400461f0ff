package serial

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Keep returns a port that outlives a device that goes away and comes back, as
// USB-Serial-JTAG does when its chip resets: what was lost on the way is lost,
// and the call that noticed goes on with the new port. reopen opens it; it
// decides how long to wait. After its error, and after Close, the port has gone.
func Keep(p Port, reopen func(ctx context.Context, was Info) (Port, error)) *Kept {
	return &Kept{port: p, reopen: reopen}
}

// Kept is a port that Keep has made.
type Kept struct {
	reopen func(ctx context.Context, was Info) (Port, error)

	mu     sync.Mutex // guards what follows; never held while waiting
	port   Port
	before time.Duration // what the clocks of earlier ports have counted
	baud   int           // 0: as opened
	closed bool
	coming chan struct{} // while somebody reopens
}

// Current returns the port that is there now, without the care for its return.
func (k *Kept) Current() Port {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.port
}

// again opens the port anew after old has failed with err. It returns err when
// that was no disappearance or nothing comes back.
func (k *Kept) again(ctx context.Context, old Port, err error) error {
	var gone *GoneError
	if !errors.As(err, &gone) {
		return err
	}
	k.mu.Lock()
	for k.coming != nil {
		c := k.coming
		k.mu.Unlock()
		select {
		case <-c:
		case <-ctx.Done():
			return ctx.Err()
		}
		k.mu.Lock()
	}
	if k.closed {
		k.mu.Unlock()
		return err
	}
	if k.port != old {
		k.mu.Unlock()
		return nil // somebody else has opened it
	}
	k.coming = make(chan struct{})
	baud := k.baud
	k.mu.Unlock()

	counted := old.Now()
	_ = old.Close()
	p, e := k.reopen(ctx, old.Info())
	if e == nil && baud != 0 {
		e = p.SetBaud(ctx, baud)
		if unsupported(e) {
			e = nil
		}
	}

	k.mu.Lock()
	defer k.mu.Unlock()
	close(k.coming)
	k.coming = nil
	if e != nil {
		k.closed = true
		if cause := ctx.Err(); cause != nil {
			return cause
		}
		return err
	}
	if k.closed {
		_ = p.Close()
		return err
	}
	k.before += counted - p.Now()
	k.port = p
	return nil
}

// Read implements Port.
func (k *Kept) Read(ctx context.Context, b []byte, timeout time.Duration) (int, error) {
	for {
		p := k.Current()
		n, err := p.Read(ctx, b, timeout)
		if err == nil {
			return n, nil
		}
		if err := k.again(ctx, p, err); err != nil {
			return 0, err
		}
	}
}

// Write implements Port. Bytes that were under way when the device left are lost,
// and that is no error: whoever speaks a protocol notices.
func (k *Kept) Write(ctx context.Context, b []byte) error {
	p := k.Current()
	return k.again(ctx, p, p.Write(ctx, b))
}

// SetBaud implements Port.
func (k *Kept) SetBaud(ctx context.Context, baud int) error {
	k.mu.Lock()
	p := k.port
	k.baud = baud
	k.mu.Unlock()
	return k.again(ctx, p, p.SetBaud(ctx, baud))
}

// SetLines implements Port.
func (k *Kept) SetLines(ctx context.Context, dtr, rts bool) error {
	p := k.Current()
	err := p.SetLines(ctx, dtr, rts)
	if err == nil {
		return nil
	}
	if err := k.again(ctx, p, err); err != nil {
		return err
	}
	if rts {
		return nil // the reset that was asked for is why it went
	}
	return k.Current().SetLines(ctx, dtr, rts)
}

// Wait implements Port.
func (k *Kept) Wait(ctx context.Context, d time.Duration) error {
	p := k.Current()
	return k.again(ctx, p, p.Wait(ctx, d))
}

// Now implements Port: the time while the device was away does not count.
func (k *Kept) Now() time.Duration {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.before + k.port.Now()
}

// Info implements Port.
func (k *Kept) Info() Info { return k.Current().Info() }

// Close implements Port.
func (k *Kept) Close() error {
	k.mu.Lock()
	k.closed = true
	p := k.port
	k.mu.Unlock()
	return p.Close()
}
