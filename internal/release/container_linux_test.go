package main

import (
	"bytes"
	"crypto/sha256"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/internal/devtest/mini"
)

// TestContainerBuild runs the image as docs/container.md says: a build in it makes the same
// bytes as one outside, and where the runtime forbids the sandbox, exit status 7 names the
// options that allow it.
func TestContainerBuild(t *testing.T) {
	devtest.Long(t, "a toolchain, and espalier in a container")
	podman, store := devtest.Tool(t, "podman"), devtest.Store(t)
	dir := t.TempDir()
	program, p := filepath.Join(dir, "espalier"), platform{"linux", "amd64"}
	t.Chdir("../..")
	if err := build(".", program, p); err != nil {
		t.Fatal(err)
	}
	image := filepath.Join(dir, "image.tar")
	content, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	b, err := containerImage(map[string][]byte{"amd64": content}, nil, release{version: "1.2.3", commit: strings.Repeat("ab", 20), date: day})
	if err == nil {
		err = os.WriteFile(image, b, 0o666)
	}
	if err != nil {
		t.Fatal(err)
	}

	project := filepath.Join(dir, "project")
	mini.Write(t, project)
	run := func(want int, name string, args ...string) string {
		t.Helper()
		cmd := exec.Command(name, args...)
		cmd.Env = append(os.Environ(), "ESPALIER_STORE="+store)
		out, err := cmd.CombinedOutput()
		if code := cmd.ProcessState.ExitCode(); code != want {
			t.Fatalf("%s %q: %v, want exit status %d\n%s", filepath.Base(name), args, err, want, out)
		}
		return string(out)
	}
	run(0, program, "-C", project, "lock")
	// The date of all tests: another one is another dependency layer.
	lock := filepath.Join(project, "espalier.lock")
	text, err := os.ReadFile(lock)
	if err != nil {
		t.Fatal(err)
	}
	text = regexp.MustCompile(`(?m)^source-date-epoch = \d+$`).ReplaceAll(text, []byte("source-date-epoch = 1700000000"))
	if err := os.WriteFile(lock, text, 0o666); err != nil {
		t.Fatal(err)
	}
	elf := filepath.Join(project, "target", "espalier", "app.elf")
	sum := func() (s [32]byte) {
		b, err := os.ReadFile(elf)
		if err != nil {
			t.Fatal(err)
		}
		return sha256.Sum256(b)
	}
	run(0, program, "-C", project, "build", "--offline")
	outside := sum()
	if err := os.RemoveAll(filepath.Join(project, "target")); err != nil {
		t.Fatal(err)
	}

	// Storage that ends with the test.
	storage := []string{"--root", filepath.Join(dir, "root"), "--runroot", filepath.Join(dir, "run"), "--storage-driver", "vfs", "--runtime", devtest.Tool(t, "runc")}
	t.Cleanup(func() {
		if out, err := exec.Command(podman, append(storage, "system", "reset", "--force")...).CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	})
	run(0, podman, append(storage, "load", "--quiet", "-i", image)...)
	// An edit of this test run, so that the build is no result of the store.
	source := filepath.Join(project, "app", "src", "main.rs")
	code, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(source, append(bytes.Clone(code), "// in a container, "+dir+"\n"...), 0o666); err != nil {
		t.Fatal(err)
	}
	in := func(want int, options []string, args ...string) string {
		t.Helper()
		all := append(append(storage, "run", "--rm", "--network", "none", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000", "-v", project+":/work", "-v", store+":/cache/espalier"), options...)
		return run(want, podman, append(append(all, "espalier.dev/espalier:1.2.3"), args...)...)
	}
	out := in(7, nil, "build", "--offline")
	for _, want := range []string{"--security-opt seccomp=unconfined", "unmask=ALL"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	in(0, []string{"--security-opt", "seccomp=unconfined", "--security-opt", "unmask=ALL"}, "build", "--offline")
	if sum() != outside {
		t.Error("a build in the container makes other bytes")
	}
}
