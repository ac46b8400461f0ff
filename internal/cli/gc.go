package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/store"
	"espalier.dev/espalier/internal/ui"
)

type gcOptions struct {
	Keep   age
	DryRun bool
	Wait   bool
}

func newGC(a *app) *cobra.Command {
	var o gcOptions
	cmd := &cobra.Command{
		Use:   "gc",
		Short: "free space in the store, never a pinned byte",
		Long: `Remove from the store what no espalier.lock on this machine pins any more and that has
not been used for a while. What a lock pins stays, however old it is. A lock whose file
is gone pins nothing.` + exits(fault.Pins),
		Example: `  espalier gc --dry-run            what would be freed
  espalier gc --keep 0s            everything that is not pinned`,
		Args: args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := a.settings(project.Flags{})
			if err != nil {
				return err
			}
			dir := p.Espalier.Store.V
			r, err := store.GC(cmd.Context(), dir, store.Policy{MaxAge: time.Duration(o.Keep), DryRun: o.DryRun, Wait: o.Wait})
			if err != nil {
				return err
			}
			a.ui.Event("gc", gcEvent{dir, o.DryRun, r.Freed, r.Blobs, r.Trees, r.Results})
			word := "freed"
			if o.DryRun {
				word = "would free"
			}
			a.ui.Printf("%s %s: %d blobs, %d trees, %d results", word, ui.Size(r.Freed), r.Blobs, r.Trees, r.Results)
			return nil
		},
	}
	o.Keep = age(30 * 24 * time.Hour)
	cmd.Flags().Var(&o.Keep, "keep", "keep what was used within this `TIME`, such as 30d or 12h")
	cmd.Flags().BoolVarP(&o.DryRun, "dry-run", "n", false, "only say what would be freed")
	cmd.Flags().BoolVar(&o.Wait, "wait", false, "wait while another espalier uses the store")
	return cmd
}

// age is the value of a flag: a duration that may be written in days.
type age time.Duration

func (d *age) String() string {
	const day = 24 * time.Hour
	if t := time.Duration(*d); t > 0 && t%day == 0 {
		return strconv.Itoa(int(t/day)) + "d"
	}
	return time.Duration(*d).String()
}

func (d *age) Set(s string) error {
	t, err := time.ParseDuration(s)
	if days, ok := strings.CutSuffix(s, "d"); ok {
		var n uint64
		n, err = strconv.ParseUint(days, 10, 16)
		t = time.Duration(n) * 24 * time.Hour
	}
	if err != nil || t < 0 {
		return fmt.Errorf("%q is not a duration, such as 30d or 12h", s)
	}
	*d = age(t)
	return nil
}

func (*age) Type() string { return "time" }
