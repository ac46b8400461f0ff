package cli

import (
	"context"

	"github.com/spf13/cobra"

	"espalier.dev/espalier/internal/session"
)

// runOnPort writes a firmware to a real board, resets it, and monitors it.
func runOnPort(ctx context.Context, a *app, j flashJob, o flashOptions, s *session.Session) error {
	roms, _ := a.symbolROMs(ctx, "")
	b, err := connectBoard(ctx, a, o.port, j.stub)
	if err != nil {
		return err
	}
	p, err := b.Start(ctx, writeBoard(ctx, a, b, j, o))
	if err != nil {
		return err
	}
	s.FromReset = true
	return portFault(s.Run(ctx, session.NewSerial(p, nil), session.Symbols(j.elf, a.ui, roms...)))
}

// runFileOnPort is runOnPort for an ELF or image.
func runFileOnPort(cmd *cobra.Command, a *app, name string, o runOptions) error {
	s, err := newSession(a, o.session)
	if err != nil {
		return err
	}
	flash := flashOptions{work: o.work, port: o.port}
	j, err := flashFile(cmd.Context(), a, name, flash)
	if err != nil {
		return err
	}
	return runOnPort(cmd.Context(), a, j, flash, s)
}

// flashAndMonitor is flash --monitor: it continues until it is interrupted.
func flashAndMonitor(ctx context.Context, a *app, j flashJob, o flashOptions) error {
	s, err := newSession(a, session.Options{KeepGoing: true})
	if err != nil {
		return err
	}
	return runOnPort(ctx, a, j, o, s)
}
