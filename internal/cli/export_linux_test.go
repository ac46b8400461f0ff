package cli

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/internal/devtest/mini"
)

// TestExport: the exported script, without espalier, makes the ELF and the image
// that espalier makes, from the archive beside it and nothing else; a file that has
// changed is refused.
func TestExport(t *testing.T) {
	dir, env := miniProject(t)
	sh := devtest.Tool(t, "sh")
	devtest.Tool(t, "tar")
	devtest.Tool(t, "xz")
	devtest.Tool(t, "unshare")
	mini.Edit(t, dir, "macros/src/lib.rs", "42", "19")
	to := filepath.Join(t.TempDir(), "recipe")
	if out, err := espalier(t, env, "-C", dir, "export", "nix", to).CombinedOutput(); err != nil || !strings.Contains(string(out), "default.nix") {
		t.Fatalf("%v\n%s", err, out)
	}
	if out, err := espalier(t, env, "-C", dir, "build").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	made := filepath.Join(t.TempDir(), "made")
	cmd := exec.CommandContext(t.Context(), sh, filepath.Join(to, "build.sh"), made)
	cmd.Dir = t.TempDir()
	// The caller's settings of cargo do not count.
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + t.TempDir(), "HOME=/nonexistent", "RUSTFLAGS=--no-such-flag", "CARGO_BUILD_TARGET=none"}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build.sh: %v\n%s", err, out)
	}
	for _, name := range []string{"app.elf", "app.bin"} {
		want, err := os.ReadFile(filepath.Join(dir, "target", "espalier", name))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(filepath.Join(made, name)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: other bytes, or none: %v", name, err)
		}
	}

	archive := filepath.Join(to, "app.oci")
	b, err := os.ReadFile(archive)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(archive, b, 0o666); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(sh, filepath.Join(to, "build.sh"), "unpack", filepath.Join(t.TempDir(), "root")).CombinedOutput(); err == nil || !strings.Contains(string(out), "app.oci is damaged") {
		t.Errorf("a damaged archive: %v, %s", err, out)
	}

	if out, err := espalier(t, env, "-C", dir, "export", "script", filepath.Join(dir, "recipe")).CombinedOutput(); err == nil || !strings.Contains(string(out), "is in the project") {
		t.Errorf("a directory of the project: %v, %s", err, out)
	}

	// What a recipe cannot make is refused before anything is written.
	write(t, filepath.Join(dir, "espalier.toml"), "[build.env]\nTOKEN = { secret = true }\n")
	refused := filepath.Join(t.TempDir(), "refused")
	out, err := espalier(t, append(env, "TOKEN=x"), "-C", dir, "export", "script", refused).CombinedOutput()
	if code := err.(*exec.ExitError).ExitCode(); code != 2 || !strings.Contains(string(out), "not hermetic") {
		t.Errorf("a secret: exit %d, %s", code, out)
	}
	if _, err := os.Stat(refused); err == nil {
		t.Error("a secret: the directory is there")
	}
}
