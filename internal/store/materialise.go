package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// MaterialiseOptions are the options of Materialise.
type MaterialiseOptions struct {
	MTime time.Time // of all entries; zero means epoch second 1, as in TreePath
}

// Materialise writes a plain, writable copy of a tree to dir, which must not
// exist or be empty. Modes are those of TreePath. Every byte is verified; after
// an error dir is incomplete and must not be used.
func (s *Store) Materialise(ctx context.Context, root Digest, dir string, o MaterialiseOptions) error {
	if o.MTime.IsZero() {
		o.MTime = treeTime
	}
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if there, err := os.ReadDir(dir); err != nil || len(there) > 0 {
		if err == nil {
			err = &fs.PathError{Op: "materialise", Path: dir, Err: errors.New("directory is not empty")}
		}
		return err
	}
	g := newStage(s, dir, o.MTime)
	err := s.fill(ctx, g, root)
	var got Digest
	if err == nil {
		got, err = g.finish(ctx, nil)
	}
	if err == nil && got.Hash != root.Hash {
		err = corrupt("tree", root, "copying it gave "+got.String())
	}
	if err != nil {
		return fmt.Errorf("copying a tree to %s: %w", dir, err)
	}
	return nil
}
