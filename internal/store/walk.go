package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"espalier.dev/espalier/internal/order"
	"espalier.dev/espalier/internal/reapi"
)

// maxDepth bounds the nesting of trees from other programs.
const maxDepth = 200

// EntryType is the type of a tree entry.
type EntryType int

// Types of tree entries.
const (
	TypeDir EntryType = iota
	TypeFile
	TypeSymlink
)

func (t EntryType) String() string {
	switch t {
	case TypeDir:
		return "directory"
	case TypeFile:
		return "file"
	}
	return "symlink"
}

// Entry is one node of a tree.
type Entry struct {
	Path       string // slash-separated; "" is the root
	Type       EntryType
	Digest     Digest // of a file's content or of the Directory message
	Executable bool
	Target     string // of a symlink

	tree *Digest // the innermost unpacked tree that contains it, nil if none
	rel  string  // its path there
}

// Walk visits every entry of a tree from its Directory messages: the root
// first, parents before children, names in byte order. fn may return fs.SkipDir
// for a directory. The content of a file may not be a blob: Open finds it in
// the unpacked tree that contains it, so an upload that walks the tree needs no
// index.
func (s *Store) Walk(ctx context.Context, root Digest, fn func(Entry) error) error {
	return s.walk(ctx, Entry{Type: TypeDir, Digest: root}, fn, 0)
}

func (s *Store) walk(ctx context.Context, at Entry, fn func(Entry) error, depth int) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	if depth > maxDepth {
		return fmt.Errorf("tree is nested deeper than %d at %s", maxDepth, at.Path)
	}
	if err := fn(at); err != nil {
		if errors.Is(err, fs.SkipDir) {
			return nil
		}
		return err
	}
	entries, err := s.list(ctx, at)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Type == TypeDir {
			err = s.walk(ctx, e, fn, depth+1)
		} else {
			err = fn(e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// list returns the entries of a directory in byte order.
func (s *Store) list(ctx context.Context, at Entry) ([]Entry, error) {
	d, err := s.directory(ctx, at.Digest)
	if err != nil {
		return nil, err
	}
	if _, err := os.Lstat(s.treePath(at.Digest)); err == nil {
		at.tree, at.rel = &at.Digest, ""
	}
	return entriesOf(d, at)
}

func entriesOf(d *reapi.Directory, at Entry) ([]Entry, error) {
	out := make([]Entry, 0, len(d.Files)+len(d.Directories)+len(d.Symlinks))
	add := func(name string, digest *reapi.Digest, e Entry) {
		if digest != nil {
			e.Digest = Digest{digest.Hash, digest.SizeBytes} // checked by decodeDirectory
		}
		e.Path, e.rel, e.tree = join(at.Path, name), join(at.rel, name), at.tree
		out = append(out, e)
	}
	for _, f := range d.Files {
		add(f.Name, f.Digest, Entry{Type: TypeFile, Executable: f.IsExecutable})
	}
	for _, sub := range d.Directories {
		add(sub.Name, sub.Digest, Entry{Type: TypeDir})
	}
	for _, l := range d.Symlinks {
		add(l.Name, nil, Entry{Type: TypeSymlink, Target: l.Target})
	}
	order.Sort(out, func(a, b Entry) int { return cmp.Compare(a.Path, b.Path) })
	return out, nil
}

func join(dir, name string) string {
	if dir == "" {
		return name
	}
	return dir + "/" + name
}

// Lookup returns the entry at a path without following symlinks. The error is
// fs.ErrNotExist when the tree has no such path.
func (s *Store) Lookup(ctx context.Context, root Digest, path string) (Entry, error) {
	at := Entry{Type: TypeDir, Digest: root}
	if path == "" {
		return at, nil
	}
	names, err := splitPath(path)
	if err != nil {
		return Entry{}, err
	}
	for _, name := range names {
		var entries []Entry
		if at.Type == TypeDir {
			if entries, err = s.list(ctx, at); err != nil {
				return Entry{}, err
			}
		}
		i := slices.IndexFunc(entries, func(e Entry) bool { return e.Path == join(at.Path, name) })
		if i < 0 {
			return Entry{}, &fs.PathError{Op: "lookup", Path: path, Err: fs.ErrNotExist}
		}
		at = entries[i]
	}
	return at, nil
}

// Open opens the content of a file entry of Walk or Lookup, from the blobs or
// from an unpacked tree, verified while it is read.
func (s *Store) Open(ctx context.Context, e Entry) (*Reader, error) {
	if e.Type != TypeFile {
		return nil, fmt.Errorf("%s: is a %s", e.Path, e.Type)
	}
	if s.Has(e.Digest) {
		return s.Get(ctx, e.Digest)
	}
	if e.tree == nil {
		return nil, missing("file "+e.Path, e.Digest)
	}
	tree := *e.tree
	f, err := openNoFollow(filepath.Join(s.treePath(tree), filepath.FromSlash(e.rel)))
	if err != nil {
		return nil, missing("file "+e.Path, e.Digest)
	}
	return s.newReader(ctx, f, e.Digest, "file "+e.Path, func() {
		_ = s.VerifyTree(context.WithoutCancel(ctx), tree) // finds the same damage, and more
	})
}

// Difference is a difference between two trees; Old or New is nil when the path
// is only in the other one. A directory is a difference only when it is in one
// tree.
type Difference struct {
	Path     string
	Old, New *Entry
}

// Diff calls fn for every difference in path order and skips entries with equal
// digests. fn may return fs.SkipAll.
func (s *Store) Diff(ctx context.Context, old, new Digest, fn func(Difference) error) error {
	err := s.diff(ctx, Entry{Type: TypeDir, Digest: old}, Entry{Type: TypeDir, Digest: new}, fn)
	if errors.Is(err, fs.SkipAll) {
		return nil
	}
	return err
}

func (s *Store) diff(ctx context.Context, old, new Entry, fn func(Difference) error) error {
	if old.Digest.Hash == new.Digest.Hash {
		return nil
	}
	a, err := s.list(ctx, old)
	if err != nil {
		return err
	}
	b, err := s.list(ctx, new)
	if err != nil {
		return err
	}
	for len(a) > 0 || len(b) > 0 {
		order := 0
		switch {
		case len(a) == 0:
			order = 1
		case len(b) == 0:
			order = -1
		default:
			order = strings.Compare(a[0].Path, b[0].Path)
		}
		switch {
		case order < 0:
			err = fn(Difference{Path: a[0].Path, Old: &a[0]})
			a = a[1:]
		case order > 0:
			err = fn(Difference{Path: b[0].Path, New: &b[0]})
			b = b[1:]
		default:
			x, y := a[0], b[0]
			a, b = a[1:], b[1:]
			switch {
			case x.Type == TypeDir && y.Type == TypeDir:
				err = s.diff(ctx, x, y, fn)
			case x.Type != y.Type || x.Digest.Hash != y.Digest.Hash || x.Executable != y.Executable || x.Target != y.Target:
				err = fn(Difference{Path: x.Path, Old: &x, New: &y})
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}
