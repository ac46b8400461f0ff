package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/reapi"
)

// Compose makes a tree whose entries are trees, such as an input root, from
// digests alone: it stores the Directory messages above them and reads no
// files. A path below another one is an error. Sizes may be -1 when the
// Directory is in the store.
func (s *Store) Compose(ctx context.Context, trees map[string]Digest) (Digest, error) {
	return s.compose(ctx, trees, s.keepDirectory(ctx))
}

// Composed returns the digest that Compose would, and writes nothing.
func (s *Store) Composed(ctx context.Context, trees map[string]Digest) (Digest, error) {
	return s.compose(ctx, trees, func(Digest, []byte) error { return nil })
}

func (s *Store) compose(ctx context.Context, trees map[string]Digest, keep func(Digest, []byte) error) (Digest, error) {
	root := &node{kind: TypeDir}
	for _, path := range slices.Sorted(maps.Keys(trees)) {
		names, err := splitPath(path)
		if err != nil {
			return Digest{}, fault.Wrap(fault.Usage, err, "composing a tree")
		}
		d := trees[path]
		if d.Size < 0 {
			if d, err = s.stat(d); err != nil {
				return Digest{}, err
			}
		}
		if err := checkHash(d.Hash); err != nil {
			return Digest{}, fmt.Errorf("composing a tree: %s: %w", path, err)
		}
		at := root
		for i, name := range names {
			next := at.children[name]
			last := i == len(names)-1
			switch {
			case next == nil && last:
				at.put(name, &node{kind: TypeDir, digest: d, ready: true})
				continue
			case next == nil:
				next = &node{kind: TypeDir}
				at.put(name, next)
			case last || next.ready:
				return Digest{}, fmt.Errorf("composing a tree: %s is inside another tree", strings.Join(names[:i+1], "/"))
			}
			at = next
		}
	}
	return root.compose(keep)
}

func (n *node) compose(keep func(Digest, []byte) error) (Digest, error) {
	if n.ready {
		return n.digest, nil
	}
	dir := &reapi.Directory{}
	for name, c := range n.children {
		d, err := c.compose(keep)
		if err != nil {
			return Digest{}, err
		}
		dir.Directories = append(dir.Directories, &reapi.DirectoryNode{Name: name, Digest: d.ToProto()})
	}
	b, err := encodeDirectory(dir)
	if err != nil {
		return Digest{}, err
	}
	d := DigestOf(b)
	return d, keep(d, b)
}
