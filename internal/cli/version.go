package cli

import (
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"espalier.dev/espalier/internal/layout"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/ui"
)

// buildInfo describes this binary.
type buildInfo struct {
	Version  string `json:"espalier"`
	Commit   string `json:"commit,omitempty"`
	Modified bool   `json:"modified,omitempty"` // built with changes that are not committed
	Date     string `json:"date,omitempty"`     // of the commit, RFC 3339
	Go       string `json:"go"`
	Platform string `json:"platform"`
	Lock     int    `json:"lock"`   // version of espalier.lock that it writes
	Layout   int    `json:"layout"` // of the sandbox
}

// version reads the build information of the running binary.
func version() buildInfo {
	b := buildInfo{Version: "devel", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH, Lock: lock.Version, Layout: layout.Version}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		b.Version = v
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		case "vcs.time":
			b.Date = s.Value
		}
	}
	return b
}

func newVersion(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "print version, commit and date",
		Long: `Print the version, the commit that it was built from and its date, the Go version that
built it, and the versions of the formats that it writes.` + exits(),
		Args: args(),
		RunE: func(*cobra.Command, []string) error {
			showVersion(a.ui)
			return nil
		},
	}
}

// showVersion prints what this binary is.
func showVersion(out *ui.UI) {
	v := version()
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
