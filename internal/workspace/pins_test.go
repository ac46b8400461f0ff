package workspace

import (
	"bytes"
	"testing"

	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/ui"
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
			w := &Workspace{Project: &project.Project{Files: files, Untracked: c.untracked}, ui: ui.New(ui.Options{Stdout: new(bytes.Buffer), Stderr: &errs})}
			w.noteUntracked()
			if errs.String() != c.want {
				t.Errorf("got %q, want %q", errs.String(), c.want)
			}
		})
	}
}
