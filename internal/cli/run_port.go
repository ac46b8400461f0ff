package cli

import (
	"context"

	"espalier.dev/espalier/esp/image"
	"espalier.dev/espalier/internal/chipfiles"
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
	if k, ok := p.(*serial.ReconnectingPort); ok {
		p = k.Current() // who watches says that it waits, and hears keys meanwhile
	}
	return a.watchPort(ctx, p, e, w)
}

// watchPort shows what a board says until it is decided how the run went. It
// closes the port.
func (a *app) watchPort(ctx context.Context, p serial.Port, e emulation, o watchOptions) error {
	return a.observe(ctx, p, e, observeOptions{Expect: o.Expect, Fail: o.Fail, Timeout: o.Timeout, For: o.For, Log: o.Log, look: o.look})
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
	if rom, err := a.chipFiles(o.chip.paths()).ROM(ctx, chipfiles.EmulatedRevision); err == nil {
		e.ROM = rom
	}
	return a.runOnPort(ctx, j, e, o, w)
}
