package store

import (
	"context"
	"fmt"
	"slices"

	"espalier.dev/espalier/internal/reapi"
)

// maxTree bounds an encoded REAPI Tree message.
const maxTree = 512 << 20

// PutTreeMessage stores the REAPI Tree message of a tree, by which results name
// output directories, and returns its digest. Children are in topological
// order, each Directory once.
func (s *Store) PutTreeMessage(ctx context.Context, root Digest) (Digest, error) {
	dir, err := s.directory(ctx, root)
	if err != nil {
		return Digest{}, err
	}
	t := &reapi.Tree{Root: dir}
	seen := map[string]bool{root.Hash: true}
	var visit func(*reapi.Directory, int) error
	visit = func(dir *reapi.Directory, depth int) error {
		if depth > maxDepth {
			return fmt.Errorf("tree %s is nested deeper than %d", root, maxDepth)
		}
		for _, sub := range dir.Directories {
			d := Digest{sub.Digest.Hash, sub.Digest.SizeBytes}
			if seen[d.Hash] {
				continue
			}
			seen[d.Hash] = true
			child, err := s.directory(ctx, d)
			if err != nil {
				return err
			}
			if err := visit(child, depth+1); err != nil {
				return err
			}
			t.Children = append(t.Children, child)
		}
		return nil
	}
	if err := visit(dir, 0); err != nil {
		return Digest{}, err
	}
	slices.Reverse(t.Children) // the reverse of "children first" is topological, also with shared ones
	b, err := reapi.Marshal(t)
	if err != nil {
		return Digest{}, err
	}
	return s.PutBytes(ctx, b)
}

// OpenTreeMessage stores the Directory messages of a Tree message that is in
// the blobs and returns the digest of its root. It does not check whether the
// contents of files exist.
func (s *Store) OpenTreeMessage(ctx context.Context, tree Digest) (Digest, error) {
	b, err := s.ReadBlob(ctx, tree, maxTree)
	if err != nil {
		return Digest{}, err
	}
	var t reapi.Tree
	if err := reapi.Unmarshal(b, &t); err != nil {
		return Digest{}, fmt.Errorf("decoding Tree %s: %w", tree, err)
	}
	keep := s.keepDirectory(ctx)
	var root Digest
	for i, dir := range append([]*reapi.Directory{t.Root}, t.Children...) {
		if dir == nil {
			dir = &reapi.Directory{}
		}
		b, err := reapi.Marshal(dir)
		if err == nil {
			_, err = decodeDirectory(b)
		}
		if err == nil {
			err = keep(DigestOf(b), b)
		}
		if err != nil {
			return Digest{}, fmt.Errorf("decoding Tree %s: %w", tree, err)
		}
		if i == 0 {
			root = DigestOf(b)
		}
	}
	return root, nil
}
