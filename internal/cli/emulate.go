package cli

import (
	"context"

	"github.com/spf13/cobra"

	"espalier.dev/espalier/internal/command"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/flashimage"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/session"
)

type emulateOptions struct {
	session   session.Options
	emulation emulationOptions
	chip      chipOptions
	share     shareOptions
	ELF       string
}

func newEmulate(a *app) *cobra.Command {
	var o emulateOptions
	cmd := &cobra.Command{
		Use:   "emulate [FILE]",
		Short: "boot any ELF or flash image on the emulated board",
		Long: `Boot FILE on an emulated ESP32-C3, through Espressif's own mask ROM and second-stage bootloader, and show what it
prints. FILE is an ELF, an application image, or the image of a whole flash; nothing is built and no project is needed.

Without --expect, --for or --timeout it runs in real time until it is interrupted. A panic, an exception or a reset by
a watchdog ends it with exit 1 and a symbolised backtrace. Keys and input are those of espalier monitor.

The board can reach a Wi-Fi network (by default "espalier", passphrase "a trellis in the air"; [net] of a project here
replaces it) that is isolated from this machine's. --fault injects faults, --record and --replay repeat a run, --pcap
captures its frames.

With --share or --pty the board's serial port (UART0, or USB-Serial-JTAG with --usb) is shared with other programs in
real time: a flasher, a monitor, another espalier. RFC 2217 has modem lines, which reset the board into its loader and
out of it. Plain TCP has none, and a pseudo-terminal has them for espalier only, so --download starts the board in the
loader.

Mask ROM and bootloader are those that the espalier.lock here or above pins; this version has pins for where there is
none. If they are not in the store yet, the cargo of this machine brings them, once. --rom and --bootloader,
or ESPALIER_ROM and ESPALIER_BOOTLOADER, name files instead.` +
			command.Exits(fault.Program, fault.Port, fault.Pins, fault.Differ, fault.Timeout),
		Example: `  espalier emulate target/riscv32imc-unknown-none-elf/release/blinky
  espalier emulate firmware.bin --elf blinky.elf --expect "Hello" --fail /panick?ed/ --timeout 10s
  espalier emulate blinky.elf --for 5s --log uart.log
  espalier emulate client.elf --fault 'at 2s deauth' --fault 'loss 10%' --for 60s --pcap run.pcapng
  espalier emulate --download --share rfc2217://127.0.0.1:4000    a blank board to flash`,
		Args: func(cmd *cobra.Command, names []string) error {
			if o.share.Download {
				return command.Args("[FILE]")(cmd, names)
			}
			return command.Args("FILE")(cmd, names)
		},
		RunE: func(cmd *cobra.Command, names []string) error {
			if err := o.share.check(cmd); err != nil {
				return err
			}
			p, err := a.settings(project.Flags{Board: o.emulation.Board, ChipRevision: o.emulation.Revision})
			if err != nil {
				return err
			}
			r, err := checkEmulated(a, cmd.Flags().Changed, o.emulation, o.session, p)
			if err != nil {
				return err
			}
			e, err := o.firmware(cmd.Context(), a, p, names)
			if err != nil {
				return err
			}
			if o.share.wanted() {
				return shareBoard(cmd, a, r, e, o)
			}
			return r.Boot(cmd.Context(), e.ROM, e.Flash, e.ELF)
		},
	}
	addSessionFlags(cmd.Flags(), &o.session)
	cmd.Flags().AddFlagSet(o.emulation.flags())
	o.chip.addFlags(cmd.Flags())
	o.share.addFlags(cmd.Flags())
	cmd.Flags().StringVar(&o.ELF, "elf", "", "ELF `FILE` with the symbols of a flash image")
	return cmd
}

// firmware is what boots: a file, or nothing in an erased flash.
func (o emulateOptions) firmware(ctx context.Context, a *app, p *project.Project, names []string) (e flashimage.Bootable, err error) {
	if len(names) == 0 {
		in, err := a.imageInputs(ctx, o.chip)
		if err != nil {
			return e, err
		}
		return flashimage.Blank(ctx, in, a.chipFiles(o.chip.paths()), p.Espalier.Board.ChipRevision())
	}
	if e, err = a.loadFile(ctx, p, names[0], o.chip); err != nil || o.ELF == "" {
		return e, err
	}
	e.ELF, err = a.readInput(ctx, o.ELF)
	return e, err
}
