package project

import (
	"slices"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/fault"
)

// Misspelt names of features, profiles, packages and targets are errors that name
// the one that was probably meant.
func TestMisspelt(t *testing.T) {
	files := strings.Replace(app, "[package]", "[features]\nwifi = [\"dep:radio\"]\ndefault = []\n[dependencies]\nradio = { version = \"1\", optional = true }\nlog = { version = \"1\", optional = true }\n[package]", 1)
	for _, c := range []struct {
		name string
		opts Options
		err  string // empty: none
		hint string
	}{
		{"feature", Options{Flags: Flags{Features: []string{"wifi", "log"}}}, "", ""},
		{"features with a space", Options{Flags: Flags{Features: []string{"wifi log"}}}, "", ""},
		{"feature of a dependency", Options{Flags: Flags{Features: []string{"radio/fast"}}}, "", ""},
		{"misspelt feature", Options{Flags: Flags{Features: []string{"wfi"}}}, `flag --features: package app has no feature "wfi"`, "espalier run --features wifi"},
		{"unknown feature", Options{Flags: Flags{Features: []string{"bluetooth"}}}, `no feature "bluetooth"`, "features are default, log, wifi"},
		{"hidden dependency", Options{Flags: Flags{Features: []string{"radio"}}}, `no feature "radio"`, "features are default, log, wifi"},
		{"misspelt profile", Options{Flags: Flags{Profile: "relase"}}, `no profile "relase"`, "espalier build --profile release"},
		{"unknown profile", Options{Flags: Flags{Profile: "tiny"}}, `no profile "tiny"`, "espalier build --profile release"},
		{"cargo's directory", Options{Flags: Flags{Profile: "debug"}}, `no profile "debug"`, "espalier build --profile dev"},
		{"misspelt package", Options{Package: "apq"}, `no package "apq"`, "espalier run -p app"},
		{"misspelt binary", Options{Flags: Flags{Bin: "App"}}, `no bin "App"`, "espalier run --bin app"},
	} {
		p, err := Open(unpack(t, files), c.opts)
		if err == nil {
			_, err = p.Artifact()
		}
		switch {
		case err == nil && c.err == "":
		case err == nil || c.err == "" || !strings.Contains(err.Error(), c.err) || !slices.Contains(fault.Hints(err), c.hint):
			t.Errorf("%s: %v, hints %q", c.name, err, fault.Hints(err))
		}
	}
}
