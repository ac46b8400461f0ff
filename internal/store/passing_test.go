package store

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPassing marks a tree, and finds it removed when the last process has closed
// the store, but not the files that another tree shares with it.
func TestPassing(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	open := func() *Store {
		s, err := Open(ctx, dir)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	tree := func(s *Store, files ...string) Digest {
		d, err := s.MakeTree(ctx, func(b *TreeBuilder) error {
			for _, f := range files {
				if _, err := b.Source("test").File(ctx, "d/"+f, false, strings.NewReader(f)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.TreePath(ctx, d); err != nil {
			t.Fatal(err)
		}
		return d
	}
	count := func(folder string) int {
		entries, err := os.ReadDir(filepath.Join(dir, folder))
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	s, other := open(), open()
	keeps := tree(s, "both", "kept")
	goes := tree(s, "both", "alone")
	if err := s.Passing(goes); err != nil {
		t.Fatal(err)
	}
	before := count(fileDir)
	s.Close()
	if _, err := other.TreePath(ctx, goes); err != nil {
		t.Errorf("removed while another process has the store open: %v", err)
	}
	other.Close()
	if _, err := os.Lstat(other.treePath(goes)); err == nil {
		t.Error("the marked tree is still unpacked")
	}
	if canShare && (before != 3 || count(fileDir) != 2) {
		t.Errorf("%d shared files, then %d; want 3 and 2", before, count(fileDir))
	}
	for _, folder := range []string{passingDir, tempDir} {
		if n := count(folder); n != 0 {
			t.Errorf("%d entries are left in %s", n, folder)
		}
	}

	s = open()
	if err := s.VerifyTree(ctx, keeps); err != nil {
		t.Errorf("the other tree: %v", err)
	}
	again := tree(s, "both", "alone")
	if again != goes {
		t.Errorf("tree %s, then %s", goes, again)
	}
	if err := s.Passing(again); err != nil {
		t.Fatal(err)
	}
	s.lock.Close() // killed: the mark stays
	s.lock = nil
	open().Close()
	if _, err := os.Lstat(s.treePath(again)); err == nil {
		t.Error("a killed process's tree is still unpacked")
	}
}
