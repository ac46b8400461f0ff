package cli

import (
	"context"

	"github.com/spf13/cobra"

	"espalier.dev/espalier/esp/image"
	"espalier.dev/espalier/internal/chipfiles"
	"espalier.dev/espalier/internal/session"
	"espalier.dev/espalier/serial"
)

// runOnPort writes a firmware to a real board, resets it, and monitors it.
func runOnPort(ctx context.Context, a *app, j flashJob, e emulation, o flashOptions, s *session.Session) error {
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
		p = k.Current() // the session waits for it by itself, and handles keys meanwhile
	}
	s.FromReset = true
	return portFault(s.Run(ctx, session.NewSerial(p, nil), session.Symbols(e.ELF, e.ROM, a.ui)))
}

// runFileOnPort is runOnPort for an ELF or image.
func runFileOnPort(cmd *cobra.Command, a *app, name string, o runOptions) error {
	ctx := cmd.Context()
	s, err := newSession(a, o.session)
	if err != nil {
		return err
	}
	flash := flashOptions{work: o.work, port: o.port}
	j, err := a.flashFile(ctx, name, flash)
	if err != nil {
		return err
	}
	var e emulation
	if b, err := a.readInput(ctx, name); err == nil && image.Identify(b) == image.ELF {
		e.ELF = b
	}
	if rom, err := a.chipFiles(chipfiles.Paths{}).ROM(ctx, chipfiles.EmulatedRevision); err == nil {
		e.ROM = rom
	}
	return runOnPort(ctx, a, j, e, flash, s)
}
