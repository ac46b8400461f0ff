package store

import (
	"context"

	"espalier.dev/espalier/internal/reapi"
)

// memoOutput is the name of a memo's tree among the outputs of its result.
const memoOutput = "out/tree"

// PutMemo records tree as the result of unpacking the inputs that key
// describes. A memo is for work that espalier does itself and that is not a
// step: the key is a text with the name of the work, the version of its rules
// and its inputs by digest.
func (s *Store) PutMemo(ctx context.Context, key []byte, tree Digest) error {
	id, err := s.PutBytes(ctx, key)
	if err != nil {
		return err
	}
	return s.PutResult(ctx, id, &reapi.ActionResult{
		OutputDirectories: []*reapi.OutputDirectory{{Path: memoOutput, RootDirectoryDigest: tree.ToProto()}},
	}, true)
}

// Memo returns the tree that PutMemo stored for the digest of a key; ErrMissing
// when there is none, or when the tree has been removed.
func (s *Store) Memo(ctx context.Context, key Digest) (Digest, error) {
	r, _, err := s.Result(ctx, key, true)
	if err != nil {
		return Digest{}, err
	}
	if len(r.OutputDirectories) != 1 || r.OutputDirectories[0].Path != memoOutput {
		return Digest{}, missing("memo", key)
	}
	return DigestFromProto(r.OutputDirectories[0].RootDirectoryDigest)
}

// Complete returns d with the size of the stored blob with this hash,
// ErrMissing when there is none.
func (s *Store) Complete(d Digest) (Digest, error) { return s.stat(d) }
