// Package version says what this binary is: its version, the commit that it was
// built from, and the versions of the formats that it writes.
package version

import (
	"runtime"
	"runtime/debug"

	"espalier.dev/espalier/internal/layout"
	"espalier.dev/espalier/internal/lock"
)

// Info is the event "version".
type Info struct {
	Version  string `json:"espalier"`
	Commit   string `json:"commit,omitempty"`
	Modified bool   `json:"modified,omitempty"` // built with changes that are not committed
	Date     string `json:"date,omitempty"`     // of the commit, RFC 3339
	Go       string `json:"go"`
	Platform string `json:"platform"`
	Lock     int    `json:"lock"`   // version of espalier.lock that it writes
	Layout   int    `json:"layout"` // of the sandbox
}

// Read reads the build information of the running binary.
func Read() Info {
	b := Info{Version: "devel", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH, Lock: lock.Version, Layout: layout.Version}
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
