// Package cargohome makes the directory that is CARGO_HOME inside a step: the
// configuration that replaces every registry and git source by the locked
// files.
//
// Input: a project and its pins. Output: a tree in the store.
package cargohome

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"espalier.dev/espalier/internal/cargo"
	"espalier.dev/espalier/internal/layout"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/store"
	"espalier.dev/espalier/internal/supply/git"
)

// Tree makes the tree at CARGO_HOME: the configuration, and the mount points of
// the crates below it.
func Tree(ctx context.Context, st *store.Store, p *project.Project, pins *lock.File) (store.Digest, error) {
	return st.MakeTree(ctx, func(b *store.TreeBuilder) error {
		src := b.Source("cargo configuration")
		if _, err := src.File(ctx, "espalier.toml", false, strings.NewReader(Config(p, pins))); err != nil {
			return err
		}
		for _, dir := range []string{"registry/src/v", "git/checkouts"} {
			if err := src.Dir(dir); err != nil {
				return err
			}
		}
		return nil
	})
}

// inStep are the values of [build] in the place of those of the user's machine.
// No wrapper is the empty string.
var inStep = map[string]string{"rustc": layout.Rustc, "build-dir": layout.Target}

// Config is the text of the configuration file that is passed with --config,
// outside the project, so that the project's own remains in effect.
func Config(p *project.Project, pins *lock.File) string {
	var b strings.Builder
	b.WriteString("# Made by espalier: where a build finds what is locked.\n\n")
	if len(p.Cargo.Machine) > 0 {
		b.WriteString("[build]\n")
		for _, key := range p.Cargo.Machine {
			fmt.Fprintf(&b, "%s = %q\n", key, inStep[key])
		}
		b.WriteString("\n")
	}
	var unstable []string
	if !pins.Std.Lock.IsZero() { // otherwise the library is prebuilt
		unstable = append(unstable, buildStd(p)...)
	}
	if embedsNoMetadata(pins) {
		unstable = append(unstable, "no-embed-metadata = true")
	}
	if len(unstable) > 0 {
		fmt.Fprintf(&b, "[unstable]\n%s\n\n", strings.Join(unstable, "\n"))
	}
	fmt.Fprintf(&b, "[source.espalier-vendor]\ndirectory = %q\n\n", layout.Vendor)
	b.WriteString("[source.crates-io]\nreplace-with = \"espalier-vendor\"\n\n")
	for _, r := range registries(pins) {
		fmt.Fprintf(&b, "[source.%q]\nregistry = %q\nreplace-with = \"espalier-vendor\"\n\n", r, strings.TrimPrefix(r, "registry+"))
	}
	b.WriteString(git.Sources(pins.Git, layout.Checkouts))
	return b.String()
}

// buildStd returns what the configuration adds to [unstable] build-std: core
// and alloc when the project has no list, alloc when its list only has core. A
// prebuilt standard library always has alloc, and projects made for one list
// only core.
func buildStd(p *project.Project) []string {
	want := p.Cargo.BuildStd
	switch {
	case !want.IsSet() || len(want.V) == 0:
		return []string{`build-std = ["core", "alloc"]`}
	case slices.Contains(want.V, "alloc") || slices.Contains(want.V, "std"):
		return nil
	case p.Cargo.BuildStdText: // cargo joins lists; a string replaces a string
		return []string{fmt.Sprintf("build-std = %q", strings.Join(append(slices.Clone(want.V), "alloc"), ","))}
	}
	return []string{`build-std = ["alloc"]`}
}

// embedsNoMetadata reports whether libraries are made without a second copy of
// their metadata, which is half of a dependency layer: cargo has the flag since
// 1.89, and it is used with the versions with which the firmware was compared.
// It does not change a program (TestLayers of internal/build).
func embedsNoMetadata(pins *lock.File) bool {
	for _, tc := range pins.Toolchains {
		if version, _, _ := strings.Cut(tc.Rustc, " "); cargo.OlderThan(version, "1.96") {
			return false
		}
	}
	return len(pins.Toolchains) > 0
}

// registries lists the sources of crates besides the default registry.
func registries(pins *lock.File) []string {
	var out []string
	seen := map[string]bool{}
	for _, c := range pins.Crates {
		if c.Source != "" && !seen[c.Source] {
			seen[c.Source] = true
			out = append(out, c.Source)
		}
	}
	return out
}
