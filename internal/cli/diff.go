package cli

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"espalier.dev/espalier/internal/command"
	"espalier.dev/espalier/internal/diff"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/size"
)

func newDiff(a *app) *cobra.Command {
	var o workOptions
	var top int
	cmd := &cobra.Command{
		Use:   "diff OLD [NEW]",
		Short: "compare two firmwares, images, tables, locks, recordings or revisions",
		Long: `Compare two files of one kind: ELFs (sizes by crate, static library, function, static
and section), images, images of a flash, partition tables, locks, or recordings of runs.
What a file is follows from its content.

OLD and NEW may also be git revisions of the project, such as HEAD~1; without NEW, the
revision is compared with the files as they are. Both are built from their own
espalier.lock, in a directory outside of the project, and their ELFs are compared.

The exit status is 0 when the bytes are equal and 8 when they differ (diff(1) has 1,
which is a failed firmware here).` + command.Exits(fault.Build, fault.Pins, fault.Sandbox, fault.Differ),
		Example: `  espalier diff old.elf target/espalier/blinky.elf
  espalier diff --top 10 HEAD~1
  espalier diff v1.4 v1.5`,
		Args: command.Args("OLD", "[NEW]"),
		RunE: func(cmd *cobra.Command, names []string) error {
			var sides []diff.File
			if len(names) == 1 {
				names = append(names, "")
			}
			for _, name := range names {
				f, err := a.diffSide(cmd.Context(), name, names[0], o)
				if err != nil {
					return err
				}
				f.Size = func(b []byte) (*size.Report, error) { return a.opener().Size(cmd.Context(), b) }
				sides = append(sides, f)
			}
			r, err := diff.Files(sides[0], sides[1])
			if err != nil {
				return err
			}
			a.ui.Event("diff", r)
			a.ui.Table(r.Table(top))
			if r.Equal {
				return nil
			}
			return fault.New(fault.Differ, fmt.Sprintf("%s and %s differ", r.Old, r.New))
		},
	}
	o.addFlags(cmd.Flags())
	cmd.Flags().IntVar(&top, "top", 0, "show only the first `N` rows of each kind")
	return cmd
}

// diffSide is a file, or the ELF of a revision; "" is the project as it is, when
// the other side is a revision.
func (a *app) diffSide(ctx context.Context, name, other string, o workOptions) (diff.File, error) {
	if name == "" {
		if _, err := os.Stat(other); err == nil || other == "-" {
			return diff.File{}, fault.New(fault.Usage, "diff: "+other+" is a file: compare it with which?", "espalier diff "+other+" NEW")
		}
		b, err := a.opener().BuildELF(ctx, o.Selection)
		return diff.File{Name: "the files as they are", Bytes: b}, err
	}
	if _, err := os.Stat(name); err == nil || name == "-" {
		b, err := a.readInput(ctx, name)
		return diff.File{Name: name, Bytes: b}, err
	}
	b, err := a.opener().BuildRevision(ctx, name, o.Selection)
	return diff.File{Name: name, Bytes: b}, err
}
