package cargohome

import (
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"

	"espalier.dev/espalier/internal/cargo"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/project"
)

// The keys of a project that name what only one machine has are replaced; other
// projects have no table for them, so that their steps stay the same.
func TestMachineKeys(t *testing.T) {
	of := func(keys ...string) map[string]any {
		var doc map[string]any
		text := Config(&project.Project{Cargo: cargo.Config{Machine: keys}}, &lock.File{})
		if err := toml.Unmarshal([]byte(text), &doc); err != nil {
			t.Fatalf("%v:\n%s", err, text)
		}
		build, _ := doc["build"].(map[string]any)
		return build
	}
	if got := of(); got != nil {
		t.Errorf("without keys: %v", got)
	}
	got := of("rustc", "rustc-wrapper", "rustc-workspace-wrapper", "build-dir")
	for key, want := range map[string]string{"rustc": "/usr/bin/rustc", "rustc-wrapper": "", "rustc-workspace-wrapper": "", "build-dir": "/target"} {
		if v, ok := got[key].(string); !ok || v != want {
			t.Errorf("%s = %q, want %q", key, v, want)
		}
	}
	if text := Config(&project.Project{Cargo: cargo.Config{Machine: []string{"rustc"}}}, &lock.File{}); strings.Count(text, "[build]") != 1 {
		t.Error(text)
	}
}
