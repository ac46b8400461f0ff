package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

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

// Move must not move a file that has another hard link.
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
