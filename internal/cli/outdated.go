package cli

import (
	"github.com/spf13/cobra"

	"espalier.dev/espalier/internal/command"
	"espalier.dev/espalier/internal/fault"
)

func newOutdated(a *app) *cobra.Command {
	var o workOptions
	var all bool
	cmd := &cobra.Command{
		Use:   "outdated",
		Short: "what is newer than the pins, whether it would fit, and which pins may vanish",
		Long: `Compare the pins with the registry's index, the suppliers of compilers and the git
repositories. For each crate that Cargo.toml names: the pinned version, the one that
espalier update would choose, the newest one, the lowest compiler that it accepts, and
what is in its way: a line of Cargo.toml, the pinned compiler, another crate.

Then the pins that may not be there any more for a machine with an empty store: yanked
crates, git commits that no branch or tag has, Debian packages that mirrors drop.
Nothing is written.` + command.Exits(fault.Pins, fault.Sandbox),
		Example: `  espalier outdated
  espalier outdated --all      also crates that only other crates name`,
		Args: command.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			w, err := a.open(cmd.Context(), o)
			if err != nil {
				return err
			}
			defer w.Close()
			out, err := w.Outdated(cmd.Context())
			if err != nil {
				return err
			}
			a.ui.Event("outdated", out)
			if t := out.Table(all); len(t.Rows) > 0 {
				a.ui.Table(t)
			} else {
				a.ui.Note("nothing that the project names has a newer version")
			}
			for _, r := range out.Risks {
				a.ui.Printf("may vanish: %s", r)
			}
			if n := out.Others(); n > 0 && !all {
				a.ui.Note("%d more that only other crates name: espalier outdated --all", n)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "list crates that only other crates name, too")
	o.addSelectionFlags(cmd.Flags())
	o.addSandboxFlag(cmd.Flags())
	return cmd
}
