package cli

import (
	"context"

	"github.com/spf13/cobra"

	"espalier.dev/espalier/esp/loader"
	"espalier.dev/espalier/internal/command"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/flashing"
	"espalier.dev/espalier/internal/ui"
)

type readFlashOptions struct {
	port      portOptions
	Partition string
	All       bool
}

func newReadFlash(a *app) *cobra.Command {
	var o readFlashOptions
	cmd := &cobra.Command{
		Use:   "read-flash [OFFSET SIZE] FILE",
		Short: "read a board's flash into a file",
		Long: `Read a range of a board's flash, a partition by the table that is on the board, or
all of it, into FILE. Each piece is verified by a digest that the chip computes before
it is written; a FILE that exists is replaced when everything is there. FILE - is
standard output.` + command.Exits(fault.Port, fault.Chip),
		Example: `  espalier read-flash 0x9000 0x6000 nvs.bin
  espalier read-flash --partition nvs nvs.bin
  espalier read-flash --all board.bin && espalier emulate board.bin`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, names []string) error {
			return readFlash(cmd.Context(), a, names, o)
		},
	}
	o.port.addFlags(cmd.Flags())
	o.port.addAfter(cmd.Flags())
	cmd.Flags().StringVar(&o.Partition, "partition", "", "read the partition `NAME`")
	cmd.Flags().BoolVar(&o.All, "all", false, "read the whole flash")
	cmd.MarkFlagsMutuallyExclusive("partition", "all")
	return cmd
}

func readFlash(ctx context.Context, a *app, names []string, o readFlashOptions) error {
	region := flashing.Region{Partition: o.Partition, All: o.All}
	named := o.All || o.Partition != ""
	if named && len(names) != 1 || !named && len(names) != 3 {
		return fault.New(fault.Usage, "read-flash: want OFFSET SIZE FILE, or FILE with --partition or --all", "espalier read-flash --help")
	}
	if !named {
		var err error
		if region, err = flashing.ParseRange(names[0], names[1]); err != nil {
			return err
		}
	}
	st, err := a.stub(ctx, o.port)
	if err != nil {
		return err
	}
	b, err := connectBoard(ctx, a, o.port, st)
	if err != nil {
		return err
	}
	return b.Close(ctx, readRegion(ctx, a, b.Loader, region, names[len(names)-1]))
}

func readRegion(ctx context.Context, a *app, l *loader.Loader, r flashing.Region, file string) error {
	offset, size, err := r.Resolve(ctx, l)
	if err != nil {
		return err
	}
	if file == "-" {
		return flashing.Read(ctx, l, a.ui.Writer(ui.Stdout), offset, size, a.ui)
	}
	return flashing.ReadFile(ctx, l, file, offset, size, a.ui)
}
