package cli

import (
	"context"

	"github.com/spf13/cobra"

	"espalier.dev/espalier/esp/loader"
	"espalier.dev/espalier/internal/command"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/flashing"
)

type eraseOptions struct {
	port      portOptions
	Partition []string
	All       bool
}

func newErase(a *app) *cobra.Command {
	var o eraseOptions
	cmd := &cobra.Command{
		Use:   "erase [OFFSET SIZE]",
		Short: "erase partitions, a range, or all of a board's flash",
		Long: `Erase partitions by the table that is on the board, a range of whole sectors, or
with --all everything. Sectors that are blank already are skipped; digests verify the
result.` + command.Exits(fault.Port, fault.Chip),
		Example: `  espalier erase --partition nvs
  espalier erase 0x9000 0x6000
  espalier erase --all`,
		Args: command.Args("[OFFSET]", "[SIZE]"),
		RunE: func(cmd *cobra.Command, names []string) error {
			return erase(cmd.Context(), a, names, o)
		},
	}
	o.port.addFlags(cmd.Flags())
	o.port.addAfter(cmd.Flags())
	cmd.Flags().StringSliceVar(&o.Partition, "partition", nil, "erase the partitions `NAMES`, separated by commas")
	cmd.Flags().BoolVar(&o.All, "all", false, "erase the whole flash")
	cmd.MarkFlagsMutuallyExclusive("partition", "all")
	return cmd
}

func erase(ctx context.Context, a *app, names []string, o eraseOptions) error {
	regions, err := o.regions(names)
	if err != nil {
		return err
	}
	b, err := connectBoard(ctx, a, o.port, nil)
	if err != nil {
		return err
	}
	return b.Close(ctx, eraseRegions(ctx, a, b.Loader, regions))
}

func (o eraseOptions) regions(names []string) ([]flashing.Region, error) {
	named := o.All || len(o.Partition) > 0
	switch {
	case named && len(names) != 0, !named && len(names) != 2:
		return nil, fault.New(fault.Usage, "erase: want OFFSET SIZE, or --partition or --all", "espalier erase --help")
	case o.All:
		return []flashing.Region{{All: true}}, nil
	case !named:
		r, err := flashing.ParseRange(names[0], names[1])
		return []flashing.Region{r}, err
	}
	var out []flashing.Region
	for _, p := range o.Partition {
		out = append(out, flashing.Region{Partition: p})
	}
	return out, nil
}

func eraseRegions(ctx context.Context, a *app, l *loader.Loader, regions []flashing.Region) error {
	type piece struct{ offset, size uint32 }
	var pieces []piece
	for _, r := range regions { // all are found before the first is erased
		offset, size, err := r.Resolve(ctx, l)
		if err != nil {
			return err
		}
		pieces = append(pieces, piece{offset, size})
	}
	for i, p := range pieces {
		if err := flashing.Erase(ctx, l, regions[i].Partition, p.offset, p.size, a.ui); err != nil {
			return err
		}
	}
	return nil
}
