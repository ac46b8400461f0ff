package source

import (
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/cargo"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/store"
)

const layerManifest = `[package]
name = 'app'
version = '0.1.0'
edition = '2021'
description = 'text'
rust-version = '1.80'
homepage.workspace = true
[features]
x = []
[[bin]]
name = 'app'
path = 'src/main.rs'
[dependencies]
lib = { path = '../lib' }
`

// What changes the dependency layer, and what changes the structure of a
// project, which is what cargo itself uses.
func TestLayerAndStructure(t *testing.T) {
	files := map[string]string{
		"Cargo.toml":           "[workspace]\nmembers = ['app', 'lib']\nresolver = '2'\n[workspace.package]\nrust-version = '1.80'\nhomepage = 'text'\n[profile.release]\nlto = 'fat'\n",
		"Cargo.lock":           "version = 4\n",
		".cargo/config.toml":   "[build]\ntarget = 'riscv32imc-unknown-none-elf'\n[env]\nSSID = 'a'\nESP_LOG = 'info'\n",
		"app/Cargo.toml":       layerManifest,
		"app/src/main.rs":      "secret",
		"app/examples/one.rs":  "secret",
		"lib/Cargo.toml":       "[package]\nname = 'lib'\nversion = '0.1.0'\nedition = '2021'\nrust-version.workspace = true\n",
		"lib/src/lib.rs":       "secret",
		"lib/tests/t.rs":       "secret",
		"lib/src/bin/other.rs": "secret",
		"text":                 "text",
	}
	st, err := store.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	of := func(files map[string]string) (store.Digest, string, map[string]string) {
		t.Helper()
		p, err := project.Open(write(t, files), project.Options{Package: "app"})
		if err != nil {
			t.Fatal(err)
		}
		target := cargo.Target{Package: "app", Kind: cargo.KindBin, Name: "app"}
		layer, made, err := Layer(t.Context(), st, p, target, map[string]bool{"SSID": true})
		if err != nil {
			t.Fatal(err)
		}
		if made.Name != layerTarget || made.Kind != cargo.KindBin {
			t.Errorf("target %+v", made)
		}
		structure, err := Structure(p)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		err = st.Walk(t.Context(), layer, func(e store.Entry) error {
			if e.Type == store.TypeFile {
				f, err := st.Open(t.Context(), e)
				if err != nil {
					return err
				}
				b, err := io.ReadAll(f)
				got[e.Path] = string(b)
				return errors.Join(err, f.Close())
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return layer, string(structure), got
	}
	layer, structure, tree := of(files)
	if want := []string{".cargo/config.toml", "Cargo.lock", "Cargo.toml", "app/Cargo.toml", "app/espalier-dependencies.rs", "lib/Cargo.toml", "lib/src/lib.rs"}; !slices.Equal(slices.Sorted(maps.Keys(tree)), want) {
		t.Errorf("the layer's files are %q", slices.Sorted(maps.Keys(tree)))
	}
	for name, text := range tree {
		if strings.Contains(text, "SSID") || strings.Contains(text, "secret") || strings.Contains(text, "description") ||
			strings.Contains(text, "homepage") || strings.Contains(text, "rust-version") {
			t.Errorf("%s: %s", name, text)
		}
	}
	if !strings.Contains(tree[".cargo/config.toml"], "ESP_LOG") {
		t.Error("[env] lost a variable of a dependency")
	}

	edit := func(name, old, new string) map[string]string {
		if !strings.Contains(files[name], old) {
			t.Fatalf("%s has no %q", name, old)
		}
		return map[string]string{name: strings.Replace(files[name], old, new, 1)}
	}
	for name, c := range map[string]struct {
		change           map[string]string
		layer, structure bool // whether they are the same
	}{
		"README":                 {map[string]string{"README.md": "x", "app/README.md": "x"}, true, true},
		"code":                   {edit("app/src/main.rs", "secret", "other"), true, true},
		"comment":                {edit("app/Cargo.toml", "[features]", "# x\n[features]"), true, true},
		"spaces":                 {edit("app/Cargo.toml", "name = 'app'\nversion", "name  = \"app\"\nversion"), true, true},
		"order":                  {edit("Cargo.toml", "members = ['app', 'lib']\nresolver = '2'", "resolver = '2'\nmembers = ['app', 'lib']"), true, true},
		"metadata":               {edit("app/Cargo.toml", "[features]", "[package.metadata.x]\na = 1\n[features]"), true, true},
		"workspace metadata":     {edit("Cargo.toml", "[profile", "[workspace.metadata.x]\na = 1\n[profile"), true, true},
		"comment in the config":  {edit(".cargo/config.toml", "[env]", "# x\n[env]"), true, true},
		"a link":                 {map[string]string{"link@": "text"}, true, true},
		"espalier.toml":          {map[string]string{"espalier.toml": "[run]\ntimeout = '3s'\n"}, true, true},
		"another example":        {map[string]string{"app/examples/two.rs": "x"}, true, true},
		"the first test":         {map[string]string{"app/tests/two.rs": "x"}, true, false},
		"another binary":         {map[string]string{"app/src/bin/two.rs": "x"}, true, false},
		"an own variable":        {edit(".cargo/config.toml", "'a'", "'b'"), true, false},
		"description":            {edit("app/Cargo.toml", "'text'", "'texts'"), true, false},
		"rust-version":           {edit("app/Cargo.toml", "1.80", "1.81"), true, false},
		"no rust-version":        {edit("app/Cargo.toml", "rust-version = '1.80'\n", ""), true, false},
		"inherited rust-version": {edit("Cargo.toml", "1.80", "1.81"), true, false},
		"inherited text":         {edit("Cargo.toml", "'text'", "'texts'"), true, false},
		"a variable of a crate":  {edit(".cargo/config.toml", "'info'", "'debug'"), false, false},
		"a feature":              {edit("app/Cargo.toml", "x = []", "x = []\ny = []"), false, false},
		"a dependency":           {edit("app/Cargo.toml", "../lib'", "../lib', features = []"), false, false},
		"version":                {edit("lib/Cargo.toml", "0.1.0", "0.1.1"), false, false},
		"profile":                {edit("Cargo.toml", "fat", "thin"), false, false},
		"Cargo.lock":             {edit("Cargo.lock", "4\n", "4\n\n"), false, false},
		"flags":                  {edit(".cargo/config.toml", "[env]", "rustflags = ['-Cx']\n[env]"), false, false},
		"a build script":         {map[string]string{"app/build.rs": "x"}, false, false},
		"a library":              {map[string]string{"app/src/lib.rs": "x"}, false, false},
		"a package":              {map[string]string{"app/Cargo.toml": files["app/Cargo.toml"] + "new = { path = '../new' }\n", "new/Cargo.toml": strings.Replace(files["lib/Cargo.toml"], "lib", "new", 1), "new/src/lib.rs": ""}, false, false},
		"a library behind links": {map[string]string{"lib/src@": "../moved", "lib/src/lib.rs": "-", "lib/src/bin/other.rs": "-", "moved/lib.rs": "x"}, false, false},
	} {
		changed := maps.Clone(files)
		for name, text := range c.change {
			if changed[name] = text; text == "-" {
				delete(changed, name)
			}
		}
		l, s, _ := of(changed)
		if (l == layer) != c.layer {
			t.Errorf("%s: the same layer %v, want %v", name, l == layer, c.layer)
		}
		if (s == structure) != c.structure {
			t.Errorf("%s: the same structure %v, want %v", name, s == structure, c.structure)
		}
	}
}

// Two projects with the same profile, flags and target have the same settings,
// so a layer of one can start with the library of the other.
func TestCompilerSettings(t *testing.T) {
	settings := func(files map[string]string) string {
		t.Helper()
		p, err := project.Open(write(t, files), project.Options{})
		if err != nil {
			t.Fatal(err)
		}
		b, err := CompilerSettings(p, func(name string) bool { return !CompilerVariable(name) })
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	files := func(config, profile, name string) map[string]string {
		return map[string]string{
			".cargo/config.toml": "[build]\ntarget = 'riscv32imc-unknown-none-elf'\n" + config,
			"Cargo.toml":         "[package]\nname = '" + name + "'\nversion = '0.1.0'\nedition = '2021'\n" + profile,
			"Cargo.lock":         "version = 4\n", "src/main.rs": name,
		}
	}
	const lto = "[profile.release]\nlto = 'fat'\n"
	want := settings(files("[env]\nSSID = 'a'\n", lto, "one"))
	for name, c := range map[string]struct {
		files map[string]string
		same  bool
	}{
		"another project":  {files("# x\n[env]\nSSID = 'b'\n", "# x\n"+lto, "two"), true},
		"no variables":     {files("", lto, "one"), true},
		"another profile":  {files("[env]\nSSID = 'a'\n", "[profile.release]\nlto = 'thin'\n", "one"), false},
		"flags":            {files("rustflags = ['-Cforce-frame-pointers']\n", lto, "one"), false},
		"compiler setting": {files("[env]\nRUSTC_LOG = 'x'\n", lto, "one"), false},
	} {
		if got := settings(c.files); (got == want) != c.same {
			t.Errorf("%s: %q and %q, want the same %v", name, got, want, c.same)
		}
	}
}
