package cli

import (
	"bytes"
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"espalier.dev/espalier/esp/image"
	"espalier.dev/espalier/internal/chipfiles"
	"espalier.dev/espalier/internal/command"
	"espalier.dev/espalier/internal/fault"
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

Mask ROM and bootloader are those that the espalier.lock here or above pins; --rom and --bootloader, or ESPALIER_ROM
and ESPALIER_BOOTLOADER, name files instead.` +
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
			p, err := a.settings(project.Flags{Board: o.emulation.Board})
			if err != nil {
				return err
			}
			r, err := checkEmulated(a, cmd.Flags().Changed, o.emulation, o.session, p)
			if err != nil {
				return err
			}
			var e emulation
			if len(names) == 0 {
				e, err = blankEmulation(cmd.Context(), a, o)
			} else {
				e, err = fileEmulation(cmd.Context(), a, names[0], o)
			}
			if err != nil {
				return err
			}
			if o.share.wanted() {
				return shareBoard(cmd, a, r, e, o)
			}
			return r.boot(cmd.Context(), e)
		},
	}
	addSessionFlags(cmd.Flags(), &o.session)
	cmd.Flags().AddFlagSet(o.emulation.flags())
	o.chip.addFlags(cmd.Flags())
	o.share.addFlags(cmd.Flags())
	cmd.Flags().StringVar(&o.ELF, "elf", "", "ELF `FILE` with the symbols of a flash image")
	return cmd
}

// fileEmulation reads a firmware of any kind and makes the content of a flash
// of it.
func fileEmulation(ctx context.Context, a *app, name string, o emulateOptions) (e emulation, err error) {
	b, err := a.readInput(ctx, name)
	if err != nil {
		return e, err
	}
	in, err := a.imageInputs(o.chip)
	if err != nil {
		return e, err
	}
	kind := image.Identify(b)
	switch kind {
	case image.ELF:
		if err := image.CheckELF(b); err != nil {
			return e, fault.InFile(name, err)
		}
		e.ELF = b
	case image.WholeFlash:
		if e.Flash, err = image.FullFlash(b); err != nil {
			return e, fault.InFile(name, err)
		}
	case image.Single:
	default:
		// A dump that was cut short is still recognised by its size.
		if _, err := image.FullFlash(b); err != nil && len(b) > 1<<16 {
			return e, fault.InFile(name, err)
		}
		return e, fault.New(fault.Usage, fmt.Sprintf("%s: neither an ELF nor an image (%s)", name, kind), "espalier inspect "+name)
	}
	if o.ELF != "" {
		if e.ELF, err = a.readInput(ctx, o.ELF); err != nil {
			return e, err
		}
	}
	chips := a.chipFiles(o.chip.paths())
	if e.ROM, err = chips.ROM(ctx, chipfiles.EmulatedRevision); err != nil || e.Flash != nil {
		return e, err
	}
	if in.Bootloader, err = chips.Bootloader(ctx, in.Params.Mode); err != nil {
		return e, err
	}
	var flash *image.Flash
	if kind == image.ELF {
		flash, err = image.FromELF(b, in)
	} else {
		flash, err = image.FromApp(b, in)
	}
	if err != nil {
		return e, fault.InFile(name, err)
	}
	e.Flash = flash.Merged()
	return e, nil
}

// blankEmulation is a board whose flash is erased.
func blankEmulation(ctx context.Context, a *app, o emulateOptions) (e emulation, err error) {
	in, err := a.imageInputs(o.chip)
	if err != nil {
		return e, err
	}
	e.Flash = bytes.Repeat([]byte{0xff}, int(in.Params.FlashSize()))
	e.ROM, err = a.chipFiles(o.chip.paths()).ROM(ctx, chipfiles.EmulatedRevision)
	return e, err
}
