package store

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"espalier.dev/espalier/internal/fault"
)

func TestDamagedTree(t *testing.T) {
	for _, tc := range []struct {
		name   string
		damage func(t *testing.T, dir string)
		cheap  bool // the seal must detect it; otherwise only VerifyTree can
		intact bool // the content is unchanged: repaired in place
	}{
		{"written in place", func(t *testing.T, d string) { os.WriteFile(d+"/src/main.rs", []byte("fn main() {}"), 0o644) }, true, true},
		{"one byte", func(t *testing.T, d string) { os.WriteFile(d+"/src/main.rs", []byte("fn Main() {}"), 0o644) }, true, false},
		{"one byte, times restored", func(t *testing.T, d string) { flip(t, d+"/usr/lib/a.so", 3) }, true, false},
		{"replaced", func(t *testing.T, d string) {
			os.Remove(d + "/usr/lib/a.so")
			os.WriteFile(d+"/usr/lib/a.so", []byte("library A"), 0o644)
			setTime(d+"/usr/lib/a.so", treeTime)
			setTime(d+"/usr/lib", treeTime)
		}, true, false},
		{"removed", func(t *testing.T, d string) { os.Remove(d + "/usr/lib/a.so") }, true, false},
		{"added", func(t *testing.T, d string) { os.WriteFile(d+"/usr/lib/c.so", nil, 0o644) }, true, false},
		{"renamed", func(t *testing.T, d string) { os.Rename(d+"/usr/lib/a.so", d+"/usr/lib/c.so") }, true, false},
		{"link redirected", func(t *testing.T, d string) { os.Remove(d + "/lib"); os.Symlink("usr/lob", d+"/lib") }, true, false},
		{"mode", func(t *testing.T, d string) { os.Chmod(d+"/src/main.rs", 0o600) }, true, true},
		{"executable bit", func(t *testing.T, d string) { os.Chmod(d+"/src/main.rs", 0o755) }, true, false},
		{"time", func(t *testing.T, d string) { os.Chtimes(d+"/src/main.rs", time.Now(), time.Now()) }, true, true},
		{"a file instead of the folder", func(t *testing.T, d string) { os.RemoveAll(d); os.WriteFile(d, nil, 0o644) }, true, false},
		{"empty directory removed", func(t *testing.T, d string) { os.Remove(d + "/var/empty") }, true, false},
		{"a pipe instead of a file", func(t *testing.T, d string) { os.Remove(d + "/src/main.rs"); mkfifo(t, d+"/src/main.rs") }, true, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			root := build(t, open(t, dir), sample)
			tc.damage(t, filepath.Join(dir, treeDir, root.Hash))

			s := open(t, dir)
			path, err := s.TreePath(t.Context(), root)
			if tc.intact {
				if err != nil {
					t.Fatal(err)
				}
				wantFolder(t, path, sample, treeTime)
				return
			}
			if !errors.Is(err, ErrMissing) || fault.KindOf(err) != fault.Pins {
				t.Fatalf("TreePath = %s, %v", path, err)
			}
			if q := entries(t, s.path(quarantineDir)); len(q) != 1 {
				t.Errorf("quarantine holds %v", q)
			}
			if again := build(t, s, sample); again != root {
				t.Fatal("rebuild gave another tree")
			}
			path, err = s.TreePath(t.Context(), root)
			if err != nil {
				t.Fatal(err)
			}
			wantFolder(t, path, sample, treeTime)
		})
	}
}

// VerifyTree and Open must detect damage that the seal cannot.
func TestBitRotInATree(t *testing.T) {
	rot := func(t *testing.T, s *Store, root Digest) { // a seal that matches the damage, as after a fault of the disk
		flip(t, filepath.Join(s.treePath(root), "usr/lib/a.so"), 3)
		sl, err := record(s.treePath(root), root, bootID())
		if err != nil {
			t.Fatal(err)
		}
		if err := s.writeSeal(sl); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("VerifyTree", func(t *testing.T) {
		s := open(t, t.TempDir())
		root := build(t, s, sample)
		rot(t, s, root)
		if err := s.VerifyTree(t.Context(), root); !errors.Is(err, ErrCorrupt) {
			t.Errorf("VerifyTree: %v", err)
		}
		if _, err := s.TreePath(t.Context(), root); !errors.Is(err, ErrMissing) {
			t.Errorf("TreePath: %v", err)
		}
	})
	t.Run("Open", func(t *testing.T) {
		s := open(t, t.TempDir())
		root := build(t, s, sample)
		rot(t, s, root)
		e, err := s.Lookup(t.Context(), root, "usr/lib/a.so")
		if err != nil {
			t.Fatal(err)
		}
		r, err := s.Open(t.Context(), e)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(r); !errors.Is(err, ErrCorrupt) {
			t.Errorf("read: %v", err)
		}
		if s.HasTree(t.Context(), root) {
			t.Error("the tree is still served")
		}
	})
}

func TestSealOfAnEarlierBoot(t *testing.T) {
	if bootID() == "" {
		t.Skip("needs a system that names its boots")
	}
	dir := t.TempDir()
	s := open(t, dir)
	root := build(t, s, sample)
	reboot := func(damage bool) {
		if damage {
			flip(t, filepath.Join(s.treePath(root), "usr/lib/a.so"), 3)
		}
		sl, err := record(s.treePath(root), root, "11111111-2222-3333-4444-555555555555")
		if err != nil {
			t.Fatal(err)
		}
		if err := s.writeSeal(sl); err != nil {
			t.Fatal(err)
		}
	}
	reboot(false)
	if _, err := open(t, dir).TreePath(t.Context(), root); err != nil {
		t.Fatal(err)
	}
	sl, err := s.readSeal(root)
	if err != nil || sl.boot != "" {
		t.Errorf("after hashing the seal must be valid permanently: %+v, %v", sl, err)
	}
	reboot(true) // power was lost before the file was on the disk
	if _, err := open(t, dir).TreePath(t.Context(), root); !errors.Is(err, ErrMissing) {
		t.Errorf("err = %v", err)
	}
}

func TestUnsealedAndLostMessages(t *testing.T) {
	dir := t.TempDir()
	root := build(t, open(t, dir), sample)
	os.RemoveAll(filepath.Join(dir, sealDir, root.Hash)) // killed between rename and seal
	os.RemoveAll(filepath.Join(dir, blobDir))
	s := open(t, dir)
	if _, err := s.TreePath(t.Context(), root); err != nil {
		t.Fatal(err)
	}
	n := 0
	if err := s.Walk(t.Context(), root, func(Entry) error { n++; return nil }); err != nil || n != 19 {
		t.Errorf("Walk saw %d entries, %v", n, err)
	}
}

func TestSealRecord(t *testing.T) {
	s := open(t, t.TempDir())
	root := build(t, s, sample)
	b, err := os.ReadFile(s.path(sealDir, root.Hash))
	if err != nil {
		t.Fatal(err)
	}
	sl, err := decodeSeal(b)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(sl.encode(), b) {
		t.Error("decode, encode is not the identity")
	}
	for i := range b {
		c := bytes.Clone(b)
		c[i] ^= 4
		if _, err := decodeSeal(c); err == nil {
			t.Fatalf("a flipped bit at %d passes", i)
		}
	}
}
