package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"espalier.dev/espalier/esp/image"
	"espalier.dev/espalier/esp/loader"
	"espalier.dev/espalier/internal/command"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/flashimage"
	"espalier.dev/espalier/internal/flashing"
	"espalier.dev/espalier/internal/settings"
	"espalier.dev/espalier/internal/workspace"
)

type flashOptions struct {
	work      workOptions
	port      portOptions
	chip      chipOptions
	At        string
	EraseData []string
	Exact     bool
	Force     bool
	Full      bool
	Monitor   bool
}

func newFlash(a *app) *cobra.Command {
	var o flashOptions
	cmd := &cobra.Command{
		Use:   "flash [FILE]",
		Short: "write changed sectors to a board and verify them",
		Long: `Build the project and write bootloader, partition table and application to the
flash of a board. With FILE nothing is built: FILE is an ELF, an application image or
the image of a whole flash, or with --at any bytes.

The chip computes digests first, and only sectors that differ are written; afterwards
another digest verifies them. Where flash holds what espalier wrote last, the chip
gets a patch and makes the new sectors from the old ones. When flash is interrupted,
the next one finishes. Only what is named is erased: nvs and other data stay unless
--erase-data names them, and blank stretches of a whole-flash image are skipped
without --exact.

Before the first byte the chip, its revision, its eFuses, the size of its flash and
its security settings are compared with what is to be written. A refusal says what
would have happened.` + command.Exits(fault.Build, fault.Port, fault.Chip, fault.Pins, fault.Sandbox, fault.Differ),
		Example: `  espalier flash
  espalier flash --monitor
  espalier flash --port rfc2217://lab:4000 firmware.elf
  espalier flash --erase-data nvs
  espalier flash logo.bin --at 0x200000
  espalier flash nvs.bin --at nvs`,
		Args: command.Args("[FILE]"),
		RunE: func(cmd *cobra.Command, names []string) error {
			return flash(cmd.Context(), a, names, o)
		},
	}
	o.work.addFlags(cmd.Flags())
	o.work.addDevice(cmd.Flags())
	o.port.addFlags(cmd.Flags())
	o.port.addAfter(cmd.Flags())
	o.chip.addImageFlags(cmd.Flags())
	f := cmd.Flags()
	f.StringVar(&o.At, "at", "", "write FILE as it is, at an `OFFSET` or into the partition of that name on the board")
	f.StringSliceVar(&o.EraseData, "erase-data", nil, "erase these partitions first, `NAMES` separated by commas")
	f.BoolVar(&o.Exact, "exact", false, "write the blank stretches of a whole-flash image, too")
	f.BoolVar(&o.Force, "force", false, "write in spite of refusals")
	f.BoolVar(&o.Full, "full", false, "write everything, not only what differs")
	f.BoolVarP(&o.Monitor, "monitor", "M", false, "monitor the board afterwards, as espalier monitor does")
	return cmd
}

// flashJob is a plan with what the loader and the monitor need.
type flashJob struct {
	plan flashing.Plan
	stub *loader.Stub
	elf  []byte // for symbols; nil when the firmware is not an ELF

	settings *settings.Job // nil: none
}

func flash(ctx context.Context, a *app, names []string, o flashOptions) error {
	var j flashJob
	var err error
	if len(names) == 0 {
		if o.At != "" {
			return fault.New(fault.Usage, "--at wants a FILE", "espalier flash FILE --at "+o.At)
		}
		j, err = flashProject(ctx, a, o)
	} else {
		j, err = flashFile(ctx, a, names[0], o)
	}
	if err != nil {
		return err
	}
	if o.Monitor {
		return flashAndMonitor(ctx, a, j, o)
	}
	b, err := connectBoard(ctx, a, o.port, j.stub)
	if err != nil {
		return err
	}
	return b.Close(ctx, writeBoard(ctx, a, b, j, o))
}

// flashProject builds the project and plans its parts.
func flashProject(ctx context.Context, a *app, o flashOptions) (flashJob, error) {
	o.work.forRun(false)
	w, err := a.open(ctx, o.work)
	if err != nil {
		return flashJob{}, err
	}
	defer w.Close()
	f, err := w.Firmware(ctx)
	if err != nil {
		return flashJob{}, err
	}
	return flashFirmware(ctx, a, w, f, o)
}

// flashFirmware plans the parts of what was built.
func flashFirmware(ctx context.Context, a *app, w *workspace.Workspace, f *workspace.Firmware, o flashOptions) (flashJob, error) {
	j := flashJob{plan: flashing.OfFlash(f.Flash), elf: f.ELF}
	var err error
	if j.settings, err = settingsOf(ctx, w, f.Flash, o.work.Device); err != nil {
		return j, err
	}
	j.stub, err = a.stub(ctx, o.port)
	return j, err
}

// flashFile plans the parts of a file by its kind.
func flashFile(ctx context.Context, a *app, name string, o flashOptions) (flashJob, error) {
	var j flashJob
	b, err := a.readInput(ctx, name)
	if err != nil {
		return j, err
	}
	if j.stub, err = a.stub(ctx, o.port); err != nil {
		return j, err
	}
	in, err := a.imageInputs(ctx, o.chip)
	if err != nil {
		return j, err
	}
	if o.At != "" {
		j.plan = flashing.Plan{Table: in.Table, Raw: &flashing.Raw{Name: name, Bytes: b, At: o.At}}
		return j, nil
	}
	switch kind := image.Identify(b); kind {
	case image.WholeFlash:
		j.plan, err = flashing.OfWholeFlash(b, o.Exact, o.Force)
	case image.ELF, image.Single, image.Direct:
		if kind == image.ELF {
			j.elf = b
		}
		f, err := flashimage.OfFile(ctx, name, kind, b, in, a.chipFiles(o.chip.paths()))
		if err != nil {
			return j, err
		}
		j.plan = flashing.OfFlash(f)
	default:
		return j, fault.New(fault.Usage, fmt.Sprintf("%s: neither an ELF nor an image (%s)", name, kind),
			"espalier flash "+name+" --at OFFSET writes it as it is")
	}
	return j, fault.InFile(name, err)
}
