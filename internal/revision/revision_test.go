package revision

import (
	"bytes"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/internal/fault"
)

// TestCheckout compares with git's own checkout.
func TestCheckout(t *testing.T) {
	git := devtest.Tool(t, "git")
	repo := t.TempDir()
	run := func(args ...string) {
		t.Helper()
		cmd := exec.Command(git, append([]string{"-C", repo, "-c", "user.name=t", "-c", "user.email=t@example.invalid"}, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	write := func(name, text string, mode os.FileMode) {
		t.Helper()
		path := filepath.Join(repo, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	run("init", "-q")
	write("fw/src/main.rs", "first", 0o666)
	write("fw/run.sh", "#!/bin/sh\n", 0o777)
	if err := os.Symlink("src/main.rs", filepath.Join(repo, "fw/link")); err != nil {
		t.Fatal(err)
	}
	run("add", "-A")
	run("commit", "-q", "-m", "first")
	run("tag", "v1")
	write("fw/src/main.rs", "second", 0o666)
	run("commit", "-q", "-a", "-m", "second")
	write("fw/src/main.rs", "third", 0o666)
	for rev, want := range map[string]string{"v1": "first", "HEAD~1": "first", "HEAD": "second"} {
		into := t.TempDir()
		dir, err := Checkout(filepath.Join(repo, "fw", "src"), rev, into)
		if err != nil {
			t.Fatal(err)
		}
		if dir != filepath.Join(into, "fw", "src") {
			t.Errorf("the project is at %s", dir)
		}
		if b, err := os.ReadFile(filepath.Join(dir, "main.rs")); err != nil || string(b) != want {
			t.Errorf("%s: %q, %v", rev, b, err)
		}
		if st, err := os.Stat(filepath.Join(into, "fw/run.sh")); err != nil || st.Mode()&0o100 == 0 {
			t.Errorf("run.sh: %v, %v", st, err)
		}
		if to, err := os.Readlink(filepath.Join(into, "fw/link")); err != nil || to != "src/main.rs" {
			t.Errorf("link: %s, %v", to, err)
		}
	}
	if b, _ := os.ReadFile(filepath.Join(repo, "fw/src/main.rs")); string(b) != "third" {
		t.Errorf("the work tree was changed: %q", b)
	}
	if _, err := Checkout(repo, "absent", t.TempDir()); fault.KindOf(err) != fault.Usage {
		t.Error(err)
	}
}

// A tree in which a link and a directory have one name, which git itself refuses
// to write, does not lead out of the directory.
func TestCheckoutStaysInside(t *testing.T) {
	git := devtest.Tool(t, "git")
	repo, outside := t.TempDir(), t.TempDir()
	run := func(stdin []byte, args ...string) string {
		t.Helper()
		cmd := exec.Command(git, append([]string{"-C", repo, "-c", "user.name=t", "-c", "user.email=t@example.invalid"}, args...)...)
		cmd.Stdin = bytes.NewReader(stdin)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("git %v: %v", args, err)
		}
		return strings.TrimSpace(string(out))
	}
	run(nil, "init", "-q")
	id := func(hash string) string {
		b, err := hex.DecodeString(hash)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	object := func(kind, text string) string {
		return run([]byte(text), "hash-object", "-w", "-t", kind, "--stdin", "--literally")
	}
	link, file := object("blob", outside), object("blob", "escaped")
	below := object("tree", "100644 file\x00"+id(file))
	top := object("tree", "120000 a\x00"+id(link)+"40000 a\x00"+id(below))
	commit := run(nil, "commit-tree", "-m", "hostile", top)
	run(nil, "update-ref", "HEAD", commit)
	_, err := Checkout(repo, "HEAD", t.TempDir())
	if fault.KindOf(err) != fault.Usage {
		t.Errorf("error %v", err)
	}
	if names, err := os.ReadDir(outside); err != nil || len(names) > 0 {
		t.Errorf("written outside: %v, %v", names, err)
	}
}
