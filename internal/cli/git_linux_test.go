package cli

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/internal/devtest/mini"
)

// A git crate that depends on git crates of its own, one of them inherited from
// its workspace and renamed, is locked although there is no Cargo.lock yet.
func TestGitCratesOfGitCrates(t *testing.T) {
	dir, env := miniProject(t)
	git := devtest.Tool(t, "git")
	repos := t.TempDir()
	commit := func(name string, files map[string]string) string {
		t.Helper()
		at := filepath.Join(repos, name)
		for f, text := range files {
			if err := os.MkdirAll(filepath.Join(at, filepath.Dir(f)), 0o777); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(at, f), []byte(strings.ReplaceAll(text, "REPOS", "file://"+repos)), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		out := ""
		for _, args := range [][]string{{"init", "-q", "-b", "main"}, {"add", "-A"},
			{"-c", "user.name=a", "-c", "user.email=a@example.invalid", "commit", "-q", "-m", "x"}, {"rev-parse", "HEAD"}} {
			cmd := exec.Command(git, args...)
			cmd.Dir = at
			b, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("git %q: %v\n%s", args, err, b)
			}
			out = string(b)
		}
		return strings.TrimSpace(out)
	}
	manifest := func(name, rest string) string {
		return fmt.Sprintf("[package]\nname = %q\nversion = \"0.1.0\"\nedition = \"2021\"\n%s", name, rest)
	}
	const lib = "#![no_std]\n"
	deepest := commit("deepest", map[string]string{"Cargo.toml": manifest("deepest", ""), "src/lib.rs": lib})
	deeper := commit("deeper", map[string]string{
		"Cargo.toml":          "[workspace]\nmembers = [\"crates/*\"]\n[workspace.dependencies]\nbelow = { package = \"deepest\", git = \"REPOS/deepest\", branch = \"main\" }\n",
		"crates/a/Cargo.toml": manifest("a", "[dependencies]\nb = { path = \"../b\" }\n"), "crates/a/src/lib.rs": lib,
		"crates/b/Cargo.toml": manifest("b", "[dependencies]\nbelow.workspace = true\n"), "crates/b/src/lib.rs": lib,
		"crates/c/Cargo.toml": manifest("c", "[dependencies]\nnobody = { git = \"REPOS/not-there\" }\n"), "crates/c/src/lib.rs": lib,
	})
	outer := commit("outer", map[string]string{
		"Cargo.toml": manifest("outer", "[dependencies]\nunused = { git = \"REPOS/not-there-either\", optional = true }\n[target.'cfg(target_arch = \"riscv32\")'.dependencies]\na = { git = \"REPOS/deeper\" }\n"),
		"src/lib.rs": lib,
	})
	mini.Edit(t, dir, "cfg/Cargo.toml", "cfg-if = \"1\"\n", "cfg-if = \"1\"\nouter = { git = \"file://"+repos+"/outer\" }\n")
	for _, f := range []string{"Cargo.lock", "espalier.lock"} {
		if err := os.Remove(filepath.Join(dir, f)); err != nil {
			t.Fatal(err)
		}
	}
	// The transport of file: addresses is a program of git's.
	env = append(env, "PATH="+os.Getenv("PATH"))
	for _, v := range []string{"http_proxy", "https_proxy", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR"} {
		if s, ok := os.LookupEnv(v); ok {
			env = append(env, v+"="+s)
		}
	}
	out, err := espalier(t, env, "-C", dir, "lock").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	text, err := os.ReadFile(filepath.Join(dir, "Cargo.lock"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"name = \"outer\"\nversion = \"0.1.0\"\nsource = \"git+file://" + repos + "/outer#" + outer,
		"name = \"a\"\nversion = \"0.1.0\"\nsource = \"git+file://" + repos + "/deeper#" + deeper,
		"name = \"b\"\nversion = \"0.1.0\"\nsource = \"git+file://" + repos + "/deeper#" + deeper,
		"name = \"deepest\"\nversion = \"0.1.0\"\nsource = \"git+file://" + repos + "/deepest?branch=main#" + deepest,
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("Cargo.lock has no %q:\n%s", want, text)
		}
	}
	if strings.Contains(string(text), "name = \"c\"") {
		t.Errorf("a package that nobody uses is locked:\n%s", text)
	}
	if !strings.Contains(string(out), "unused, which outer can use, is left out: git file://"+repos+"/not-there-either") {
		t.Errorf("nothing is said about an optional crate whose repository is gone:\n%s", out)
	}
	pins, err := os.ReadFile(filepath.Join(dir, "espalier.lock"))
	if err != nil || strings.Count(string(pins), "[[git]]") != 3 {
		t.Errorf("%v\n%s", err, pins)
	}
}
