package project

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"espalier.dev/espalier/internal/config"
)

// describe is a target as one line, for comparison.
func describe(pkg, version, kind, name, path, edition string, crateTypes, features []string) string {
	return fmt.Sprintf("%s %s: %s %s at %s, %s, %v, needs %v", pkg, version, kind, name, path, edition, crateTypes, features)
}

// Own packages and their targets must be what cargo metadata says: the
// dependency layer stubs exactly these files.
func TestTargetsAgainstCargo(t *testing.T) {
	program := realCargo(t)
	files, err := filepath.Glob("testdata/metadata/*.txtar")
	if err != nil || len(files) < 6 {
		t.Fatalf("%d archives, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			dir := unpack(t, string(b))
			start := dir
			if !config.Exists(filepath.Join(dir, "Cargo.toml")) {
				start = filepath.Join(dir, "app")
			}
			text, err := run(t, start, program, "metadata", "--no-deps", "--offline", "--format-version=1")
			if err != nil {
				t.Fatalf("cargo: %s", text)
			}
			var meta struct {
				WorkspaceRoot string `json:"workspace_root"`
				Packages      []struct {
					Name, Version, Edition string
					ManifestPath           string  `json:"manifest_path"`
					RustVersion            *string `json:"rust_version"`
					DefaultRun             *string `json:"default_run"`
					Links                  *string
					Dependencies           []struct {
						Name   string
						Kind   *string
						Target *string
						Path   *string
						Rename *string
					}
					Targets []struct {
						Kind, CrateTypes []string
						Types            []string `json:"crate_types"`
						Name             string
						SrcPath          string   `json:"src_path"`
						Features         []string `json:"required-features"`
						Edition          string
					}
				}
			}
			if err := json.Unmarshal([]byte(text), &meta); err != nil {
				t.Fatal(err)
			}
			p := open(t, start)
			if p.Workspace != meta.WorkspaceRoot {
				t.Errorf("workspace %s, cargo says %s", p.Workspace, meta.WorkspaceRoot)
			}
			str := func(s *string) string {
				if s == nil {
					return ""
				}
				return *s
			}
			var want, got []string
			for _, k := range meta.Packages {
				want = append(want, fmt.Sprintf("%s %s %s in %s, rust %s, run %s, links %s", k.Name, k.Version, k.Edition, k.ManifestPath, str(k.RustVersion), str(k.DefaultRun), str(k.Links)))
				for _, x := range k.Targets {
					kind := x.Kind[0]
					if kind == "proc-macro" || kind == "rlib" || kind == "staticlib" {
						kind = "lib"
					}
					want = append(want, describe(k.Name, k.Version, kind, x.Name, filepath.Clean(x.SrcPath), x.Edition, x.Types, x.Features))
				}
				for _, d := range k.Dependencies {
					want = append(want, fmt.Sprintf("%s depends on %s %s %s %s", k.Name, d.Name, str(d.Kind), str(d.Target), str(d.Path)))
				}
			}
			abs := func(rel string) string { return filepath.Join(p.Root, rel) }
			for _, o := range p.Own {
				if !o.Member {
					continue
				}
				got = append(got, fmt.Sprintf("%s %s %s in %s, rust %s, run %s, links %s", o.Name, o.Version, o.Edition, abs(o.Manifest), o.RustVersion.V, o.DefaultRun, o.Links))
				for _, x := range o.Targets {
					if x.RequiredFeatures == nil {
						x.RequiredFeatures = []string{}
					}
					got = append(got, describe(o.Name, o.Version, x.Kind, x.Name, abs(x.Path), x.Edition, x.CrateTypes, x.RequiredFeatures))
				}
				for _, d := range o.Depends {
					path := ""
					if d.Path != "" {
						path = abs(d.Path)
					}
					got = append(got, fmt.Sprintf("%s depends on %s %s %s %s", o.Name, d.Package, d.Kind, d.Platform, path))
				}
			}
			sort.Strings(want)
			sort.Strings(got)
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("cargo (-) and project (+) differ:\n%s", d)
			}
		})
	}
}

// What cargo refuses must be refused, with a place where there is one.
func TestManifestFaults(t *testing.T) {
	program := realCargo(t)
	const pkg = "-- src/main.rs --\nfn main() {}\n-- Cargo.toml --\n"
	for _, c := range []struct{ name, files, want string }{
		{"syntax", pkg + "[package]\nname = \"a\nversion = \"1.0.0\"\n", "Cargo.toml:2:"},
		{"no name", pkg + "[package]\nversion = \"1.0.0\"\n", "Cargo.toml:1:2: [package] has no name"},
		{"neither", pkg + "[dependencies]\n", "Cargo.toml:1:1: neither [package] nor [workspace]"},
		{"bad name", pkg + "[package]\nname = \"a b\"\nversion = \"1.0.0\"\n", `Cargo.toml:2:8: package name "a b"`},
		{"missing member", "-- Cargo.toml --\n[workspace]\nmembers = [\n  \"gone\",\n]\n", `Cargo.toml:3:3: workspace member "gone": no such directory`},
		{"member without manifest", "-- Cargo.toml --\n[workspace]\nmembers = [\"x/*\"]\n-- x/y/z --\n", `Cargo.toml:2:12: workspace member "x/*": x/y has no Cargo.toml`},
		{"missing path dependency", pkg + "[package]\nname = \"a\"\nversion = \"1.0.0\"\n[dependencies]\nb = { path = \"../nowhere\" }\n", `Cargo.toml:5:1: path dependency "b"`},
		{"two path packages of one name", "-- Cargo.toml --\n[package]\nname = \"foo\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[dependencies]\npkg1 = { path = \"d1\", package = \"pkg\" }\npkg2 = { path = \"d2\", package = \"pkg\" }\n-- src/lib.rs --\n-- d1/Cargo.toml --\n[package]\nname = \"pkg\"\nversion = \"0.1.0\"\n-- d1/src/lib.rs --\n-- d2/Cargo.toml --\n[package]\nname = \"pkg\"\nversion = \"0.1.0\"\n-- d2/src/lib.rs --\n", "d2/Cargo.toml:2:8: package pkg 0.1.0 is also at d1/Cargo.toml"},
		{"two of one name", "-- Cargo.toml --\n[workspace]\nmembers = [\"x\", \"y\"]\n-- x/Cargo.toml --\n[package]\nname=\"n\"\nversion=\"1.0.0\"\n-- y/Cargo.toml --\n[package]\nname=\"n\"\nversion=\"1.0.0\"\n-- x/src/lib.rs --\n-- y/src/lib.rs --\n", `y/Cargo.toml:2:6: package name "n" is taken by x/Cargo.toml`},
		{"not a member", "-- Cargo.toml --\n[workspace]\n-- sub/Cargo.toml --\n[package]\nname=\"n\"\nversion=\"1.0.0\"\n-- sub/src/main.rs --\nfn main(){}\n", `package "n" is below the workspace`},
		{"library without file", "-- Cargo.toml --\n[package]\nname=\"n\"\nversion=\"1.0.0\"\nedition=\"2021\"\n[lib]\nname=\"x\"\n", `Cargo.toml:5:2: can't find library "x"`},
		{"binary without file", pkg + "[package]\nname=\"n\"\nversion=\"1.0.0\"\nedition=\"2021\"\n[[bin]]\nname=\"x\"\n", `Cargo.toml:5:3: can't find bin "x"`},
		{"binary in two places", "-- src/bin/x.rs --\n-- src/bin/x/main.rs --\n-- Cargo.toml --\n[package]\nname=\"n\"\nversion=\"1.0.0\"\nedition=\"2021\"\n[[bin]]\nname=\"x\"\n", `Cargo.toml:5:3: cannot infer the path of bin "x"`},
		{"nothing to inherit", pkg + "[package]\nname=\"n\"\nversion.workspace = true\n", "Cargo.toml:3:1: package.version is inherited"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := unpack(t, c.files)
			start := dir
			if config.IsDir(filepath.Join(dir, "sub")) {
				start = filepath.Join(dir, "sub")
			}
			_, err := Open(start, Options{})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v\nwant …%s…", err, c.want)
			}
			if strings.Contains(fmt.Sprint(err), dir) {
				t.Errorf("the message names the whole path: %v", err)
			}
			argv := []string{"metadata", "--no-deps", "--offline", "--format-version=1"}
			if c.name == "two path packages of one name" {
				argv = []string{"generate-lockfile", "--offline"}
			}
			if out, err := run(t, start, program, argv...); err == nil {
				if c.name != "two of one name" && c.name != "missing path dependency" { // cargo says so later
					t.Errorf("cargo accepts it: %s", out)
				}
			}
		})
	}
}
