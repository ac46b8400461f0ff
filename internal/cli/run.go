package cli

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"espalier.dev/espalier/internal/command"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/session"
)

type runOptions struct {
	work      workOptions
	session   session.Options
	emulation emulationOptions
	port      portOptions
}

func newRun(a *app) *cobra.Command {
	var o runOptions
	build, board := pflag.NewFlagSet("build", 0), pflag.NewFlagSet("board", 0)
	emulation := o.emulation.flags()
	cmd := &cobra.Command{
		Use:   "run [ELF]",
		Short: "build the project and run it, on the emulated board or on a real one",
		Long: `Build the project and boot it on an emulated ESP32-C3, through Espressif's own mask ROM and second-stage bootloader;
show what it prints. With an ELF nothing is built: cargo calls a runner that way (runner = "espalier run").

The emulated board can reach a Wi-Fi network with the name and passphrase of the firmware; [net], [faults] and the
flags below change both. docs/network.md lists the faults that can be injected.

With --port the firmware is written to that board instead, where it differs, verified, reset and monitored.

Keys and input are those of espalier monitor. A panic, an exception or a reset by a watchdog ends the run with exit 1
and a symbolised backtrace. [run] in espalier.toml can say what to expect.` +
			command.Exits(fault.Program, fault.Build, fault.Port, fault.Chip, fault.Pins, fault.Sandbox, fault.Differ, fault.Timeout),
		Example: `  espalier run
  espalier run --expect "Hello" --timeout 10s
  echo status | espalier run --expect "status: ok"
  espalier run --port /dev/ttyACM0`,
		Args: command.Args("[ELF]"),
		RunE: func(cmd *cobra.Command, names []string) error {
			given := cmd.Flags().Changed
			onPort := given("port")
			if onPort {
				if err := command.RefuseFlags(emulation, given, "only the emulated board has it", "leave out --port to run on the emulated board"); err != nil {
					return err
				}
			} else if err := command.RefuseFlags(board, given, "only a board on a port has it", "add --port PORT"); err != nil {
				return err
			}
			if len(names) == 1 {
				if err := command.RefuseFlags(build, given, "an ELF is run as it is; nothing is built", "espalier run without "+names[0]+" builds the project"); err != nil {
					return err
				}
			}
			switch {
			case len(names) == 1 && onPort:
				return runFileOnPort(cmd, a, names[0], o)
			case len(names) == 1:
				return runFile(cmd, a, names[0], o)
			}
			return runProject(cmd, a, o, onPort)
		},
	}
	o.work.addFlags(build)
	o.work.addDevice(build)
	o.port.addFlags(board)
	addSessionFlags(cmd.Flags(), &o.session)
	for _, set := range []*pflag.FlagSet{build, emulation, board} {
		cmd.Flags().AddFlagSet(set)
	}
	return cmd
}

// runFile runs an ELF or image on the emulated board.
func runFile(cmd *cobra.Command, a *app, name string, o runOptions) error {
	p, err := a.settings(project.Flags{Board: o.emulation.Board, ChipRevision: o.emulation.Revision})
	if err != nil {
		return err
	}
	r, err := checkEmulated(a, cmd.Flags().Changed, o.emulation, o.session, p)
	if err != nil {
		return err
	}
	e, err := a.loadFile(cmd.Context(), p, name, chipOptions{})
	if err != nil {
		return err
	}
	return r.Boot(cmd.Context(), e.ROM, e.Flash, e.ELF)
}

// runProject builds the project and runs it. Everything that the flags and
// espalier.toml say is checked before.
func runProject(cmd *cobra.Command, a *app, o runOptions, onPort bool) error {
	ctx := cmd.Context()
	o.work.forRun(!onPort)
	o.work.Flags.Board, o.work.Flags.ChipRevision = o.emulation.Board, o.emulation.Revision
	w, err := a.open(ctx, o.work)
	if err != nil {
		return err
	}
	defer w.Close()
	if err := w.ResolveSecrets(ctx); err != nil {
		return err
	}
	if err := o.session.FromProject(cmd.Flags().Changed, w.Project); err != nil {
		return err
	}
	var emulated session.EmulatedRun
	var s *session.Session
	if onPort {
		s, err = newSession(a, o.session)
	} else {
		emulated, err = checkEmulated(a, cmd.Flags().Changed, o.emulation, o.session, w.Project)
	}
	if err != nil {
		return err
	}
	f, err := w.Firmware(ctx)
	if err != nil {
		return err
	}
	if !onPort {
		flash, s, err := emulatedFlash(ctx, w, f.Flash, o.work.Device)
		if err != nil {
			return err
		}
		reportSettings(a, s)
		w.Close() // a long run must not keep gc from the store
		return emulated.Boot(ctx, f.ROM, flash, f.ELF)
	}
	j, err := flashFirmware(ctx, a, w, f, flashOptions{work: o.work, port: o.port})
	w.Close()
	if err != nil {
		return err
	}
	return runOnPort(ctx, a, j, flashOptions{work: o.work, port: o.port}, s)
}
