package store

import (
	"context"

	"espalier.dev/espalier/internal/reapi"
)

// memoOutput is the name of a memo's tree among the outputs of its result.
const memoOutput = "out/tree"

// PutMemo remembers that unpacking what key describes gave tree. A memo is for
// work that espalier does itself, where a step says too much: the key is a
// text that names the work, the version of its rule and its inputs by digest.
func (s *Store) PutMemo(ctx context.Context, key []byte, tree Digest) error {
	id, err := s.PutBytes(ctx, key)
	if err != nil {
		return err
	}
	return s.PutResult(ctx, id, &reapi.ActionResult{
		OutputDirectories: []*reapi.OutputDirectory{{Path: memoOutput, RootDirectoryDigest: tree.ToProto()}},
	}, true)
}

// Memo returns the tree that PutMemo filed under a key of that digest;
// ErrMissing when there is none, or when the tree is gone.
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

// Complete returns d with the size of the blob that the store has under its
// hash, ErrMissing when it has none.
func (s *Store) Complete(d Digest) (Digest, error) { return s.stat(d) }
