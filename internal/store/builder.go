package store

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
)

// TreeBuilder makes a tree: files are written once, in their final form, while
// they are hashed. Several goroutines may add entries concurrently, each
// through a separate TreeSource or a shared one.
type TreeBuilder struct {
	s     *Store
	stage *stage
}

// NewTree starts a tree. The caller defers Close.
func (s *Store) NewTree() (*TreeBuilder, error) {
	if err := s.mayWrite("a tree"); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(s.path(tempDir), "tree-")
	if err != nil {
		return nil, s.writing("a tree", err)
	}
	g := newStage(s, dir, treeTime)
	g.shared = true
	return &TreeBuilder{s: s, stage: g}, nil
}

// Source returns a view of the builder that is called name in errors, such as
// "rustc-web 1.96.0".
func (b *TreeBuilder) Source(name string) TreeSource { return TreeSource{b.stage, name} }

// TreeSource adds entries to a tree. Paths are relative, slash-separated and
// clean; missing parents are created. If another source has already added the
// same path, the entries must be equal in type, content, executable bit and
// target; otherwise, and when a parent is not a directory (a symlink is not),
// the error is a *ConflictError, and the tree cannot be committed any more.
type TreeSource struct {
	stage *stage
	name  string
}

// File adds a regular file. When two goroutines add the same path concurrently,
// either of them may get the conflict.
func (t TreeSource) File(ctx context.Context, path string, executable bool, r io.Reader) (Digest, error) {
	return t.stage.file(ctx, path, t.name, executable, t.stage.stream(ctx, r, executable))
}

// Symlink adds a symbolic link. The target is stored unchanged; it may dangle.
func (t TreeSource) Symlink(path, target string) error {
	return t.stage.entry(path, &node{kind: TypeSymlink, source: t.name, target: target})
}

// Dir adds a directory.
func (t TreeSource) Dir(path string) error {
	return t.stage.entry(path, &node{kind: TypeDir, source: t.name})
}

// Commit stores the Directory messages, renames the directory to its final name
// and seals it. Files of a tree are not synced individually: a seal is only
// valid until the machine is restarted, and after that the tree is hashed once.
func (b *TreeBuilder) Commit(ctx context.Context) (Digest, error) {
	root, err := b.stage.finish(ctx, b.s.keepDirectory(ctx))
	if err != nil {
		return Digest{}, err
	}
	return root, b.s.install(ctx, b.stage.dir, root)
}

// MakeTree makes a tree of the entries that fill adds. fill runs once to
// compute the digest, and again, with files, when the tree is not in the store;
// this suits small trees that are made often and seldom change. It must add the
// same entries each time, from one goroutine.
func (s *Store) MakeTree(ctx context.Context, fill func(*TreeBuilder) error) (Digest, error) {
	hashed := &TreeBuilder{s: s, stage: newStage(s, "", treeTime)}
	if err := fill(hashed); err != nil {
		return Digest{}, err
	}
	root, err := hashed.stage.finish(ctx, func(d Digest, _ []byte) error {
		if !s.Has(d) && d != emptyDir {
			return ErrMissing
		}
		return nil
	})
	if err == nil && s.sealed(ctx, root) {
		return root, nil
	}
	if err != nil && !errors.Is(err, ErrMissing) {
		return Digest{}, err
	}
	b, err := s.NewTree()
	if err != nil {
		return Digest{}, err
	}
	defer b.Close()
	if err := fill(b); err != nil {
		return Digest{}, err
	}
	return b.Commit(ctx)
}

// Close discards entries that were not committed.
func (b *TreeBuilder) Close() error { return removeTree(b.stage.dir) }

// keepDirectory stores Directory messages. They can be made again from the same
// inputs and are verified when read, so they are not synced.
func (s *Store) keepDirectory(ctx context.Context) func(Digest, []byte) error {
	return func(d Digest, b []byte) error {
		if s.Has(d) {
			return nil
		}
		_, err := s.put(ctx, bytes.NewReader(b), d, false)
		return err
	}
}
