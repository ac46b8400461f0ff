package git

import (
	"context"
	"errors"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/store"
)

// Tree returns the tree that is mounted as cargo's git checkouts: each commit
// below its CheckoutDir. It is zero when there are no commits. A commit whose
// files are not in the store is a fault of kind Pins.
func Tree(ctx context.Context, st *store.Store, gits []lock.Git) (store.Digest, error) {
	if len(gits) == 0 {
		return store.Digest{}, nil
	}
	trees := map[string]store.Digest{}
	for _, g := range gits {
		if err := st.HasContent(ctx, g.Tree); err != nil {
			if errors.Is(err, store.ErrMissing) {
				err = fault.Wrap(fault.Pins, err, "git "+g.URL) // the store's own hint is the remedy
			}
			return store.Digest{}, err
		}
		trees[CheckoutDir(g)] = g.Tree
	}
	return st.Compose(ctx, trees)
}
