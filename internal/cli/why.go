package cli

import (
	"path/filepath"

	"github.com/spf13/cobra"

	"espalier.dev/espalier/internal/build"
	"espalier.dev/espalier/internal/fault"
)

func newWhy(a *app) *cobra.Command {
	var o workOptions
	cmd := &cobra.Command{
		Use:   "why",
		Short: "explain what the next build would compile again",
		Long: `Compare what the next build would do with the last build in this project, input by
input, and name what changed: a file, a flag, a variable, a pin. Nothing is built.` +
			exits(fault.Pins),
		Example: `  espalier why`,
		Args:    args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			w, err := a.open(cmd.Context(), o)
			if err != nil {
				return err
			}
			defer w.close()
			plan, err := w.lockedPlan(cmd.Context())
			if err != nil {
				return err
			}
			last, err := build.ReadLastBuild(w.outDir())
			if err != nil {
				a.ui.Debugf("the last build is not known: %v", err)
			}
			reasons, err := w.runner().Why(cmd.Context(), plan, last)
			show := func(name string) string {
				return short(filepath.Join(w.project.Root, filepath.FromSlash(name)))
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
