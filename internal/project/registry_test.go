package project

import (
	"encoding/json"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"espalier.dev/espalier/internal/cargo"
	"espalier.dev/espalier/internal/config"
	"espalier.dev/espalier/internal/devtest"
)

// The crates in the machine's cargo home are manifests that were not written for this test:
// targets must be what cargo makes of them, from the published manifest and
// from the author's own.
func TestTargetsOfPublishedCrates(t *testing.T) {
	devtest.Long(t, "calls cargo for every crate")
	program := realCargo(t)
	home := os.Getenv("CARGO_HOME")
	if home == "" {
		user, err := os.UserHomeDir()
		if err != nil {
			t.Skip(err)
		}
		home = filepath.Join(user, ".cargo")
	}
	found, _ := filepath.Glob(filepath.Join(home, "registry", "src", "*", "*"))
	if len(found) == 0 {
		t.Skip("no crates in the cargo home")
	}
	const most = 60
	step := max(1, len(found)/most)
	compared := 0
	for i := 0; i < len(found); i += step {
		for _, manifest := range []string{"Cargo.toml", "Cargo.toml.orig"} {
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(found[i])); err != nil {
				t.Fatal(err)
			}
			b, err := os.ReadFile(filepath.Join(found[i], manifest))
			if err != nil {
				continue
			}
			os.Remove(filepath.Join(dir, "Cargo.toml"))
			if err := os.WriteFile(filepath.Join(dir, "Cargo.toml"), b, 0o666); err != nil {
				t.Fatal(err)
			}
			text, cargoErr := run(t, dir, program, "metadata", "--no-deps", "--offline", "--format-version=1")
			p, err := Open(dir, Options{})
			if cargoErr != nil {
				continue // an author's manifest that inherits from a workspace that was not published
			}
			if err != nil {
				if strings.Contains(err.Error(), "path dependency") || strings.Contains(err.Error(), "leaves the project") {
					continue // not published either; cargo looks later
				}
				t.Errorf("%s %s: cargo reads it, project does not: %v", found[i], manifest, err)
				continue
			}
			var meta struct {
				Packages []struct {
					Name, Version string
					Targets       []struct {
						Kind    []string
						Name    string
						Types   []string `json:"crate_types"`
						SrcPath string   `json:"src_path"`
						Edition string
						Needs   []string `json:"required-features"`
					}
				}
			}
			if err := json.Unmarshal([]byte(text), &meta); err != nil {
				t.Fatal(err)
			}
			var want, got []string
			for _, k := range meta.Packages {
				for _, x := range k.Targets {
					kind := x.Kind[0]
					switch kind {
					case "proc-macro", "rlib", "staticlib", "cdylib", "dylib":
						kind = cargo.KindLib
					}
					want = append(want, describe(k.Name, k.Version, kind, x.Name, filepath.ToSlash(config.Rel(p.Root, x.SrcPath)), x.Edition, x.Types, x.Needs))
				}
			}
			for _, o := range p.Own {
				for _, x := range o.Targets {
					if o.Member {
						got = append(got, describe(o.Name, o.Version, x.Kind, x.Name, x.Path, x.Edition, x.CrateTypes, x.RequiredFeatures))
					}
				}
			}
			sort.Strings(want)
			sort.Strings(got)
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("%s %s:\n%s", found[i], manifest, d)
			}
			compared++
		}
	}
	t.Logf("%d manifests of %d crates compared", compared, len(found))
	if compared == 0 {
		t.Error("nothing was compared")
	}
}
