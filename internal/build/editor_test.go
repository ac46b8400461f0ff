package build_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/build"
	"espalier.dev/espalier/internal/sandbox"
)

// TestEditor gives an editor what only a build has: the files that own build
// scripts make, and own macros, in a server that starts.
func TestEditor(t *testing.T) {
	b := newBench(t)
	b.lock(1700000002)
	p, server, err := b.runner().RustProject(t.Context(), b.plan())
	if err != nil {
		t.Fatal(err)
	}
	crates := map[string]build.ProjectCrate{}
	for _, c := range p.Crates {
		if c.Target != "" || c.Macro {
			crates[c.Name] = c
		}
	}
	out := crates["cfg"].Env["OUT_DIR"]
	if b, err := os.ReadFile(filepath.Join(out, "generated.rs")); err != nil || !strings.Contains(string(b), "generated") {
		t.Errorf("OUT_DIR %s: %v, %q", out, err, b)
	}
	if !slices.Contains(crates["cfg"].Source.Include, out) {
		t.Errorf("OUT_DIR is not among the sources %q", crates["cfg"].Source.Include)
	}
	if _, err := os.Stat(filepath.Join(p.SysrootSrc, "core", "src", "lib.rs")); err != nil {
		t.Error(err)
	}

	// The macro is where the server, in its sandbox, sees it.
	ask := func(digest string, args ...string) string {
		t.Helper()
		step, err := build.MacroServer(t.Context(), b.st, digest, args)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := os.Create(filepath.Join(t.TempDir(), "answer"))
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Close()
		null, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		defer null.Close()
		if code, err := (sandbox.Local{}).Shell(t.Context(), b.st, step, null, answer); err != nil || code != 0 {
			t.Fatalf("exit status %d, %v", code, err)
		}
		text, err := os.ReadFile(answer.Name())
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	version, _, _ := strings.Cut(b.pins.Toolchains[0].Rustc, " ")
	if got := ask(server.String(), "--version"); !strings.Contains(got, version) {
		t.Errorf("the server says %q, the compiler is %s", got, version)
	}
	step, err := build.MacroServer(t.Context(), b.st, server.String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	dylib, found := strings.TrimPrefix(crates["macros"].Dylib, "/target/"), false
	for _, in := range step.Inputs {
		if _, err := b.st.Lookup(t.Context(), in.Tree, dylib); err == nil && (in.Path == "target" || in.Path == "units") {
			found = true
		}
	}
	if !found || !strings.HasSuffix(dylib, ".so") {
		t.Errorf("the server has no %q", crates["macros"].Dylib)
	}
	if _, err := build.MacroServer(t.Context(), b.st, b.build().Steps[0].Result.Digest.String(), nil); err == nil {
		t.Error("any step is a macro server")
	}

	dir := t.TempDir()
	if err := build.WriteSysroot(dir, "/usr/bin/it's", "/st ore", server); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "libexec", "rust-analyzer-proc-macro-srv"))
	if want := `ESPALIER_STORE='/st ore' exec '/usr/bin/it'\''s' macro-server ` + server.String() + ` -- "$@"`; err != nil || !strings.Contains(string(text), want) {
		t.Errorf("%v, %s", err, text)
	}

	// With an error in own code the rest is there, without what it makes.
	main := filepath.Join(b.dir, "app", "src", "main.rs")
	if err := os.WriteFile(main, []byte("not Rust"), 0o666); err != nil {
		t.Fatal(err)
	}
	broken, server, err := b.runner().RustProject(t.Context(), b.plan())
	if err != nil || len(broken.Crates) != len(p.Crates) || server.IsZero() {
		t.Errorf("%v, %d crates", err, len(broken.Crates))
	}
	if _, err := json.Marshal(broken); err != nil {
		t.Error(err)
	}
}
