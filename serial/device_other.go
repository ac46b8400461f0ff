//go:build !linux

package serial

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	bugst "go.bug.st/serial"
)

// device is a serial port through go.bug.st/serial. DTR and RTS change one
// after the other; on Windows, DTR is written again after RTS because some
// drivers pass it on only then.
type device struct {
	port  bugst.Port
	info  Info
	start time.Time
	write sync.Mutex
}

func openDevice(ctx context.Context, name string, o Options) (Port, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	p, err := bugst.Open(name, &bugst.Mode{BaudRate: o.baud(), InitialStatusBits: &bugst.ModemOutputBits{DTR: true, RTS: true}})
	if err != nil {
		e := &OpenError{Name: name, Err: err}
		var pe *bugst.PortError
		if errors.As(err, &pe) {
			switch pe.Code() {
			case bugst.PortBusy:
				e.Reason = Busy
			case bugst.PortNotFound:
				e.Reason = Missing
			case bugst.PermissionDenied:
				e.Reason = Permission
			case bugst.InvalidSerialPort:
				e.Reason = NotAPort
			}
		}
		return nil, e
	}
	return &device{port: p, info: describe(name), start: time.Now()}, nil
}

// slice bounds how late the end of a context is noticed.
const slice = 50 * time.Millisecond

func (d *device) Read(ctx context.Context, p []byte, timeout time.Duration) (int, error) {
	deadline := time.Now().Add(timeout)
	for {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		left := time.Until(deadline)
		if left <= 0 {
			return 0, os.ErrDeadlineExceeded
		}
		if err := d.port.SetReadTimeout(min(left, slice)); err != nil {
			return 0, &GoneError{d.info.Name, err}
		}
		n, err := d.port.Read(p)
		if err != nil {
			return 0, &GoneError{d.info.Name, err}
		}
		if n > 0 {
			return n, nil
		}
	}
}

func (d *device) Write(ctx context.Context, p []byte) error {
	d.write.Lock()
	defer d.write.Unlock()
	for len(p) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := d.port.Write(p[:min(len(p), 4096)])
		if err != nil {
			return &GoneError{d.info.Name, err}
		}
		p = p[n:]
	}
	return nil
}

func (d *device) SetBaud(_ context.Context, baud int) error {
	return d.port.SetMode(&bugst.Mode{BaudRate: baud})
}

func (d *device) SetLines(_ context.Context, dtr, rts bool) error {
	if err := d.port.SetDTR(dtr); err != nil {
		return err
	}
	if err := d.port.SetRTS(rts); err != nil {
		return err
	}
	return d.port.SetDTR(dtr)
}

func (d *device) Wait(ctx context.Context, t time.Duration) error {
	s := stream{}
	return s.Wait(ctx, t)
}

func (d *device) Now() time.Duration { return time.Since(d.start) }

func (d *device) Info() Info { return d.info }

func (d *device) Close() error { return d.port.Close() }
