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

// Config is the text of the configuration file that is passed with --config,
// outside the project, so that the project's own remains in effect.
func Config(p *project.Project, pins *lock.File) string {
	var b strings.Builder
	b.WriteString("# Made by espalier: where a build finds what is locked.\n\n")
	if !pins.Std.Lock.IsZero() { // otherwise the library is prebuilt
		b.WriteString(buildStd(p))
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
func buildStd(p *project.Project) string {
	want := p.Cargo.BuildStd
	switch {
	case !want.IsSet() || len(want.V) == 0:
		return "[unstable]\nbuild-std = [\"core\", \"alloc\"]\n\n"
	case slices.Contains(want.V, "alloc") || slices.Contains(want.V, "std"):
		return ""
	case p.Cargo.BuildStdText: // cargo joins lists; a string replaces a string
		return fmt.Sprintf("[unstable]\nbuild-std = %q\n\n", strings.Join(append(slices.Clone(want.V), "alloc"), ","))
	}
	return "[unstable]\nbuild-std = [\"alloc\"]\n\n"
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
