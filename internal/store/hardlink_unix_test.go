//go:build unix

package store

import (
	"context"
	"os"
	"path/filepath"
	"testing"
)

// Cargo checks whether two names are one file, and links them when they are
// not.
func TestImportKeepsNamesOfOneFile(t *testing.T) {
	ctx := context.Background()
	st, err := Open(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	for _, move := range []bool{false, true} {
		dir := t.TempDir()
		text := []byte("program")
		if move {
			text = []byte("another program")
		}
		for name, content := range map[string][]byte{"a/one": text, "alone": text} {
			p := filepath.Join(dir, name)
			if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(p, content, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Link(filepath.Join(dir, "a/one"), filepath.Join(dir, "two")); err != nil {
			t.Fatal(err)
		}
		root, err := st.ImportDir(ctx, dir, ImportOptions{Move: move})
		if err != nil {
			t.Fatal(err)
		}
		tree, err := st.TreePath(ctx, root)
		if err != nil {
			t.Fatal(err)
		}
		info := func(name string) os.FileInfo {
			st, err := os.Lstat(filepath.Join(tree, name))
			if err != nil {
				t.Fatal(err)
			}
			return st
		}
		if !os.SameFile(info("a/one"), info("two")) {
			t.Errorf("move %v: two names of one file became two files", move)
		}
		if !os.SameFile(info("a/one"), info("alone")) {
			t.Errorf("move %v: two equal files are two on disk", move)
		}
		if err := st.VerifyTree(ctx, root); err != nil {
			t.Error(err)
		}
	}
}
