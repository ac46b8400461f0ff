package cli

import (
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"espalier.dev/espalier/internal/layout"
	"espalier.dev/espalier/internal/lock"
)

// buildInfo is what this binary knows of itself.
type buildInfo struct {
	Version  string `json:"espalier"`
	Revision string `json:"revision,omitempty"`
	Modified bool   `json:"modified,omitempty"`
	Time     string `json:"time,omitempty"` // of the revision
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
			b.Revision = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		case "vcs.time":
			b.Time = s.Value
		}
	}
	return b
}

func newVersion(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "print what this espalier is",
		Long: `Print the version, the revision it was built from, the Go that built it, and the
versions of the formats that it writes.` + exits(),
		Args: args(),
		RunE: func(*cobra.Command, []string) error {
			v := version()
			a.ui.Event("version", v)
			a.ui.Printf("espalier %s", v.Version)
			revision := v.Revision
			if v.Modified {
				revision += " and local changes"
			}
			a.ui.Fields([][2]string{
				{"revision", revision},
				{"time", v.Time},
				{"go", v.Go + " " + v.Platform},
				{"lock", itoa(v.Lock)},
				{"layout", itoa(v.Layout)},
			}...)
			return nil
		},
	}
}
