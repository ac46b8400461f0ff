package build

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/store"
)

func tree(t *testing.T, st *store.Store, files map[string]string) *sources {
	t.Helper()
	d, err := st.MakeTree(t.Context(), func(b *store.TreeBuilder) error {
		s := b.Source("test")
		for _, name := range slices.Sorted(maps.Keys(files)) {
			text := files[name]
			var err error
			if to, link := strings.CutPrefix(text, "-> "); link {
				err = s.Symlink(name, to)
			} else {
				_, err = s.File(t.Context(), name, strings.HasPrefix(text, "#!"), strings.NewReader(text))
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	s, err := newSources(t.Context(), st, d)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The state of a name differs exactly if a process that uses the name can tell
// two trees apart.
func TestState(t *testing.T) {
	st, err := store.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	base := map[string]string{
		"a": "text", "dir/b": "text", "dir/sub/c": "text", "link": "-> a", "dirlink": "-> dir", "up": "-> dir/../a",
		"circle": "-> circle", "out": "-> /etc/passwd", "back": "-> /src/a", "dangling": "-> new",
	}
	before := tree(t, st, base)
	for _, c := range []struct {
		name    string
		changes map[string]string // "" removes
		differ  []string          // uses that see it: "r" reads, "l" looks
		same    []string
	}{
		{"content of the same size", map[string]string{"a": "tex2"},
			[]string{"r /src/a", "r /src/link", "r /src/up", "r /src/back", "r /src/dir/../a", "r /src//./a", "r /target/../src/a", "r /src/dirlink/../a"},
			[]string{"l /src/a", "l /src/link", "r /src/dir/b", "r /src", "r /src/dangling", "r /src/out"}},
		{"size", map[string]string{"a": "longer"}, []string{"r /src/a", "l /src/a", "l /src/link"}, []string{"l /src", "r /src", "r /src/dir"}},
		{"a bit", map[string]string{"a": "#!xt"}, []string{"r /src/a", "l /src/a"}, []string{"r /src"}},
		{"a new file", map[string]string{"new": "x"},
			[]string{"l /src/new", "r /src/new", "r /src", "r /src/.", "r /src/dir/..", "r /src/dangling", "l /src/dangling"},
			[]string{"r /src/a", "l /src", "r /src/dir", "l /src/other", "r /src/new2"}},
		{"a file less", map[string]string{"dir/b": ""}, []string{"r /src/dir", "r /src/dirlink", "l /src/dir/b", "l /src/dirlink/b"}, []string{"r /src", "l /src/dir", "r /src/dir/sub/c"}},
		{"a file becomes a directory", map[string]string{"a": "", "a/x": "x"}, []string{"l /src/a", "r /src", "l /src/a/x", "l /src/a/y"}, []string{"l /src/b"}},
		{"another link", map[string]string{"link": "-> dir/b"}, []string{"l /src/link", "r /src/link"}, []string{"r /src/a", "r /src/up"}},
		{"a link to a directory", map[string]string{"dirlink": "-> dir/sub"}, []string{"l /src/dirlink/b", "r /src/dirlink", "l /src/dirlink/c"}, []string{"r /src/dir"}},
		{"a link becomes a file", map[string]string{"link": "text"}, []string{"l /src/link", "r /src/link", "r /src"}, nil},
	} {
		files := maps.Clone(base)
		for name, text := range c.changes {
			if files[name] = text; text == "" {
				delete(files, name)
			}
		}
		after := tree(t, st, files)
		check := func(use string, want bool) {
			how, name, _ := strings.Cut(use, " ")
			a, b := before.state(name, how == "r"), after.state(name, how == "r")
			if (a != b) != want {
				t.Errorf("%s: %s: %q and %q, want different: %v", c.name, use, a, b, want)
			}
		}
		for _, use := range c.differ {
			check(use, true)
		}
		for _, use := range c.same {
			check(use, false)
		}
	}
	if got := before.state("/src/circle", true); !strings.HasSuffix(got, "circle") {
		t.Errorf("a link to itself: %q", got)
	}
}

var record = used{
	action:  store.DigestOf([]byte("action")),
	readmes: map[string]string{".": "README.md", "a \"b\"": "README"},
	files:   []usedFile{{true, "/src/a b", "file"}, {false, "/src/\n", "missing"}, {true, "", ""}},
}

func TestUsedRecord(t *testing.T) {
	text := record.encode()
	back, err := decodeUsed(text)
	if err != nil || !bytes.Equal(back.encode(), text) || len(back.files) != 3 || back.readmes["."] != "README.md" {
		t.Errorf("%v: %+v", err, back)
	}
	for _, bad := range []string{"", "action x\n", "read \"a\"\n", string(text) + "reads \"a\" \"b\"\n", string(text) + "read a b\n"} {
		if u, err := decodeUsed([]byte(bad)); err == nil {
			t.Errorf("%q: %+v", bad, u)
		}
	}
}

func FuzzUsedRecord(f *testing.F) {
	f.Add(record.encode())
	f.Add([]byte("action sha256:00/1\nlooked \"/src\" \"missing\"\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		u, err := decodeUsed(b)
		if err != nil {
			return
		}
		again, err := decodeUsed(u.encode())
		if err != nil || !bytes.Equal(again.encode(), u.encode()) {
			t.Errorf("%q: written again %q (%v)", b, u.encode(), err)
		}
	})
}

func TestOfLibrary(t *testing.T) {
	for name, want := range map[string]bool{
		"riscv32imc-unknown-none-elf/release/deps/libcore-0123456789abcdef.rlib":                  true,
		"riscv32imc-unknown-none-elf/release/deps/core-0123456789abcdef.d":                        true,
		"riscv32imc-unknown-none-elf/release/.fingerprint/alloc-0123456789abcdef/lib-alloc":       true,
		"riscv32imc-unknown-none-elf/release/build/compiler_builtins-0123456789abcdef/output":     true,
		"release/build/compiler_builtins-0123456789abcdef/build-script-build":                     true,
		"riscv32imc-unknown-none-elf/release/deps/libportable_atomic-0123456789abcdef.rlib":       false,
		"riscv32imc-unknown-none-elf/release/deps/libembedded_alloc-0123456789abcdef.rlib":        false,
		"riscv32imc-unknown-none-elf/release/.fingerprint/core-foo-0123456789abcdef/lib-core_foo": false,
		"release/build/x-0123456789abcdef/out/core-0123456789abcdef/core":                         false,
		".rustc_info.json": false, "release/.cargo-lock": false, "": false,
	} {
		if got := ofLibrary(name); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestEarlierRecord(t *testing.T) {
	a, b := store.DigestOf([]byte("a")), store.DigestOf([]byte("b"))
	for _, e := range []earlier{{a, b, store.Digest{}}, {a, b, a}} {
		if back, err := decodeEarlier(e.encode()); err != nil || back != e {
			t.Errorf("%+v: %v", back, err)
		}
	}
	for _, bad := range []string{"", "layer x\nvendor y\ngit none\n", "layer " + a.String() + "\n"} {
		if e, err := decodeEarlier(bad); err == nil {
			t.Errorf("%q: %+v", bad, e)
		}
	}
}

func TestMentioned(t *testing.T) {
	m := mentioned{}
	m.line([]byte(`{"reason":"compiler-artifact","filenames":["/target/x/release/deps/libcore-0123456789abcdef.rlib"]}`))
	m.line([]byte(`{"reason":"build-script-executed","out_dir":"/target/x/release/build/a-b-00000000000000aa/out"}`))
	m.line([]byte(`{"reason":"compiler-message","message":"-1111111111111111"}`))
	for hash, id := range map[string]string{
		"00000000000000b0": "path+file:///src#0.1.0", "00000000000000b1": "path+file:///src/log#0.1.0", "00000000000000b2": "log 0.1.0 (path+file:///src/log)",
		"00000000000000c0": "registry+https://index.invalid/a#log@0.4.1", "00000000000000c1": "log 0.4.1 (registry+https://index.invalid/a)",
		"00000000000000c2": "path+file:///usr/src/rustc-1.96/library/log#0.0.0", "00000000000000c3": "git+file:///src-of/log#0.4.0", "00000000000000c4": "path+file:///srcs/log#0.0.0",
	} {
		m.line(fmt.Appendf(nil, `{"reason":"compiler-artifact","package_id":%q,"manifest_path":"/src/x","filenames":["/target/release/deps/liblog-%s.rlib"]}`, id, hash))
		for _, unit := range []string{"log-" + hash, "liblog-" + hash} {
			if got, want := m.dependency(unit), hash[14] == 'c'; got != want {
				t.Errorf("%s: dependency %v", id, got)
			}
		}
	}
	if m.dependency("log") || m.dependency("log-00000000000000d0") {
		t.Error("a unit that cargo has not named is one of a dependency")
	}
	for name, want := range map[string]bool{
		"x/release/deps/libcore-0123456789abcdef.rmeta": true, "x/release/.fingerprint/core-0123456789abcdef/lib-core": true,
		"release/build/a-b-00000000000000aa/output": true, "release/build/": true, "release/.cargo-lock": true, ".rustc_info.json": true,
		"x/release/deps/libcore-1111111111111111.rlib": false, "x/release/.fingerprint/core-1111111111111111/": false,
		"release/build/a-b-00000000000000ab/output": false,
	} {
		if got := m.keep(name); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
