package source

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/store"
)

// write makes a project: "name@" is a symbolic link.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		p := filepath.Join(dir, strings.TrimSuffix(name, "@"))
		if err := os.MkdirAll(filepath.Dir(p), 0o777); err != nil {
			t.Fatal(err)
		}
		var err error
		if strings.HasSuffix(name, "@") {
			err = os.Symlink(text, p)
		} else {
			err = os.WriteFile(p, []byte(text), 0o666)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func stubFiles(t *testing.T, dir string) (store.Digest, map[string]string) {
	t.Helper()
	st, err := store.Open(context.Background(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	p, err := project.Open(dir, project.Options{Package: "app"})
	if err != nil {
		t.Fatal(err)
	}
	tree, err := Stubs(t.Context(), st, p, nil)
	if err != nil {
		t.Fatal(err)
	}
	root, err := st.TreePath(t.Context(), tree)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	err = filepath.WalkDir(root, func(name string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(root, name)
		if d.Type()&os.ModeSymlink != 0 {
			target, err := os.Readlink(name)
			got[rel+"@"] = target
			return err
		}
		b, err := os.ReadFile(name)
		got[rel] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return tree, got
}

func TestStubs(t *testing.T) {
	files := map[string]string{
		"Cargo.toml":               "[workspace]\nmembers = ['app', 'lib', 'macros']\nresolver = '2'\n[patch.crates-io]\nheapless = { path = 'patched' }\n",
		"Cargo.lock":               "version = 4\n",
		".cargo/config.toml":       "[build]\ntarget = 'riscv32imc-unknown-none-elf'\n",
		"app/Cargo.toml":           "[package]\nname = 'app'\nversion = '0.1.0'\nedition = '2021'\n[[bin]]\nname = 'second'\npath = 'src/two.rs'\n[[bin]]\nname = 'app'\npath = 'src/main.rs'\n[dependencies]\nlib = { path = '../lib' }\n",
		"app/build.rs":             "fn main() { secret() }",
		"app/src/main.rs":          "secret",
		"app/src/two.rs@":          "../../shared.rs",
		"app/src/module.rs":        "secret",
		"app/examples/ex.rs":       "secret",
		"app/tests/t.rs":           "secret",
		"app/asset.bin":            "secret",
		"app/README.md":            "secret",
		"shared.rs":                "secret",
		"lib/Cargo.toml":           "[package]\nname = 'lib'\nversion = '0.1.0'\nedition = '2021'\n",
		"lib/src/lib.rs":           "secret",
		"macros/Cargo.toml":        "[package]\nname = 'macros'\nversion = '0.1.0'\nedition = '2021'\n[lib]\nproc-macro = true\n",
		"macros/src/lib.rs":        "secret",
		"patched/Cargo.toml":       "[package]\nname = 'heapless'\nversion = '0.9.0'\nedition = '2021'\n[dependencies]\nbelow = { path = 'below' }\n",
		"patched/src/lib.rs":       "pub fn real() {}",
		"patched/src/x.rs":         "// real",
		"patched/build.rs":         "fn main() { real() }",
		"patched/below/Cargo.toml": "[package]\nname = 'below'\nversion = '0.1.0'\nedition = '2021'\n",
		"patched/below/src/lib.rs": "// real",
	}
	dir := write(t, files)
	tree, got := stubFiles(t, dir)
	for name, text := range got {
		if strings.Contains(text, "secret") {
			t.Errorf("%s is the user's own: %q", name, text)
		}
	}
	for name, want := range map[string]string{
		"app/src/main.rs": stubBin, "app/src/two.rs": stubBin, "app/examples/ex.rs": stubBin, "app/build.rs": stubScript,
		"lib/src/lib.rs": stubLib, "macros/src/lib.rs": stubMacro,
		"Cargo.toml": files["Cargo.toml"], "Cargo.lock": files["Cargo.lock"], ".cargo/config.toml": files[".cargo/config.toml"], "lib/Cargo.toml": files["lib/Cargo.toml"],
		// What a dependency may depend on is as it is.
		"patched/src/lib.rs": "pub fn real() {}", "patched/src/x.rs": "// real", "patched/build.rs": "fn main() { real() }", "patched/below/src/lib.rs": "// real",
	} {
		if got[name] != want {
			t.Errorf("%s: %q, want %q", name, got[name], want)
		}
	}
	for _, name := range []string{"app/src/module.rs", "app/asset.bin", "app/README.md"} {
		if _, there := got[name]; there {
			t.Errorf("%s is there", name)
		}
	}

	for name, c := range map[string]struct {
		file, text string
		same       bool
	}{
		"own code":       {"app/src/main.rs", "other", true},
		"own module":     {"app/src/module.rs", "other", true},
		"own script":     {"app/build.rs", "fn main() {}", true},
		"new file":       {"app/src/new.rs", "other", true},
		"new binary":     {"app/src/bin/third.rs", "other", false}, // a target more
		"manifest":       {"lib/Cargo.toml", files["lib/Cargo.toml"] + "[features]\nx = []\n", false},
		"lock":           {"Cargo.lock", "version = 4\n\n", false},
		"configuration":  {".cargo/config.toml", files[".cargo/config.toml"] + "\n", false},
		"patched source": {"patched/src/x.rs", "// changed", false},
	} {
		changed := map[string]string{}
		for k, v := range files {
			changed[k] = v
		}
		changed[c.file] = c.text
		if other, _ := stubFiles(t, write(t, changed)); (other == tree) != c.same {
			t.Errorf("%s: the same layer %v, want %v", name, other == tree, c.same)
		}
	}
}

// Crate roots that are reached through symbolic links to directories are stubs, too: a member
// that is a link, a src directory that is one, and a path dependency through a
// linked directory (rust-lang/cargo#13773).
func TestStubsBehindLinks(t *testing.T) {
	manifest := func(name, more string) string {
		return "[package]\nname = '" + name + "'\nversion = '0.1.0'\nedition = '2021'\n" + more
	}
	dir := write(t, map[string]string{
		"Cargo.toml":                 "[workspace]\nmembers = ['app', 'src-link']\nresolver = '2'\n",
		"app@":                       "real/app",
		"real/app/Cargo.toml":        manifest("app", "[dependencies]\nbelow = { path = 'linked/below' }\n"),
		"real/app/src/main.rs":       "secret",
		"real/app/build.rs":          "secret",
		"real/app/linked@":           "../libs",
		"real/libs/below/Cargo.toml": manifest("below", ""),
		"real/libs/below/src/lib.rs": "secret",
		"src-link/Cargo.toml":        manifest("other", ""),
		"src-link/src@":              "../common/src",
		"common/src/main.rs":         "secret",
		"common/src/module.rs":       "secret",
	})
	_, got := stubFiles(t, dir)
	for name, want := range map[string]string{
		"real/app/src/main.rs": stubBin, "real/app/build.rs": stubScript, "common/src/main.rs": stubBin, "real/libs/below/src/lib.rs": stubLib,
		"app@": "real/app", "src-link/src@": "../common/src", "real/app/linked@": "../libs",
	} {
		if got[name] != want {
			t.Errorf("%s: %q, want %q", name, got[name], want)
		}
	}
	for name, text := range got {
		if strings.Contains(text, "secret") {
			t.Errorf("%s is the user's own: %q", name, text)
		}
	}
}
