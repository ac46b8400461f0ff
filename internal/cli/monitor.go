package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"espalier.dev/espalier/esp/loader"
	"espalier.dev/espalier/internal/command"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/session"
	"espalier.dev/espalier/serial"
)

type monitorOptions struct {
	Port    string
	Baud    int
	ROM     string
	Reset   bool
	session session.Options
}

func newMonitor(a *app) *cobra.Command {
	var o monitorOptions
	cmd := &cobra.Command{
		Use:   "monitor [ELF]",
		Short: "show what a board prints, with functions and lines for its addresses",
		Long: `Attach to a board and show what it prints. The board is not reset unless --reset asks for it. Addresses in lines are
followed by their functions and source lines, a crash becomes one report, stack dumps are unwound, defmt frames are
decoded. The firmware is ELF, or the only one that espalier build has left in target/espalier.

On a terminal Ctrl-C quits, Ctrl-R resets the board, Ctrl-T h lists more keys, and everything else is sent to the
board; so is what is piped to standard input. On a pipe the bytes pass unaltered, and what they mean goes to stderr;
--text, --timestamps and --filter show lines instead. A port that vanishes is waited for.

Without --expect, --fail, --for or --timeout a crash is reported and monitoring continues.` +
			command.Exits(fault.Program, fault.Port, fault.Chip, fault.Pins, fault.Timeout),
		Example: `  espalier monitor
  espalier monitor --port /dev/ttyACM0 --reset --expect "ready" --timeout 10s
  espalier monitor --filter WARN --filter ERROR --timestamps --log uart.log
  espalier monitor --port rfc2217://lab:4000 --json`,
		Args: command.Args("[ELF]"),
		RunE: func(cmd *cobra.Command, names []string) error {
			elf := ""
			if len(names) == 1 {
				elf = names[0]
			}
			return monitorPort(cmd.Context(), a, elf, o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Port, "port", "", "`PORT` of the board: a device, tcp://HOST:PORT or rfc2217://HOST:PORT (default: the remembered or only one)")
	f.IntVar(&o.Baud, "baud", 0, "speed in `BITS` per second (default 115200; USB-Serial-JTAG has none)")
	f.StringVar(&o.ROM, "rom", "", "mask ROM as an ELF `FILE` (default: the locked one)")
	f.BoolVar(&o.Reset, "reset", false, "reset the board first")
	addSessionFlags(f, &o.session)
	return cmd
}

func monitorPort(ctx context.Context, a *app, elf string, o monitorOptions) error {
	w := o.session
	w.KeepGoing = len(w.Expect) == 0 && len(w.Fail) == 0 && w.Timeout == 0 && w.For == 0
	s, err := newSession(a, w)
	if err != nil {
		return err
	}
	s.FromReset = o.Reset
	program, roms, err := a.symbolFiles(ctx, elf, o.ROM, false)
	if err != nil {
		return err
	}
	if program == nil {
		a.ui.Note("no ELF found; addresses will not be symbolised (espalier monitor ELF)")
	}
	name, err := choosePort(a, o.Port)
	if err != nil {
		return err
	}
	opt := serial.Options{Baud: o.Baud}
	p, err := serial.Open(ctx, name, opt)
	if err != nil {
		return portFault(err)
	}
	if o.Reset {
		if err := loader.Run(ctx, p); err != nil {
			p.Close()
			return portFault(err)
		}
	}
	const untilQuit = 365 * 24 * time.Hour
	reopen := func(ctx context.Context, was serial.Info) (serial.Port, error) {
		return serial.Reopen(ctx, was, opt, untilQuit)
	}
	return portFault(s.Run(ctx, session.NewSerial(p, reopen), session.Symbols(program, a.ui, roms...)))
}
