package proof

import (
	"context"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/build"
	"espalier.dev/espalier/internal/store"
)

// trace makes the tree of a build's intermediate results.
func trace(t *testing.T, st *store.Store, files map[string]string) store.Digest {
	t.Helper()
	d, err := st.MakeTree(t.Context(), func(b *store.TreeBuilder) error {
		for name, text := range files {
			if _, err := b.Source("").File(t.Context(), name, false, strings.NewReader(text)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestOrigins(t *testing.T) {
	st, err := store.Open(context.Background(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	const triple = "riscv32imc-unknown-none-elf/release/"
	first := map[string]string{
		triple + "build/cfg-0123456789abcdef/out/generated.rs": "// made\npub const A: u8 = 1;\n",
		"release/build/hal-0123456789abcdef/out/sub/memory.x":  "same",
		triple + "deps/libcfg-0123456789abcdef.rlib":           "1",
		triple + "deps/libhal-0123456789abcdef.rlib":           "2",
		triple + "deps/libglue_code-0123456789abcdef.rmeta":    "3",
		"release/deps/libmacros-0123456789abcdef.so":           "4",
		triple + "deps/libapp-0123456789abcdef.rlib":           "5",
		triple + "deps/app-0123456789abcdef.d":                 "/target/app: app/src/main.rs\n\napp/src/main.rs:\n\n# env-dep:HOME=/home/espalier\n# env-dep:SSID=a\n",
	}
	list := []build.Compiled{
		{ID: "app", Name: "app", Version: "1.0.0", Units: []string{"app"}, Depends: []string{"cfg", "glue", "macros", "derive"}},
		{ID: "cfg", Name: "cfg", Version: "0.1.0", Units: []string{"cfg"}, Script: "/src/cfg/build.rs"},
		{ID: "glue", Name: "glue-code", Version: "2.0.0", Units: []string{"glue_code"}, Depends: []string{"hal"}},
		{ID: "hal", Name: "hal", Version: "3.0.0", Units: []string{"hal"}, Script: "/cargo/registry/src/v/hal-3.0.0/build.rs"},
		{ID: "macros", Name: "macros", Version: "0.2.0", Units: []string{"macros"}, Macro: "/src/macros/src/lib.rs"},
		{ID: "derive", Name: "derive", Version: "1.1.0", Units: []string{"derive"}, Macro: "/cargo/registry/src/v/derive-1.1.0/src/lib.rs"},
	}
	for name, c := range map[string]struct {
		change map[string]string
		want   []string
	}{
		"a build script": {map[string]string{
			triple + "build/cfg-0123456789abcdef/out/generated.rs": "// made\npub const A: u8 = 2;\n",
			triple + "deps/libcfg-0123456789abcdef.rlib":           "x", triple + "deps/libapp-0123456789abcdef.rlib": "x",
		}, []string{`the build script of cfg 0.1.0 (cfg/build.rs) wrote another generated.rs: "pub const A: u8 = 1;", then "pub const A: u8 = 2;"`}},
		"of a dependency": {map[string]string{
			"release/build/hal-0123456789abcdef/out/sub/memory.x": "other", triple + "deps/libhal-0123456789abcdef.rlib": "x", triple + "deps/libglue_code-0123456789abcdef.rmeta": "x",
		}, []string{`the build script of hal 3.0.0 (hal-3.0.0/build.rs) wrote another sub/memory.x: "same", then "other"`}},
		"a crate": {map[string]string{triple + "deps/libglue_code-0123456789abcdef.rmeta": "x", triple + "deps/libapp-0123456789abcdef.rlib": "x"},
			[]string{"the crate glue-code 2.0.0 was compiled to something else: include! of a file that is not the same, or the compiler itself"}},
		"the program": {nil, []string{"the crate app 1.0.0 was compiled to something else: one of the macros that it uses, in macros/src/lib.rs, derive-1.1.0/src/lib.rs"}},
		"env!": {map[string]string{triple + "deps/app-0123456789abcdef.d": "/target/app: app/src/main.rs\n\napp/src/main.rs:\n\n# env-dep:HOME=/tmp\n# env-dep:SSID=a\n"},
			[]string{"the crate app 1.0.0 was compiled to something else: env! of HOME; look at app/src/main.rs:2:17"}},
	} {
		t.Run(name, func(t *testing.T) {
			second := map[string]string{}
			for k, v := range first {
				second[k] = v
			}
			for k, v := range c.change {
				second[k] = v
			}
			got, err := Origins(t.Context(), st, trace(t, st, first), trace(t, st, second), list, "app")
			if err != nil {
				t.Fatal(err)
			}
			var lines []string
			for _, o := range got {
				err := o.Locate(nil, func(inside string) ([]byte, error) {
					if inside != "/src/app/src/main.rs" {
						return nil, fs.ErrNotExist
					}
					return []byte("// env!(\"HOME\") in a comment\nconst H: &str = env!(\"HOME\");\n"), nil
				})
				if err != nil {
					t.Fatal(err)
				}
				lines = append(lines, o.String())
			}
			if !slices.Equal(lines, c.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}

// Places are code that reads a condition; the conditions of several builds are joined.
func TestLocate(t *testing.T) {
	script := `use std::time::SystemTime; extern "C" {
    fn uname(to: *mut u8) -> i32;
// SystemTime::now() is not used
fn main() {
    let year = SystemTime::now();
    let user = std::env::var("USER");
    for e in std::fs::read_dir("assets") {}
}
`
	read := func(string) ([]byte, error) { return []byte(script), nil }
	var all []Origin
	for _, c := range []struct{ condition, want string }{
		{"file-order", "build.rs:7:23"}, {"clock", "build.rs:5:16"}, {"user-name", "build.rs:6:30"}, {"kernel", ""},
	} {
		o := Origin{Kind: "build script", Package: "a 1.0.0", File: "out", Conditions: []string{c.condition}, inside: []string{"/src/build.rs"}}
		if err := o.Locate([]string{c.condition}, read); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(o.Places, " "); got != c.want {
			t.Errorf("%s: %q, want %q", c.condition, got, c.want)
		}
		all = MergeOrigins(all, []Origin{o})
	}
	if len(all) != 1 || strings.Join(all[0].Places, " ") != "build.rs:5:16 build.rs:6:30 build.rs:7:23" || strings.Join(all[0].Conditions, " ") != "file-order clock user-name kernel" {
		t.Errorf("merged: %+v", all)
	}
	for _, c := range build.Conditions() {
		if readers[c.Name] == nil && c.Name != "place" && c.Name != "disk" { // code does not name these
			t.Errorf("no pattern for the condition %s", c.Name)
		}
	}
}
