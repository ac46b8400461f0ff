package pin

import (
	"context"
	"strings"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/store"
	"espalier.dev/espalier/internal/supply/fetch"
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

// Document downloads a file that is no input of a build, of at most limit bytes.
func (s *Session) Document(ctx context.Context, address string, limit int64) ([]byte, error) {
	at := strings.LastIndexByte(address, '/')
	if at < 0 {
		return nil, fault.New(fault.Usage, address+" is not an address")
	}
	b, _, err := fetch.New(s.network()).Get(ctx, address[at+1:], []string{address[:at]}, limit)
	return b, err
}
