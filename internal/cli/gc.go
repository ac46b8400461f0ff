package cli

import (
	"time"

	"github.com/spf13/cobra"

	"espalier.dev/espalier/internal/command"
	"espalier.dev/espalier/internal/doctor"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/sandbox"
	"espalier.dev/espalier/internal/store"
)

type gcOptions struct {
	Keep   doctor.Age
	DryRun bool
	Wait   bool
}

func newGC(a *app) *cobra.Command {
	var o gcOptions
	cmd := &cobra.Command{
		Use:   "gc",
		Short: "free space in the store, never a pinned byte",
		Long: `Remove from the store what no espalier.lock on this machine pins any more and that has
not been used for a while, or is over the limit ([store] limit of your configuration, 10
GB by default): least recently used content first. What a lock pins stays, however old
and large it is. A lock whose file is gone pins nothing.` + command.Exits(fault.Pins),
		Example: `  espalier gc --dry-run            what would be freed
  espalier gc --keep 0s            everything that is not pinned`,
		Args: command.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := a.settings(project.Flags{})
			if err != nil {
				return err
			}
			if !o.DryRun {
				sandbox.Sweep(p.Espalier.Store.V)
			}
			c, err := doctor.Clean(cmd.Context(), p.Espalier, store.Policy{MaxAge: time.Duration(o.Keep), DryRun: o.DryRun, Wait: o.Wait})
			if err != nil {
				return err
			}
			a.ui.Event("gc", c)
			for _, l := range c.Lines() {
				a.ui.Printf("%s", l)
			}
			a.ui.Table(c.Table())
			return nil
		},
	}
	o.Keep = doctor.Age(30 * 24 * time.Hour)
	cmd.Flags().Var(&o.Keep, "keep", "keep what was used within this `TIME`, such as 30d or 12h")
	cmd.Flags().BoolVarP(&o.DryRun, "dry-run", "n", false, "only say what would be freed")
	cmd.Flags().BoolVar(&o.Wait, "wait", false, "wait while another espalier uses the store")
	return cmd
}
