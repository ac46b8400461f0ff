package cli

import (
	"context"
	"path/filepath"

	"github.com/spf13/cobra"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/project"
)

type runOptions struct {
	work  workOptions
	watch watchOptions
	port  portOptions
}

func newRun(a *app) *cobra.Command {
	var o runOptions
	cmd := &cobra.Command{
		Use:   "run [ELF]",
		Short: "build the project and run it, on the emulated board or on a real one",
		Long: `Build the project and boot it on an emulated ESP32-C3, through Espressif's own mask
ROM and second-stage bootloader; show what it prints. With an ELF nothing is built:
that is how cargo calls a runner (runner = "espalier run").

The emulated board is in reach of a Wi-Fi network that has the name and passphrase of
the firmware, with a network of its own behind it; [net], [faults] and the flags below
change both. docs/network.md lists the faults that can be injected.

With --port it is written to that board instead, where it differs, verified, reset and
watched.

A panic, an exception or a reset by a watchdog ends the run with exit 1 and a
symbolised backtrace. espalier.toml can say what to expect ([run]).` +
			exits(fault.Program, fault.Build, fault.Port, fault.Chip, fault.Pins, fault.Sandbox, fault.Timeout),
		Example: `  espalier run
  espalier run --expect "Hello" --timeout 10s
  espalier run --port /dev/ttyACM0`,
		Args: args("[ELF]"),
		RunE: func(cmd *cobra.Command, names []string) error {
			onPort := cmd.Flags().Changed("port")
			flash := flashOptions{work: o.work, port: o.port}
			if len(names) == 1 && onPort {
				return a.runFileOnPort(cmd.Context(), names[0], flash, o.watch)
			}
			if len(names) == 1 {
				if err := a.settleAir(&o.watch.Air, cmd.Flags().Changed); err != nil {
					return err
				}
				return a.runEmulate(cmd.Context(), names[0], emulateOptions{watch: o.watch})
			}
			o.work.forRun(!onPort)
			w, err := a.open(cmd.Context(), o.work)
			if err != nil {
				return err
			}
			watch := o.watch
			watch.settle(cmd, w.project)
			if err := watch.Air.check(); err != nil {
				w.close()
				return err
			}
			f, err := w.firmware(cmd.Context())
			var j flashJob
			if err == nil && onPort {
				j, err = w.flashJob(cmd.Context(), f, o.port)
			}
			w.close() // a long run must not keep gc from the store
			if err != nil {
				return err
			}
			if onPort {
				return a.runOnPort(cmd.Context(), j, emulation{ROM: f.rom, ELF: f.bytes}, flash, watch)
			}
			return a.boot(cmd.Context(), f, watch)
		},
	}
	o.work.addFlags(cmd.Flags())
	o.watch.addFlags(cmd.Flags())
	o.port.addFlags(cmd.Flags())
	return cmd
}

// boot runs a firmware on the emulated board.
func (a *app) boot(ctx context.Context, f *firmware, o watchOptions) error {
	return a.emulate(ctx, emulation{ROM: f.rom, Flash: f.flash.Merged(), ELF: f.bytes}, o)
}

// settle takes what was not on the command line from [run].
func (o *watchOptions) settle(cmd *cobra.Command, p *project.Project) {
	c, given := p.Espalier.Run, cmd.Flags().Changed
	if !given("expect") {
		o.Expect = c.Expect.V
	}
	if !given("fail") {
		o.Fail = c.Fail.V
	}
	if !given("timeout") {
		o.Timeout = c.Timeout.V
	}
	if !given("for") {
		o.For = c.For.V
	}
	if !given("log") && c.Log.V != "" {
		o.Log = filepath.Join(p.Root, filepath.FromSlash(c.Log.V))
	}
	o.Air.settle(given, p)
}
