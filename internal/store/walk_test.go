package store

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"testing"
)

func TestComposeAndWalk(t *testing.T) {
	s := open(t, t.TempDir())
	a := build(t, s, map[string]string{"x": "1", "sub/y*": "2"})
	b := build(t, s, map[string]string{"z": "3"})
	root, err := s.Compose(t.Context(), map[string]Digest{"rootfs": a, "cargo/registry": {b.Hash, -1}, "cargo/git": b})
	if err != nil {
		t.Fatal(err)
	}
	if same, err := s.Composed(t.Context(), map[string]Digest{"rootfs": a, "cargo/registry": b, "cargo/git": b}); err != nil || same != root {
		t.Errorf("Composed = %v, %v", same, err)
	}
	want := map[string]string{"rootfs/x": "1", "rootfs/sub/y*": "2", "cargo/registry/z": "3", "cargo/git/z": "3"}
	if flat := build(t, open(t, t.TempDir()), want); flat != root {
		t.Errorf("Compose = %v, one tree = %v", root, flat)
	}
	var paths []string
	got := map[string]string{}
	err = s.Walk(t.Context(), root, func(e Entry) error {
		paths = append(paths, e.Path)
		if e.Type != TypeFile {
			return nil
		}
		r, err := s.Open(t.Context(), e) // not a blob: found in the unpacked trees
		if err != nil {
			return err
		}
		defer r.Close()
		content, err := io.ReadAll(r)
		name := e.Path
		if e.Executable {
			name += "*"
		}
		got[name] = string(content)
		return err
	})
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("Walk: %v, %v", got, err)
	}
	if !slices.Equal(paths, []string{"", "cargo", "cargo/git", "cargo/git/z", "cargo/registry", "cargo/registry/z", "rootfs", "rootfs/sub", "rootfs/sub/y", "rootfs/x"}) {
		t.Errorf("order %q", paths)
	}
	// A composed tree has no directory until it is needed.
	path, err := s.TreePath(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	wantFolder(t, path, want, treeTime)

	for name, bad := range map[string]map[string]Digest{
		"inside":   {"a": a, "a/b": b},
		"absolute": {"/a": a},
		"parent":   {"../a": a},
		"no hash":  {"a": {}},
		"no size":  {"a": {DigestOf([]byte("?")).Hash, -1}},
	} {
		if _, err := s.Compose(t.Context(), bad); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := s.Lookup(t.Context(), root, "rootfs/sub/none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Lookup: %v", err)
	}
	if _, err := s.Lookup(t.Context(), root, "rootfs/x/none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Lookup below a file: %v", err)
	}
	if e, err := s.Lookup(t.Context(), root, "rootfs/sub/y"); err != nil || !e.Executable || e.Digest != DigestOf([]byte("2")) {
		t.Errorf("Lookup: %+v, %v", e, err)
	}
}

// A tree whose files are blobs (from a remote cache) is unpacked on demand.
func TestTreeFromBlobs(t *testing.T) {
	from, to := open(t, t.TempDir()), open(t, t.TempDir())
	root := build(t, from, sample)
	message, err := from.PutTreeMessage(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	b, err := from.ReadBlob(t.Context(), message, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	mustPut(t, to, b)
	got, err := to.OpenTreeMessage(t.Context(), message)
	if err != nil || got != root {
		t.Fatalf("OpenTreeMessage = %v, %v", got, err)
	}
	if _, err := to.TreePath(t.Context(), root); !errors.Is(err, ErrMissing) {
		t.Errorf("without files: %v", err)
	}
	if err := to.HasContent(t.Context(), root); !errors.Is(err, ErrMissing) {
		t.Errorf("HasContent: %v", err)
	}
	err = from.Walk(t.Context(), root, func(e Entry) error {
		if e.Type != TypeFile {
			return nil
		}
		r, err := from.Open(t.Context(), e)
		if err != nil {
			return err
		}
		defer r.Close()
		_, err = to.PutExpected(t.Context(), r, e.Digest)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := to.HasContent(t.Context(), root); err != nil {
		t.Error(err)
	}
	path, err := to.TreePath(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	wantFolder(t, path, sample, treeTime)
	// Damage is repaired automatically, because the blobs exist.
	os.WriteFile(path+"/src/main.rs", []byte("broken"), 0o644)
	path, err = open(t, to.Dir()).TreePath(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	wantFolder(t, path, sample, treeTime)
}

func TestDiff(t *testing.T) {
	s := open(t, t.TempDir())
	a := build(t, s, map[string]string{"same/x": "1", "d/changed": "1", "d/gone": "1", "mode": "1", "link@": "a", "was/file": "1"})
	b := build(t, s, map[string]string{"same/x": "1", "d/changed": "2", "d/new": "1", "mode*": "1", "link@": "b", "was": "1"})
	var got []string
	err := s.Diff(t.Context(), a, b, func(d Difference) error {
		mark := "~"
		if d.Old == nil {
			mark = "+"
		} else if d.New == nil {
			mark = "-"
		}
		got = append(got, mark+d.Path)
		return nil
	})
	want := []string{"~d/changed", "-d/gone", "+d/new", "~link", "~mode", "~was"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("Diff = %q, %v", got, err)
	}
	n := 0
	if err := s.Diff(t.Context(), a, b, func(Difference) error { n++; return fs.SkipAll }); err != nil || n != 1 {
		t.Errorf("SkipAll: %d, %v", n, err)
	}
}
