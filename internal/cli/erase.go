package cli

import (
	"context"

	"github.com/spf13/cobra"

	"espalier.dev/espalier/esp/loader"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/progress"
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
with --all everything. What is blank already is not touched; the result is proven by
digests.` + exits(fault.Port, fault.Chip),
		Example: `  espalier erase --partition nvs
  espalier erase 0x9000 0x6000
  espalier erase --all`,
		Args: args("[OFFSET]", "[SIZE]"),
		RunE: func(cmd *cobra.Command, names []string) error {
			return a.erase(cmd.Context(), names, o)
		},
	}
	o.port.addFlags(cmd.Flags())
	o.port.addAfter(cmd.Flags())
	cmd.Flags().StringSliceVar(&o.Partition, "partition", nil, "erase the partitions `NAMES`, separated by commas")
	cmd.Flags().BoolVar(&o.All, "all", false, "erase the whole flash")
	cmd.MarkFlagsMutuallyExclusive("partition", "all")
	return cmd
}

func (a *app) erase(ctx context.Context, names []string, o eraseOptions) error {
	named := o.All || len(o.Partition) > 0
	if named && len(names) != 0 || !named && len(names) != 2 {
		return fault.New(fault.Usage, "erase: want OFFSET SIZE, or --partition or --all", "espalier erase --help")
	}
	if !named {
		if _, _, err := flashRange(names[0], names[1]); err != nil {
			return err
		}
	}
	p, l, err := a.connect(ctx, o.port, nil)
	if err != nil {
		return err
	}
	return a.finish(ctx, p, l, o.port, a.eraseOnBoard(ctx, l, names, o))
}

func (a *app) eraseOnBoard(ctx context.Context, l *loader.Loader, names []string, o eraseOptions) error {
	type piece struct {
		what  string
		at, n uint32
	}
	var pieces []piece
	wanted := o.Partition
	if len(wanted) == 0 {
		wanted = []string{""}
	}
	for _, name := range wanted { // all are found before the first is erased
		at, n, err := a.rangeOnBoard(ctx, l, name, o.All, names)
		if err != nil {
			return err
		}
		pieces = append(pieces, piece{name, at, n})
	}
	for _, e := range pieces {
		phase := "erase"
		if e.what != "" {
			phase += " " + e.what
		}
		t := a.ui.Start(phase, progress.Bytes, int64(e.n))
		last := 0
		err := l.Erase(ctx, e.at, e.n, func(done int) { t.Add(int64(done - last)); last = done })
		t.Done(err)
		if err != nil {
			return err
		}
	}
	return nil
}
