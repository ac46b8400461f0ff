package diff

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	elfview "espalier.dev/espalier/firmware"
	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/internal/elftest"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/size"
)

func sizes(b []byte) (*size.Report, error) {
	e, err := elfview.Open(bytes.NewReader(b), elfview.Options{})
	if err != nil {
		return nil, err
	}
	return size.Analyze(e, nil), nil
}

func file(name string, b []byte) File { return File{name, b, sizes} }

// TestDeltasAddUp: the deltas of the sections, and those of the owners in flash
// and RAM, are the differences of the totals.
func TestDeltasAddUp(t *testing.T) {
	grown := elftest.Hello()
	for i := range grown.Sections {
		if grown.Sections[i].Name == ".rodata" {
			grown.Sections[i].Data = append(bytes.Clone(grown.Sections[i].Data), make([]byte, 100)...)
		}
	}
	pairs := [][2][]byte{{elftest.Hello().Bytes(), grown.Bytes()}}
	if !testing.Short() {
		var real [2][]byte
		for i, name := range []string{"hello.elf", "http-client.elf"} {
			b, err := os.ReadFile(filepath.Join(devtest.Store(t), "firmware", name))
			if err != nil {
				devtest.Missing(t, "firmware/"+name+" in the test store (scripts/firmware)")
			}
			real[i] = b
		}
		pairs = append(pairs, real)
	}
	for _, p := range pairs {
		r, err := Files(file("a", p[0]), file("b", p[1]))
		if err != nil || r.Equal || r.Kind != "elf" {
			t.Fatal(r, err)
		}
		sum := map[string]int64{}
		total := map[string]int64{}
		for _, row := range r.Rows {
			if row.Delta == nil {
				continue
			}
			if row.Area == "total" {
				total[row.Name] = *row.Delta
			}
			sum[row.Area] += *row.Delta
		}
		if sum["flash"] != total["flash"] || sum["ram"] != total["ram"] || sum["flash"] == 0 {
			t.Errorf("owners differ by %d and %d, the totals by %d and %d", sum["flash"], sum["ram"], total["flash"], total["ram"])
		}
		back, err := Files(file("b", p[1]), file("a", p[0]))
		if err != nil || len(back.Rows) != len(r.Rows) {
			t.Errorf("%d differences, in the other order %d, %v", len(r.Rows), len(back.Rows), err)
		}
	}
}

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

func FuzzFiles(f *testing.F) {
	hello := elftest.Hello().Bytes()
	f.Add(hello, hello[:len(hello)-1])
	f.Add([]byte("{\"espalier-run\":1}\n{\"at\":1}\n"), []byte("{\"espalier-run\":1,\"x\":[1,{\"name\":\"a\"}]}\n{\"end\":1}\n"))
	f.Add([]byte("factory, app, factory, 0x10000, 1M\n"), []byte("factory, app, factory, 0x10000, 2M\n"))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		r, err := Files(file("a", a), file("b", b))
		if err == nil && r.Equal != bytes.Equal(a, b) {
			t.Error("equal is wrong")
		}
		r.Table(3)
	})
}
