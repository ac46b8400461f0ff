package cli

import (
	"bufio"
	"context"
	"errors"
	"os"
	"time"

	"espalier.dev/espalier/esp/image"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/ui"
	"espalier.dev/espalier/monitor"
	"espalier.dev/espalier/serial"
)

// runOnPort writes a firmware to a real board and watches it as the emulated
// one is watched.
func (a *app) runOnPort(ctx context.Context, j flashJob, e emulation, o flashOptions, w watchOptions) error {
	p, l, err := a.connect(ctx, o.port, j.stub)
	if err != nil {
		return err
	}
	if err := a.write(ctx, l, j, o); err != nil {
		return a.finish(ctx, p, l, o.port, err)
	}
	how, err := o.port.after()
	if err == nil {
		err = portFault(l.Leave(ctx, how))
	}
	if err != nil {
		leaveSane(p)
		return err
	}
	return a.watchPort(ctx, p, e, w)
}

// portQuiet is how long a port is read at a time: after so much silence, lines
// that have not ended are shown.
const portQuiet = 50 * time.Millisecond

// watchPort shows what a board says until it is decided how the run went. It
// closes the port. A port that vanishes is waited for: native USB goes away
// when its chip sleeps or resets.
func (a *app) watchPort(ctx context.Context, p serial.Port, e emulation, o watchOptions) error {
	defer func() { p.Close() }()
	opt := monitor.Options{For: o.For, Symbols: a.symbols(e)}
	var err error
	if opt.Expect, err = monitor.ParseRules(o.Expect); err != nil {
		return err
	}
	if opt.Fail, err = monitor.ParseRules(o.Fail); err != nil {
		return err
	}
	out := console{a.ui}
	opt.Raw = out.raw()
	opt.KeepColor = a.ui.Color(ui.Stdout)
	if o.Log != "" {
		f, err := os.Create(o.Log)
		if err != nil {
			return openError(o.Log, err)
		}
		defer f.Close()
		w := bufio.NewWriter(f)
		defer w.Flush()
		opt.Log = w
	}
	m := monitor.New(opt, out)
	inner := ctx
	if o.Timeout > 0 {
		var cancel context.CancelFunc
		inner, cancel = context.WithTimeout(ctx, o.Timeout)
		defer cancel()
	}
	start := time.Now()
	stream := monitor.UART0
	if p.Info().Kind == serial.USBJTAG {
		stream = monitor.USB
	}
	buf := make([]byte, 16<<10)
	for !m.Done() {
		n, err := p.Read(inner, buf, portQuiet)
		at := time.Since(start)
		var gone *serial.GoneError
		switch {
		case err == nil:
			m.Write(stream, at, buf[:n])
		case errors.Is(err, os.ErrDeadlineExceeded):
			m.Flush(at)
			m.Tick(at)
		case ctx.Err() != nil:
			m.Close(at)
			return ctx.Err()
		case inner.Err() != nil:
			m.Timeout(at)
		case errors.As(err, &gone) && p.Info().Kind != serial.Network:
			m.Flush(at)
			a.ui.Note("%v; waiting for it", gone)
			info := p.Info()
			p.Close()
			back, err := serial.Reopen(inner, info, serial.Options{}, portReturns)
			if err != nil {
				if inner.Err() != nil && ctx.Err() == nil {
					m.Timeout(time.Since(start))
					break
				}
				m.Close(time.Since(start))
				return portFault(err)
			}
			p = back
			a.ui.Note("%s is back", p.Info().Name)
		default:
			m.Close(at)
			return portFault(err)
		}
	}
	r := m.Result()
	a.ui.Event("result", struct {
		Verdict string  `json:"verdict"`
		Reason  string  `json:"reason"`
		Seconds float64 `json:"seconds"`
	}{verdictName(r.Verdict), r.Reason, time.Since(start).Seconds()})
	if err := m.Err(); err != nil {
		return fault.Wrap(fault.Usage, err, "writing the log")
	}
	return r.Err()
}

// runFileOnPort is runOnPort for an ELF that is built already.
func (a *app) runFileOnPort(ctx context.Context, name string, o flashOptions, w watchOptions) error {
	j, err := a.flashFile(ctx, name, o)
	if err != nil {
		return err
	}
	e := emulation{}
	if b, err := a.readInput(ctx, name); err == nil && image.Identify(b) == image.ELF {
		e.ELF = b
	}
	if rom, err := a.maskROM(ctx, o.chip); err == nil {
		e.ROM = rom
	}
	return a.runOnPort(ctx, j, e, o, w)
}
