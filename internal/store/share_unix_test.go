//go:build unix

package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"
)

// sharing makes trees with a small and a large file in common, and one of
// their own.
func sharing(t testing.TB, s *Store, name string) Digest {
	t.Helper()
	b, err := s.NewTree()
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	src := b.Source(name)
	for path, text := range map[string]string{
		"small": "equal", "dir/large": strings.Repeat("equal", 100_000), "own": name, "empty": "",
	} {
		if _, err := src.File(t.Context(), path, path == "dir/large", strings.NewReader(text)); err != nil {
			t.Fatal(err)
		}
	}
	root, err := b.Commit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func TestEqualFilesAreOneFile(t *testing.T) {
	s := open(t, t.TempDir())
	a, b := sharing(t, s, "a"), sharing(t, s, "b")
	for path, want := range map[string]bool{"small": true, "dir/large": true, "own": false, "empty": false} {
		x, err1 := os.Lstat(s.path(treeDir, a.Hash, path))
		y, err2 := os.Lstat(s.path(treeDir, b.Hash, path))
		if err1 != nil || err2 != nil || os.SameFile(x, y) != want {
			t.Errorf("%s: one file: %v, want %v (%v, %v)", path, !want, want, err1, err2)
		}
	}
	// A second process finds that links were added to files of a, and hashes
	// only these, once.
	for range 2 {
		again := open(t, s.Dir())
		for _, root := range []Digest{a, b} {
			if !again.Confirm(root) {
				t.Errorf("tree %s does not match its seal", root)
			}
			sl, err := again.readSeal(root)
			if err != nil {
				t.Fatal(err)
			}
			if differ, ok := sl.compare(again.treePath(root)); !ok || len(differ) > 0 {
				t.Errorf("after it was confirmed, tree %s differs from its seal in %d files, %v", root, len(differ), ok)
			}
		}
	}
	dir := filepath.Join(t.TempDir(), "copy")
	if err := s.Materialise(t.Context(), a, dir, MaterialiseOptions{}); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(filepath.Join(dir, "dir/large")); err != nil || linkCount(info) != 1 {
		t.Errorf("a writable copy shares its files: %v", err)
	}
}

// A byte that is changed through one tree is found in every tree that shares
// the file, however it was changed, and all of them can be made again.
func TestDamageOfASharedFile(t *testing.T) {
	write := func(t *testing.T, path string) { flip(t, path, 3) }
	hidden := func(t *testing.T, path string) { // as a careful program would
		write(t, path)
		if err := setTime(path, treeTime); err != nil {
			t.Fatal(err)
		}
	}
	for name, tc := range map[string]struct {
		file   string
		damage func(*testing.T, string)
		found  func(t *testing.T, s *Store, root Digest) error
	}{
		"written":               {"dir/large", write, nil},
		"written, time reset":   {"dir/large", hidden, nil},
		"small, time reset":     {"small", hidden, nil},
		"found in another tree": {"dir/large", hidden, func(t *testing.T, s *Store, root Digest) error { return s.VerifyTree(t.Context(), root) }},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, t.TempDir())
			a, b := sharing(t, s, "a"), sharing(t, s, "b")
			tc.damage(t, s.path(treeDir, a.Hash, tc.file))
			other := open(t, s.Dir())
			if tc.found != nil {
				if err := tc.found(t, other, b); !errors.Is(err, ErrCorrupt) {
					t.Errorf("the other tree: %v", err)
				}
			}
			for _, root := range []Digest{b, a} {
				if _, err := other.TreePath(t.Context(), root); !errors.Is(err, ErrMissing) {
					t.Errorf("TreePath of a damaged tree: %v", err)
				}
			}
			if sharing(t, other, "a") != a || sharing(t, other, "b") != b {
				t.Fatal("another tree came out")
			}
			last := open(t, s.Dir())
			for _, root := range []Digest{a, b} {
				if err := last.VerifyTree(t.Context(), root); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// A seal does not notice a bit that flips on the disk. Adding a tree that has
// the file finds it, does not spread it, and makes the others be hashed.
func TestDamagedSharedFileIsNotLinked(t *testing.T) {
	s := open(t, t.TempDir())
	a := sharing(t, s, "a")
	path := s.path(treeDir, a.Hash, "dir/large")
	flip(t, path, 3)
	if err := setTime(path, treeTime); err != nil {
		t.Fatal(err)
	}
	sl, err := record(s.treePath(a), a, bootID()) // the seal of before the flip, as a disk would leave it
	if err == nil {
		err = s.writeSeal(sl)
	}
	if err != nil {
		t.Fatal(err)
	}
	second := open(t, s.Dir())
	if !second.Confirm(a) {
		t.Fatal("the damage shows in the seal: the test is wrong")
	}
	b := sharing(t, second, "b")
	if err := second.VerifyTree(t.Context(), b); err != nil {
		t.Errorf("the new tree: %v", err)
	}
	if second.Confirm(a) {
		t.Error("the damaged tree is still trusted")
	}
}

// Trees are added and removed while others check the trees that share files
// with them.
func TestSharingConcurrently(t *testing.T) {
	dir := t.TempDir()
	first := open(t, dir)
	a := sharing(t, first, "a")
	var work errgroup.Group
	for p := range 3 {
		s := open(t, dir)
		work.Go(func() error {
			for i := range 20 {
				root := sharing(t, s, fmt.Sprint(p, i))
				if err := s.VerifyTree(t.Context(), root); err != nil {
					return err
				}
			}
			return nil
		})
	}
	work.Go(func() error {
		s := open(t, dir)
		for range 60 {
			s.state(a).good.Store(false)
			if _, err := s.TreePath(t.Context(), a); err != nil {
				return err
			}
			if err := s.VerifyTree(t.Context(), a); err != nil {
				return err
			}
		}
		return nil
	})
	if err := work.Wait(); err != nil {
		t.Fatal(err)
	}
	if left := entries(t, first.path(quarantineDir)); len(left) > 0 {
		t.Errorf("in quarantine: %q", left)
	}
}

func TestTooManyLinks(t *testing.T) {
	s := open(t, t.TempDir())
	a := sharing(t, s, "a")
	shared := s.sharedPath(DigestOf([]byte("equal")), false)
	old, err := os.Lstat(shared)
	if err != nil {
		t.Fatal(err)
	}
	// What shareFile does when the file has as many links as the file system allows.
	fresh := filepath.Join(t.TempDir(), "fresh")
	if err := os.WriteFile(fresh, []byte("equal"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := s.replaceByLink(fresh, shared); err != nil {
		t.Skip(err) // another file system
	}
	if now, err := os.Lstat(shared); err != nil || os.SameFile(old, now) {
		t.Errorf("the shared file is still the old one: %v", err)
	}
	sharing(t, s, "b")
	if err := s.VerifyTree(t.Context(), a); err != nil {
		t.Error(err)
	}
}
