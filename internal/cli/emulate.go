package cli

import (
	"bytes"
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"espalier.dev/espalier/esp/image"
	"espalier.dev/espalier/esp/partition"
	"espalier.dev/espalier/internal/chipfiles"
	"espalier.dev/espalier/internal/fault"
)

type emulateOptions struct {
	watch watchOptions
	chip  chipOptions
	serve serveOptions
	ELF   string
}

// chipOptions name Espressif's own parts and what goes around the firmware.
type chipOptions struct {
	ROM        string
	Bootloader string
	Partitions string
	App        string
	FlashSize  string
	FlashMode  string
	FlashFreq  string
}

func (o *chipOptions) addFlags(f *pflag.FlagSet) {
	f.StringVar(&o.ROM, "rom", "", "mask ROM as an ELF `FILE` (default: the locked one)")
	o.addImageFlags(f)
}

// addImageFlags are those for what goes into flash.
func (o *chipOptions) addImageFlags(f *pflag.FlagSet) {
	f.StringVar(&o.Bootloader, "bootloader", "", "second-stage bootloader `FILE` (default: the locked one)")
	f.StringVar(&o.Partitions, "partition-table", "", "partition table `FILE`, CSV or binary")
	f.StringVar(&o.App, "target-app-partition", "", "put the app into the partition `NAME`")
	f.StringVar(&o.FlashSize, "flash-size", "", "size of the flash: 1MB, 2MB, 4MB, 8MB or 16MB (default 4MB)")
	f.StringVar(&o.FlashMode, "flash-mode", "", "qio, qout, dio or dout (default: the bootloader's)")
	f.StringVar(&o.FlashFreq, "flash-freq", "", "20MHz, 26MHz, 40MHz or 80MHz (default 40MHz)")
}

func newEmulate(a *app) *cobra.Command {
	var o emulateOptions
	cmd := &cobra.Command{
		Use:   "emulate [FILE]",
		Short: "boot any ELF or flash image on the emulated board",
		Long: `Boot FILE on an emulated ESP32-C3, through Espressif's own mask ROM and second-stage
bootloader, and show what it prints. FILE is an ELF, an application image, or the
image of a whole flash; nothing is built and no project is needed.

Without --expect, --for or --timeout it runs in real time until it is interrupted.
A panic, an exception or a reset by a watchdog ends it with exit 1 and a symbolised
backtrace.

The board is in reach of a Wi-Fi network (by default "espalier", "a trellis in the air";
[net] of a project here counts) with a network of its own behind it. --fault makes
things go wrong, --record and --replay make a run happen again, --pcap shows it.

With --serve or --pty the board's serial port (UART0, or with --usb its
USB-Serial-JTAG) is lent to any other program in real time: a flasher, a monitor,
another espalier. RFC 2217 has modem lines, which reset the board into its loader
and out of it; so has a pseudo-terminal for espalier itself. Plain TCP has none, nor
a pseudo-terminal for others, so --download starts the board there.

Mask ROM and bootloader are the ones that the espalier.lock here, or above, pins;
--rom and --bootloader, or ESPALIER_ROM and ESPALIER_BOOTLOADER, name files instead.` +
			exits(fault.Program, fault.Port, fault.Pins, fault.Timeout),
		Example: `  espalier emulate target/riscv32imc-unknown-none-elf/release/blinky
  espalier emulate firmware.bin --elf blinky.elf --expect "Hello" --fail /panick?ed/ --timeout 10s
  espalier emulate blinky.elf --for 5s --log uart.log
  espalier emulate client.elf --fault 'at 2s deauth' --fault 'loss 10%' --for 60s --pcap run.pcapng
  espalier emulate --download --serve rfc2217://127.0.0.1:4000    a blank board to flash`,
		Args: func(cmd *cobra.Command, names []string) error {
			if o.serve.Download {
				return args("[FILE]")(cmd, names)
			}
			return args("FILE")(cmd, names)
		},
		RunE: func(cmd *cobra.Command, names []string) error {
			if err := checkServe(cmd, o.serve); err != nil {
				return err
			}
			if err := a.settleAir(&o.watch.Air, cmd.Flags().Changed); err != nil {
				return err
			}
			if err := o.watch.Air.check(); err != nil {
				return err
			}
			if len(names) == 0 {
				return a.emulateBlank(cmd.Context(), o)
			}
			return a.runEmulate(cmd.Context(), names[0], o)
		},
	}
	o.watch.addFlags(cmd.Flags())
	o.chip.addFlags(cmd.Flags())
	o.serve.addFlags(cmd.Flags())
	cmd.Flags().StringVar(&o.ELF, "elf", "", "ELF `FILE` with the symbols of a flash image")
	return cmd
}

func (a *app) runEmulate(ctx context.Context, name string, o emulateOptions) error {
	b, err := a.readInput(ctx, name)
	if err != nil {
		return err
	}
	in, err := a.imageInputs(o.chip)
	if err != nil {
		return err
	}
	var e emulation
	kind := image.Identify(b)
	switch kind {
	case image.ELF:
		if err := image.CheckELF(b); err != nil {
			return atFile(name, err)
		}
		e.ELF = b
	case image.WholeFlash:
		if e.Flash, err = image.FullFlash(b); err != nil {
			return atFile(name, err)
		}
	case image.Single:
	default:
		// A dump that was cut short is still recognised by its size.
		if _, err := image.FullFlash(b); err != nil && len(b) > 1<<16 {
			return atFile(name, err)
		}
		return fault.New(fault.Usage, fmt.Sprintf("%s: neither an ELF nor an image (%s)", name, kind), "espalier inspect "+name)
	}
	if o.ELF != "" {
		if e.ELF, err = a.readInput(ctx, o.ELF); err != nil {
			return err
		}
	}
	chips := a.chipFiles(o.chip.paths())
	if e.ROM, err = chips.ROM(ctx, chipfiles.EmulatedRevision); err != nil {
		return err
	}
	if e.Flash == nil {
		if in.Bootloader, err = chips.Bootloader(ctx, in.Params.Mode); err != nil {
			return err
		}
		var flash *image.Flash
		if kind == image.ELF {
			flash, err = image.FromELF(b, in)
		} else {
			flash, err = image.FromApp(b, in)
		}
		if err != nil {
			return atFile(name, err)
		}
		e.Flash = flash.Merged()
	}
	if o.serve.wanted() {
		return a.serveBoard(ctx, e, o)
	}
	return a.emulate(ctx, e, o.watch)
}

// emulateBlank starts a board with nothing in its flash.
func (a *app) emulateBlank(ctx context.Context, o emulateOptions) error {
	in, err := a.imageInputs(o.chip)
	if err != nil {
		return err
	}
	var e emulation
	if e.ROM, err = a.chipFiles(o.chip.paths()).ROM(ctx, chipfiles.EmulatedRevision); err != nil {
		return err
	}
	e.Flash = bytes.Repeat([]byte{0xff}, int(in.Params.FlashSize()))
	return a.serveBoard(ctx, e, o)
}

// imageInputs turns flags into what esp/image wants, but for the bootloader.
func (a *app) imageInputs(o chipOptions) (image.Inputs, error) {
	in := image.Inputs{App: o.App}
	var err error
	if in.Params.Mode, err = image.ParseMode(o.FlashMode); err != nil {
		return in, fault.Wrap(fault.Usage, err, "")
	}
	if in.Params.Freq, err = image.ParseFreq(o.FlashFreq); err != nil {
		return in, fault.Wrap(fault.Usage, err, "")
	}
	if in.Params.Size, err = image.ParseSize(o.FlashSize); err != nil {
		return in, fault.Wrap(fault.Usage, err, "")
	}
	if o.Partitions == "" {
		return in, nil
	}
	b, err := a.readInput(context.Background(), o.Partitions)
	if err != nil {
		return in, err
	}
	if in.Table, err = partition.Parse(b); err != nil {
		return in, atFile(o.Partitions, err)
	}
	in.TableFile = o.Partitions
	return in, nil
}
