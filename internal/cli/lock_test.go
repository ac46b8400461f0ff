package cli

import (
	"bytes"
	"testing"

	"espalier.dev/espalier/internal/project"
)

func TestNameUntracked(t *testing.T) {
	files := []project.File{{Path: "Cargo.toml"}, {Path: "src/main.rs"}}
	for _, c := range []struct {
		name      string
		untracked []string
		want      string
	}{
		{"all tracked", nil, ""},
		{"one new file", []string{"src/main.rs"}, "untracked file src/main.rs is part of the build\n"},
		{"new to git", []string{"Cargo.toml", "src/main.rs"}, "git tracks nothing of this project yet; all 2 files are part of the build\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var errs bytes.Buffer
			a := newApp(nil, bytes.NewReader(nil), new(bytes.Buffer), &errs, lookupIn(nil))
			w := &workspace{app: a, project: &project.Project{Files: files, Untracked: c.untracked}}
			noteUntracked(w.app.ui, w.project)
			if errs.String() != c.want {
				t.Errorf("got %q, want %q", errs.String(), c.want)
			}
		})
	}
}
