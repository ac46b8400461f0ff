package store

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"espalier.dev/espalier/internal/fault"
)

// sample is a small tree: "path" -> content, "path*" executable,
// "path@" symlink, "path/" directory.
var sample = map[string]string{
	"bin/tool*":             "\x7fELF tool",
	"bin/alias@":            "tool",
	"lib@":                  "usr/lib",
	"usr/lib/a.so":          "library a",
	"usr/lib/b.so":          "library b",
	"usr/share/doc/déjà vu": "name in UTF-8",
	"usr/share/empty":       "",
	"var/empty/":            "",
	"dangling@":             "/nowhere",
	"src/main.rs":           "fn main() {}",
	"src/line\nbreak \"q\"": "a name to quote",
}

func build(t testing.TB, s *Store, tree map[string]string) Digest {
	t.Helper()
	b, err := s.NewTree()
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	fill(t, b.Source("test"), tree)
	d, err := b.Commit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func fill(t testing.TB, src TreeSource, tree map[string]string) {
	t.Helper()
	for path, content := range tree { // random order: the digest must not depend on it
		var err error
		switch path[len(path)-1] {
		case '/':
			err = src.Dir(strings.TrimSuffix(path, "/"))
		case '@':
			err = src.Symlink(strings.TrimSuffix(path, "@"), content)
		default:
			_, err = src.File(t.Context(), strings.TrimSuffix(path, "*"), strings.HasSuffix(path, "*"), strings.NewReader(content))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// dump reads a host directory into the notation of sample.
func dump(t testing.TB, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		if err != nil || p == dir {
			return err
		}
		rel, _ := filepath.Rel(dir, p)
		info, err := e.Info()
		if err != nil {
			return err
		}
		switch {
		case e.IsDir():
			if list, _ := os.ReadDir(p); len(list) == 0 {
				out[rel+"/"] = ""
			}
		case e.Type() == fs.ModeSymlink:
			out[rel+"@"], err = os.Readlink(p)
		default:
			b, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			if info.Mode()&0o111 != 0 {
				rel += "*"
			}
			out[rel] = string(b)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func wantFolder(t testing.TB, dir string, want map[string]string, mtime time.Time) {
	t.Helper()
	if got := dump(t, dir); !maps.Equal(got, want) {
		t.Errorf("folder holds %q\nwant %q", got, want)
	}
	filepath.WalkDir(dir, func(p string, e fs.DirEntry, walkErr error) error {
		info, err := os.Lstat(p)
		if err = cmp.Or(walkErr, err); err != nil {
			t.Error(err)
			return nil
		}
		if !info.ModTime().Equal(mtime) {
			t.Errorf("%s: mtime %v, want %v", p, info.ModTime(), mtime)
		}
		switch perm := info.Mode().Perm(); {
		case e.Type() == fs.ModeSymlink:
		case e.IsDir() && perm != 0o755, !e.IsDir() && perm != 0o755 && perm != 0o644:
			t.Errorf("%s: mode %v", p, info.Mode())
		}
		return nil
	})
}

func TestBuildTree(t *testing.T) {
	s := open(t, t.TempDir())
	root := build(t, s, sample)
	path, err := s.TreePath(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Base(path) != root.Hash {
		t.Errorf("TreePath = %s", path)
	}
	wantFolder(t, path, sample, time.Unix(1, 0))
	if again := build(t, s, sample); again != root {
		t.Errorf("second build = %v, want %v", again, root)
	}
	if left := entries(t, s.path(tempDir)); len(left) > 0 {
		t.Errorf("tmp holds %v", left)
	}
	for _, size := range []int64{root.Size, -1} {
		if _, err := open(t, s.Dir()).TreePath(t.Context(), Digest{root.Hash, size}); err != nil {
			t.Errorf("another process: %v", err)
		}
	}
	if err := s.VerifyTree(t.Context(), root); err != nil {
		t.Error(err)
	}
	// Files of a tree are not stored twice.
	if s.Has(DigestOf([]byte("library a"))) {
		t.Error("the content of a tree's file is a blob as well")
	}
}

func TestEmptyTree(t *testing.T) {
	s := open(t, t.TempDir())
	root := build(t, s, nil)
	if root != DigestOf(nil) {
		t.Errorf("empty tree = %v", root)
	}
	build(t, s, nil)
	path, err := s.TreePath(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	wantFolder(t, path, map[string]string{}, time.Unix(1, 0))
}

func TestTreeFromManyGoroutines(t *testing.T) {
	s := open(t, t.TempDir())
	want := map[string]string{}
	b, err := s.NewTree()
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	var wg sync.WaitGroup
	for i := range 20 {
		mine := map[string]string{"usr/share/doc/": "", "shared/same": "equal in all", "link@": "shared"}
		for j := range 10 {
			mine[fmt.Sprintf("usr/lib/%d/file%d", i, j)] = fmt.Sprint(i, j)
			mine[fmt.Sprintf("usr/bin/tool-%d-%d*", i, j)] = fmt.Sprint(i, j)
		}
		maps.Copy(want, mine)
		wg.Go(func() { fill(t, b.Source(fmt.Sprint("package ", i)), mine) })
	}
	wg.Wait()
	root, err := b.Commit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	path, err := s.TreePath(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	wantFolder(t, path, want, time.Unix(1, 0))
	if one := build(t, open(t, t.TempDir()), want); one != root {
		t.Errorf("one goroutine: %v, many: %v", one, root)
	}
}

func TestTreeConflicts(t *testing.T) {
	file := func(content string, exec bool) func(*testing.T, TreeSource, string) error {
		return func(t *testing.T, src TreeSource, path string) error {
			_, err := src.File(t.Context(), path, exec, strings.NewReader(content))
			return err
		}
	}
	link := func(target string) func(*testing.T, TreeSource, string) error {
		return func(t *testing.T, src TreeSource, path string) error { return src.Symlink(path, target) }
	}
	dir := func(t *testing.T, src TreeSource, path string) error { return src.Dir(path) }
	for _, tc := range []struct {
		name     string
		first    func(*testing.T, TreeSource, string) error
		second   func(*testing.T, TreeSource, string) error
		path     string // of the second; the first is at usr/x
		conflict string // "" when both may be
	}{
		{"equal files", file("a", false), file("a", false), "usr/x", ""},
		{"equal links", link("y"), link("y"), "usr/x", ""},
		{"equal directories", dir, dir, "usr/x", ""},
		{"other content", file("a", false), file("b", false), "usr/x", "file " + DigestOf([]byte("a")).String() + " from alpha 1, file " + DigestOf([]byte("b")).String() + " from beta 2"},
		{"other mode", file("a", false), file("a", true), "usr/x", "executable " + DigestOf([]byte("a")).String() + " from beta 2"},
		{"other target", link("y"), link("z"), "usr/x", "symlink to y from alpha 1, symlink to z from beta 2"},
		{"file and link", file("a", false), link("z"), "usr/x", "symlink to z from beta 2"},
		{"directory and link", dir, link("z"), "usr/x", "directory from alpha 1, symlink to z from beta 2"},
		{"through a link", link("/etc"), file("a", false), "usr/x/passwd", "symlink to /etc from alpha 1, directory from beta 2"},
		{"below a file", file("a", false), dir, "usr/x/y", "directory from beta 2"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := open(t, t.TempDir())
			b, err := s.NewTree()
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			if err := tc.first(t, b.Source("alpha 1"), "usr/x"); err != nil {
				t.Fatal(err)
			}
			err = tc.second(t, b.Source("beta 2"), tc.path)
			_, commitErr := b.Commit(t.Context())
			if tc.conflict == "" {
				if err != nil || commitErr != nil {
					t.Fatal(err, commitErr)
				}
				return
			}
			var c *ConflictError
			if !errors.As(err, &c) || c.Path != "usr/x" || !strings.Contains(err.Error(), tc.conflict) || !strings.Contains(err.Error(), "alpha 1") {
				t.Errorf("err = %v, want %q", err, tc.conflict)
			}
			if commitErr == nil {
				t.Error("a tree with a conflict was committed")
			}
		})
	}
}

// The second file is added while the first is still being written.
func TestConflictWhileWriting(t *testing.T) {
	for _, second := range []string{"same", "else"} {
		t.Run(second, func(t *testing.T) {
			s := open(t, t.TempDir())
			b, _ := s.NewTree()
			defer b.Close()
			pr, pw := io.Pipe()
			done := make(chan error)
			go func() {
				_, err := b.Source("slow").File(t.Context(), "x", false, pr)
				done <- err
			}()
			pw.Write([]byte("sa")) // the slow one has started
			if _, err := b.Source("fast").File(t.Context(), "x", false, strings.NewReader(second)); err != nil {
				t.Fatal(err)
			}
			if _, err := b.Commit(t.Context()); err == nil {
				t.Error("committed during a write")
			}
			pw.Write([]byte("me"))
			pw.Close()
			err := <-done
			if (err != nil) != (second == "else") {
				t.Errorf("err = %v", err)
			}
			if second == "same" {
				if _, err := b.Commit(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestBadPaths(t *testing.T) {
	s := open(t, t.TempDir())
	for _, path := range []string{"", "/etc/passwd", "../x", "a/../../x", "a/..", ".", "./a", "a//b", "a/", "a\x00b", "\xff\xfe"} {
		b, err := s.NewTree()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Source("evil").File(t.Context(), path, false, strings.NewReader("x")); err == nil || fault.KindOf(err) != fault.Pins {
			t.Errorf("File(%q): %v", path, err)
		}
		if _, err := b.Commit(t.Context()); err == nil {
			t.Errorf("%q: committed", path)
		}
		b.Close()
		b, _ = s.NewTree()
		if err := b.Source("evil").Dir(path); err == nil {
			t.Errorf("Dir(%q)", path)
		}
		if err := b.Source("evil").Symlink(path, "x"); err == nil {
			t.Errorf("Symlink(%q)", path)
		}
		b.Close()
	}
	b, _ := s.NewTree()
	defer b.Close()
	for _, target := range []string{"", "a\x00b", "\xff"} {
		if err := b.Source("evil").Symlink("l", target); err == nil {
			t.Errorf("target %q", target)
		}
	}
}

// Several processes unpack the same tree at the same time and replace a damaged
// one.
func TestBuildTheSameTreeAtOnce(t *testing.T) {
	dir := t.TempDir()
	root := build(t, open(t, dir), sample)
	for round := range 5 {
		if round > 0 {
			os.WriteFile(filepath.Join(dir, treeDir, root.Hash, "src/main.rs"), []byte("broken"), 0o644)
		} else {
			os.RemoveAll(filepath.Join(dir, treeDir, root.Hash))
		}
		var wg sync.WaitGroup
		for range 6 {
			s := open(t, dir)
			wg.Go(func() {
				if got := build(t, s, sample); got != root {
					t.Errorf("root = %v", got)
				}
				path, err := s.TreePath(t.Context(), root)
				if err != nil {
					t.Error(err)
					return
				}
				wantFolder(t, path, sample, treeTime)
			})
		}
		wg.Wait()
	}
	if left := entries(t, filepath.Join(dir, tempDir)); len(left) > 0 {
		t.Errorf("tmp holds %v", left)
	}
}
