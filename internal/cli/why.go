package cli

import (
	"path/filepath"

	"github.com/spf13/cobra"

	"espalier.dev/espalier/internal/build"
	"espalier.dev/espalier/internal/command"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/ui"
)

func newWhy(a *app) *cobra.Command {
	var o workOptions
	cmd := &cobra.Command{
		Use:   "why",
		Short: "explain what the next build would compile again",
		Long: `Compare what the next build would do with the last build in this project, input by
input, and name what changed: a file, a flag, a variable, a pin. Nothing is built.` +
			command.Exits(fault.Pins),
		Example: `  espalier why`,
		Args:    command.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			w, err := a.open(cmd.Context(), o)
			if err != nil {
				return err
			}
			defer w.Close()
			plan, err := w.LockedPlan(cmd.Context())
			if err != nil {
				return err
			}
			last, err := build.ReadLastBuild(w.OutDir())
			if err != nil {
				a.ui.Debugf("the last build is not known: %v", err)
			}
			reasons, err := w.Runner().Why(cmd.Context(), plan, last)
			show := func(name string) string {
				return ui.Path(filepath.Join(w.Project.Root, filepath.FromSlash(name)))
			}
			for _, r := range reasons {
				a.ui.Event("why", r)
				for _, line := range r.Lines(show) {
					a.ui.Printf("%s", line)
				}
			}
			return err
		},
	}
	o.addFlags(cmd.Flags())
	return cmd
}
