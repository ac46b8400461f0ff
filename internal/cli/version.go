package cli

import (
	"github.com/spf13/cobra"

	"espalier.dev/espalier/internal/command"
	"espalier.dev/espalier/internal/ui"
	"espalier.dev/espalier/internal/version"
)

func newVersion(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "print version, commit and date",
		Long: `Print the version, the commit that it was built from and its date, the Go version that
built it, and the versions of the formats that it writes.` + command.Exits(),
		Args: command.Args(),
		RunE: func(*cobra.Command, []string) error {
			showVersion(a.ui)
			return nil
		},
	}
}

// showVersion prints what this binary is.
func showVersion(out *ui.UI) {
	v := version.Read()
	out.Event("version", v)
	out.Printf("espalier %s", v.Version)
	commit := v.Commit
	if v.Modified {
		commit += " with changes that are not committed"
	}
	out.Fields([][2]string{
		{"commit", commit},
		{"date", v.Date},
		{"go", v.Go + " " + v.Platform},
		{"lock", itoa(v.Lock)},
		{"layout", itoa(v.Layout)},
	}...)
}
