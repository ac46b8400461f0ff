package cli

import (
	"context"

	"github.com/spf13/cobra"

	"espalier.dev/espalier/internal/chipfiles"
	"espalier.dev/espalier/internal/command"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/inspect"
	"espalier.dev/espalier/internal/lock"
)

func newInspect(a *app) *cobra.Command {
	var port portOptions
	cmd := &cobra.Command{
		Use:   "inspect [FILE]",
		Short: "a lock, ELF, image, partition table or chip as a table or JSON",
		Long: `Show what is in a file: an ELF, an application or bootloader image, the image of a
whole flash, a partition table (CSV or binary), an espalier.lock. What the file is
follows from its content. Without FILE, the project's espalier.lock; - is
standard input. A file that the ESP32-C3 could not use is shown as far as it
goes, and the reason is an error. With --port, the chip of a board: revision, MAC
address, flash, security; it is reset for that, twice.` + command.Exits(fault.Port, fault.Chip, fault.Pins),
		Example: `  espalier inspect                           the project's lock
  espalier inspect firmware.bin
  espalier inspect --json partitions.csv
  espalier inspect --port /dev/ttyACM0`,
		Args: command.Args("[FILE]"),
		RunE: func(cmd *cobra.Command, names []string) error {
			if cmd.Flags().Changed("port") {
				if len(names) > 0 {
					return fault.New(fault.Usage, "inspect: a FILE or --port, not both")
				}
				return inspectPort(cmd.Context(), a, port)
			}
			if len(names) == 0 {
				return a.inspectProjectLock()
			}
			b, err := a.readInput(cmd.Context(), names[0])
			if err != nil {
				return err
			}
			v, err := inspect.File(names[0], b)
			v.Show(a.ui)
			if err != nil {
				return fault.InFile(names[0], err)
			}
			return nil
		},
	}
	port.addFlags(cmd.Flags())
	port.addAfter(cmd.Flags())
	return cmd
}

// inspectProjectLock shows the lock of the project here.
func (a *app) inspectProjectLock() error {
	path, err := chipfiles.NearestLock(a.projectDir())
	if err != nil {
		return err
	}
	if path == "" {
		return fault.New(fault.Usage, "no "+lock.FileName+" here or above", "espalier lock", "espalier inspect FILE")
	}
	f, err := lock.Read(path)
	if err != nil {
		return err
	}
	v, err := inspect.Lock(path, f)
	v.Show(a.ui)
	return err
}

// inspectPort shows the chip of a board.
func inspectPort(ctx context.Context, a *app, o portOptions) error {
	b, err := connectBoard(ctx, a, o, nil)
	if err != nil {
		return err
	}
	v, err := inspect.Board(ctx, b.Info().Name, b.Loader)
	v.Show(a.ui)
	return b.Close(ctx, err)
}
