package updating

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/project"
)

const manifest = `[package]
name = 'app'
version = '0.1.0'
edition = '2021'
[dependencies]
plain   = "1.2"   # comment
'quoted' = '~1.1'
table = { version = "0.5", features = ["ü"] }
renamed = { features = ["é", "1.0"], package = "real", version = '=1.0.0' }
dotted.version = "3"
git = { git = "https://example.invalid/x", rev = "abc" }
own = { path = "own", version = "0.1" }
[dependencies.below]
features = []
version = "0.19"
[target.'cfg(all())'.build-dependencies]
b = "2"
`

func projectOf(t *testing.T, files map[string]string) *project.Project {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	p, err := project.Open(dir, project.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestRequirements(t *testing.T) {
	p := projectOf(t, map[string]string{
		"Cargo.toml": manifest, "src/main.rs": "", "own/Cargo.toml": "[package]\nname = 'own'\nversion = '0.1.0'\n", "own/src/lib.rs": "",
	})
	list, err := requirements(p)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"plain": "Cargo.toml:6 asks for 1.2", "quoted": "Cargo.toml:7 asks for ~1.1", "table": "Cargo.toml:8 asks for 0.5",
		"real": "Cargo.toml:9 asks for =1.0.0", "dotted": "Cargo.toml:10 asks for 3", "git": "Cargo.toml:11 asks for rev abc",
		"below": "Cargo.toml:15 asks for 0.19", "b": "Cargo.toml:17 asks for 2",
	}
	for _, r := range list {
		if r.String() != want[r.Crate] {
			t.Errorf("%s: %q, want %q", r.Crate, r, want[r.Crate])
		}
		delete(want, r.Crate)
		if r.value == nil {
			continue
		}
		got, err := setString([]byte(manifest), r.value, "NEW")
		if err != nil {
			t.Error(r.Crate, err)
			continue
		}
		old, changed := strings.Split(manifest, "\n"), strings.Split(string(got), "\n")
		n := 0
		for i := range old {
			if old[i] != changed[i] {
				n++
				if changed[i] != strings.Replace(old[i], r.Req+old[i][strings.Index(old[i], r.Req)+len(r.Req):], "NEW"+old[i][strings.Index(old[i], r.Req)+len(r.Req):], 1) && r.Crate != "real" {
					t.Errorf("%s: %q became %q", r.Crate, old[i], changed[i])
				}
				if r.Crate == "real" && !strings.HasSuffix(changed[i], `["é", "1.0"], package = "real", version = 'NEW' }`) {
					t.Errorf("%q", changed[i])
				}
			}
		}
		if n != 1 {
			t.Errorf("%s: %d lines changed", r.Crate, n)
		}
	}
	if len(want) > 0 {
		t.Errorf("not found: %v", want)
	}
}

func TestInheritedRequirement(t *testing.T) {
	p := projectOf(t, map[string]string{
		"Cargo.toml":    "[workspace]\nmembers = ['a', 'b']\nresolver = '2'\n[workspace.dependencies]\nx = { version = \"1.0\" }\n",
		"a/Cargo.toml":  "[package]\nname = 'a'\nversion = '0.1.0'\nedition = '2021'\n[dependencies]\nx.workspace = true\n",
		"b/Cargo.toml":  "[package]\nname = 'b'\nversion = '0.1.0'\nedition = '2021'\n[dependencies]\nx = { workspace = true, features = ['y'] }\n",
		"a/src/main.rs": "", "b/src/main.rs": "",
	})
	list, err := requirements(p)
	if err != nil || len(list) != 1 || list[0].String() != "Cargo.toml:5 asks for 1.0" {
		t.Fatal(list, err)
	}
}
