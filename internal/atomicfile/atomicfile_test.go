package atomicfile

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"
)

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	if err := Write(path, []byte("one"), 0o600); err != nil {
		t.Fatal(err)
	}
	check(t, path, "one", 0o600)
	if err := Write(path, []byte("two"), 0o644); err != nil {
		t.Fatal(err)
	}
	check(t, path, "two", 0o600) // an existing file keeps its permissions
	only(t, dir, "file")
}

func TestLinkStaysLink(t *testing.T) {
	dir := t.TempDir()
	real, link := filepath.Join(dir, "real"), filepath.Join(dir, "link")
	if err := os.WriteFile(real, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real", link); err != nil {
		t.Skip("no symbolic links here: ", err)
	}
	if err := Write(link, []byte("new"), 0o644); err != nil {
		t.Fatal(err)
	}
	check(t, real, "new", 0o644)
	if to, err := os.Readlink(link); err != nil || to != "real" {
		t.Errorf("the link is %q, %v", to, err)
	}
}

// A failed write leaves the old content and no temporary file.
func TestFailure(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	if err := Write(path, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := Create(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("half"); err != nil {
		t.Fatal(err)
	}
	f.Discard()
	f.Discard()
	check(t, path, "old", 0o644)

	f, err = Create(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Commit(filepath.Join(dir, "missing", "file"), 0o644); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("committing into a folder that does not exist: %v", err)
	}
	only(t, dir, "file")

	if err := Write(dir, []byte("x"), 0o644); err == nil {
		t.Error("a directory was replaced")
	}
	if err := Write(filepath.Join(path, "below"), []byte("x"), 0o644); err == nil {
		t.Error("a file below a file was written")
	}
	check(t, path, "old", 0o644)
}

// The file of a killed writer is removed, that of a running one is kept.
func TestAbandoned(t *testing.T) {
	dir := t.TempDir()
	for name, age := range map[string]time.Duration{Prefix + "dead": 2 * time.Hour, Prefix + "alive": time.Minute, ".espalier": 2 * time.Hour} {
		path, at := filepath.Join(dir, name), time.Now().Add(-age)
		if err := errors.Join(os.WriteFile(path, nil, 0o644), os.Chtimes(path, at, at)); err != nil {
			t.Fatal(err)
		}
	}
	if err := Write(filepath.Join(dir, "file"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	only(t, dir, ".espalier", Prefix+"alive", "file")
}

// A device is written to and not replaced by a file.
func TestDevice(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("no /dev/full: ", err)
	}
	if err := Write("/dev/null", []byte("x"), 0o644); err != nil {
		t.Error(err)
	}
	if err := Write("/dev/full", []byte("x"), 0o644); err == nil {
		t.Error("writing to a full device succeeded")
	}
	if st, err := os.Stat("/dev/full"); err != nil || st.Mode().IsRegular() {
		t.Errorf("/dev/full is %v, %v", st.Mode(), err)
	}
}

func TestWriteChanged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := WriteChanged(path, []byte("same"), 0o644); err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := WriteChanged(path, []byte("same"), 0o644); err != nil {
		t.Fatal(err)
	}
	if after, err := os.Stat(path); err != nil || !os.SameFile(before, after) {
		t.Errorf("an unchanged file was replaced: %v", err)
	}
	if err := WriteChanged(path, []byte("diff"), 0o644); err != nil {
		t.Fatal(err)
	}
	check(t, path, "diff", 0o644)
}

// A reader sees one of the written contents, never a mixture.
func TestReaders(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	contents := [][]byte{bytes.Repeat([]byte("a"), 1<<16), bytes.Repeat([]byte("b"), 1<<17)}
	if err := Write(path, contents[0], 0o644); err != nil {
		t.Fatal(err)
	}
	var writers sync.WaitGroup
	for _, c := range contents {
		writers.Go(func() {
			for range 20 {
				if err := Write(path, c, 0o644); err != nil && runtime.GOOS != "windows" {
					t.Error(err)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { writers.Wait(); close(done) }()
	for {
		b, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(b, contents[0]) && !bytes.Equal(b, contents[1]) {
			t.Fatalf("%d bytes, %v", len(b), err)
		}
		select {
		case <-done:
			return
		default:
		}
	}
}

func check(t *testing.T, path, want string, perm fs.FileMode) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil || string(b) != want {
		t.Errorf("%s has %q, %v; want %q", filepath.Base(path), b, err, want)
	}
	if st, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && st.Mode().Perm() != perm {
		t.Errorf("%s has permissions %v, %v; want %v", filepath.Base(path), st.Mode(), err, perm)
	}
}

func only(t *testing.T, dir string, names ...string) {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var have []string
	for _, e := range list {
		have = append(have, e.Name())
	}
	slices.Sort(names)
	if !slices.Equal(have, names) {
		t.Errorf("the folder holds %v, want %v", have, names)
	}
}
