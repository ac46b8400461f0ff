package cli

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/store"
	"espalier.dev/espalier/internal/ui"
)

type gcOptions struct {
	Keep   time.Duration
	DryRun bool
	Wait   bool
}

func newGC(a *app) *cobra.Command {
	var o gcOptions
	cmd := &cobra.Command{
		Use:   "gc",
		Short: "free space in the store, never a pinned byte",
		Long: `Remove from the store what no espalier.lock on this machine pins any more and what
has not been used for a while. What a lock pins stays, however old it is. A lock
whose file is gone pins nothing.` + exits(fault.Pins),
		Example: `  espalier gc --dry-run            what would be freed
  espalier gc --keep 0s            everything that is not pinned`,
		Args: args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := a.storeSetting(nil)
			if err != nil {
				return err
			}
			if o.Keep < 0 {
				return fault.New(fault.Usage, fmt.Sprintf("gc: --keep %s is negative", o.Keep))
			}
			r, err := store.GC(cmd.Context(), s.Value, store.Policy{MaxAge: o.Keep, DryRun: o.DryRun, Wait: o.Wait})
			if err != nil {
				return err
			}
			a.ui.Event("gc", struct {
				Store   string `json:"store"`
				DryRun  bool   `json:"dry-run"`
				Freed   int64  `json:"freed"`
				Blobs   int    `json:"blobs"`
				Trees   int    `json:"trees"`
				Results int    `json:"results"`
			}{s.Value, o.DryRun, r.Freed, r.Blobs, r.Trees, r.Results})
			word := "freed"
			if o.DryRun {
				word = "would free"
			}
			a.ui.Printf("%s %s: %d blobs, %d trees, %d results", word, ui.Size(r.Freed), r.Blobs, r.Trees, r.Results)
			return nil
		},
	}
	cmd.Flags().DurationVar(&o.Keep, "keep", 30*24*time.Hour, "keep what was used within this `TIME`")
	cmd.Flags().BoolVarP(&o.DryRun, "dry-run", "n", false, "only say what would be freed")
	cmd.Flags().BoolVar(&o.Wait, "wait", false, "wait while another espalier uses the store")
	return cmd
}
