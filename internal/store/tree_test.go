package store

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
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

// dump reads a host folder into the notation of sample.
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
	// Files of a tree are not kept twice.
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
		for j := range 30 {
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

// The rival comes while the first file is still being written.
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
			pw.Write([]byte("sa")) // the slow one has begun
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

func TestDamagedTree(t *testing.T) {
	for _, tc := range []struct {
		name   string
		damage func(t *testing.T, dir string)
		cheap  bool // the seal must see it; else only VerifyTree can
		intact bool // content is untouched: repaired in place
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

// What the seal cannot see, VerifyTree and Open must.
func TestBitRotInATree(t *testing.T) {
	rot := func(t *testing.T, s *Store, root Digest) { // a seal that fits the damage, as after a fault of the disk
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
		t.Errorf("after hashing the seal must be believed for ever: %+v, %v", sl, err)
	}
	reboot(true) // the power went before the file reached the disk
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

func TestImportDir(t *testing.T) {
	s := open(t, t.TempDir())
	want := build(t, s, sample)
	for _, move := range []bool{false, true} {
		t.Run(fmt.Sprint("move ", move), func(t *testing.T) {
			host := filepath.Join(t.TempDir(), "x")
			if err := s.Materialise(t.Context(), want, host, MaterialiseOptions{MTime: time.Unix(1e9, 0)}); err != nil {
				t.Fatal(err)
			}
			wantFolder(t, host, sample, time.Unix(1e9, 0))
			os.Chmod(host+"/src/main.rs", 0o640)
			os.Chmod(host+"/bin/tool", 0o700|fs.ModeSetuid)
			to := open(t, t.TempDir())
			for range 2 {
				got, err := to.ImportDir(t.Context(), host, ImportOptions{Move: move})
				if err != nil {
					t.Fatal(err)
				}
				if got != want {
					t.Errorf("ImportDir = %v, want %v", got, want)
				}
				path, err := to.TreePath(t.Context(), got)
				if err != nil {
					t.Fatal(err)
				}
				wantFolder(t, path, sample, treeTime)
				if move {
					break
				}
			}
			if _, err := os.Lstat(host + "/bin/tool"); (err == nil) == move {
				t.Errorf("source after move %v: %v", move, err)
			}
		})
	}
	t.Run("filter", func(t *testing.T) {
		host := filepath.Join(t.TempDir(), "x")
		if err := s.Materialise(t.Context(), want, host, MaterialiseOptions{}); err != nil {
			t.Fatal(err)
		}
		got, err := s.ImportDir(t.Context(), host, ImportOptions{Filter: func(p string, info fs.FileInfo) bool {
			return p != "usr" && info.Mode()&fs.ModeSymlink == 0
		}})
		if err != nil {
			t.Fatal(err)
		}
		part := maps.Clone(sample)
		maps.DeleteFunc(part, func(p, _ string) bool { return strings.HasPrefix(p, "usr/") || strings.HasSuffix(p, "@") })
		if want := build(t, s, part); got != want {
			t.Errorf("ImportDir = %v, want %v", got, want)
		}
	})
	t.Run("refusals", func(t *testing.T) {
		dir := t.TempDir()
		mkfifo(t, dir+"/pipe")
		if _, err := s.ImportDir(t.Context(), dir, ImportOptions{}); err == nil || !strings.Contains(err.Error(), "pipe") {
			t.Errorf("pipe: %v", err)
		}
		if _, err := s.ImportDir(t.Context(), dir+"/pipe", ImportOptions{}); err == nil {
			t.Error("not a folder")
		}
		if _, err := s.ImportDir(t.Context(), dir+"/none", ImportOptions{}); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("no folder: %v", err)
		}
	})
}

// Moving must never take a file that someone else can still reach.
func TestMoveCopiesHardLinks(t *testing.T) {
	s := open(t, t.TempDir())
	dir := t.TempDir()
	os.WriteFile(dir+"/kept", []byte("x"), 0o600)
	os.Mkdir(dir+"/out", 0o755)
	os.Link(dir+"/kept", dir+"/out/x")
	root, err := s.ImportDir(t.Context(), dir+"/out", ImportOptions{Move: true})
	if err != nil {
		t.Fatal(err)
	}
	os.WriteFile(dir+"/kept", []byte("y"), 0o600)
	if err := s.VerifyTree(t.Context(), root); err != nil {
		t.Error(err)
	}
}

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
		r, err := s.Open(t.Context(), e) // no blob: found in the unpacked trees
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
	// A composed tree has no folder until someone wants one.
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

// A tree that came as blobs (from a remote cache) unpacks itself.
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
	// Damage heals without anybody's help, because the blobs are there.
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

func TestMaterialiseRefusesAFullFolder(t *testing.T) {
	s := open(t, t.TempDir())
	root := build(t, s, sample)
	dir := t.TempDir()
	os.WriteFile(dir+"/x", nil, 0o644)
	if err := s.Materialise(t.Context(), root, dir, MaterialiseOptions{}); err == nil {
		t.Error("no error")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Materialise(ctx, root, filepath.Join(dir, "y"), MaterialiseOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
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

// Several processes unpack the same tree at the same time, over a damaged one.
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
