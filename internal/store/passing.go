package store

import (
	"context"
	"errors"
	"io/fs"
	"os"
)

// A tree of one step alone, such as what cargo has downloaded in a network step,
// has no use once its files are stored as blobs. It cannot be removed at once:
// another process may have found the same tree. So it is marked, by an empty file
// in passingDir, and removed by the next process that has the store to itself, when
// it opens or closes it.

// Passing marks the unpacked directory of a tree as one that no later step needs.
// The tree's messages stay until gc.
func (s *Store) Passing(root Digest) error {
	if err := s.mayWrite("a mark"); err != nil {
		return err
	}
	f, err := os.Create(s.path(passingDir, root.Hash))
	if err != nil {
		return s.writing("a mark", err)
	}
	return f.Close()
}

// removePassing removes the marked trees. The caller has the lock exclusively.
func (s *Store) removePassing(ctx context.Context) error {
	marks, err := os.ReadDir(s.path(passingDir))
	if len(marks) == 0 || err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	for _, m := range marks {
		if checkHash(m.Name()) != nil {
			continue
		}
		if err := s.removeUnpacked(ctx, Digest{m.Name(), -1}); err != nil {
			return err
		}
		if err := os.Remove(s.path(passingDir, m.Name())); err != nil {
			return err
		}
	}
	return nil
}

// removeUnpacked removes the directory of a tree, and those of its files that no
// other tree shares. Nothing is wrong when it stops half-way: gc removes the rest.
func (s *Store) removeUnpacked(ctx context.Context, root Digest) error {
	var shared []string
	err := s.Walk(ctx, root, func(e Entry) error {
		if e.Type == TypeFile {
			shared = append(shared, s.sharedPath(e.Digest, e.Executable))
		}
		return nil
	})
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil && !errors.Is(err, ErrMissing) && !errors.Is(err, ErrCorrupt) {
		return err
	}
	aside := s.path(tempDir, "passing-"+root.Hash)
	if err := os.Rename(s.treePath(root), aside); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	if err := os.Remove(s.path(sealDir, root.Hash)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := removeTree(aside); err != nil {
		return err
	}
	for _, path := range shared {
		if info, err := os.Lstat(path); err == nil && linkCount(info) == 1 {
			if err := os.Remove(path); err != nil {
				return err
			}
		}
	}
	return nil
}
