package project

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"espalier.dev/espalier/internal/config"
	"espalier.dev/espalier/internal/devtest"
)

// unpack writes an archive of files into a fresh directory. A file whose
// content is "-> x" becomes a link to x.
func unpack(t testing.TB, archive string) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range txtar.Parse([]byte(archive)).Files {
		p := filepath.Join(dir, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(p), 0o777); err != nil {
			t.Fatal(err)
		}
		if to, ok := strings.CutPrefix(string(f.Data), "-> "); ok {
			if err := os.Symlink(strings.TrimSpace(to), p); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.WriteFile(p, f.Data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// run calls a peer program in dir, without the caller's cargo and git
// variables.
func run(t testing.TB, dir, prog string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.Command(prog, args...)
	cmd.Dir = dir
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "CARGO_") && !strings.HasPrefix(e, "GIT_") && !strings.HasPrefix(e, "RUST") || strings.HasPrefix(e, "CARGO_HOME=") || strings.HasPrefix(e, "RUSTUP_HOME=") {
			cmd.Env = append(cmd.Env, e)
		}
	}
	cmd.Env = append(cmd.Env, "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.invalid",
		"GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.invalid", "GIT_COMMITTER_DATE=1700000000 +0200", "GIT_AUTHOR_DATE=1700000000 +0200")
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return string(out) + errs.String(), err
	}
	return string(out), nil
}

// realCargo is cargo itself, not rustup's proxy, which would read the
// project's rust-toolchain.toml and look for updates.
func realCargo(t testing.TB) string {
	t.Helper()
	cargo, rustc := devtest.Tool(t, "cargo"), devtest.Tool(t, "rustc")
	root, err := run(t, t.TempDir(), rustc, "--print", "sysroot")
	if err != nil {
		t.Fatal(root)
	}
	bin := filepath.Join(strings.TrimSpace(root), "bin")
	if c := filepath.Join(bin, "cargo"); config.Exists(c) {
		if x, ok := t.(*testing.T); ok {
			x.Setenv("PATH", bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
		}
		return c
	}
	return cargo
}

func open(t testing.TB, dir string) *Project {
	t.Helper()
	p, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func paths(fs []File) []string {
	var out []string
	for _, f := range fs {
		out = append(out, f.Path)
	}
	return out
}
