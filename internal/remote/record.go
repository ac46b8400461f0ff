package remote

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"espalier.dev/espalier/internal/reapi"
	"espalier.dev/espalier/internal/store"
)

// A result that was found without its content is recorded in the store, so that
// the next build knows it without the server.

func recordKey(id store.Digest) []byte {
	return fmt.Appendf(nil, "result of a shared cache 1\naction %s\n", id)
}

const recordFile = "result"

func record(ctx context.Context, st *store.Store, id store.Digest, p *reapi.ActionResult) error {
	if st.ReadOnly() {
		return nil
	}
	b, err := reapi.Marshal(p)
	if err != nil {
		return err
	}
	tree, err := st.MakeTree(ctx, func(t *store.TreeBuilder) error {
		_, err := t.Source("a result").File(ctx, recordFile, false, bytes.NewReader(b))
		return err
	})
	if err != nil {
		return ofStore(err)
	}
	return ofStore(st.PutMemo(ctx, recordKey(id), tree))
}

func recorded(ctx context.Context, st *store.Store, id store.Digest) (*reapi.ActionResult, error) {
	tree, err := st.Memo(ctx, store.DigestOf(recordKey(id)))
	if err != nil {
		return nil, err
	}
	e, err := st.Lookup(ctx, tree, recordFile)
	if err != nil {
		return nil, err
	}
	f, err := st.Open(ctx, e)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		return nil, err
	}
	p := &reapi.ActionResult{}
	return p, reapi.Unmarshal(b, p)
}
