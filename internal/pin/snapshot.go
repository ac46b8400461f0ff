package pin

import (
	"context"

	"espalier.dev/espalier/internal/store"
	"espalier.dev/espalier/internal/supply/git"
)

// Snapshot fetches the default branch of a git repository that is no dependency, such
// as a database of advisories, into the store.
func (s *Session) Snapshot(ctx context.Context, address string) (commit string, tree store.Digest, err error) {
	f, err := s.git()
	if err != nil {
		return "", store.Digest{}, err
	}
	if commit, err = f.Head(ctx, address, ""); err != nil {
		return "", store.Digest{}, err
	}
	g, err := f.Fetch(ctx, git.Source{URL: address, Commit: commit}, nil)
	return commit, g.Tree, err
}
