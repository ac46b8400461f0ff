package remote

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"golang.org/x/sync/errgroup"

	"espalier.dev/espalier/internal/progress"
	"espalier.dev/espalier/internal/reapi"
	"espalier.dev/espalier/internal/store"
)

// source is content of the store that a result names.
type source struct {
	digest store.Digest
	open   func(context.Context) (io.ReadCloser, error)
}

// upload writes a result of st: the content that the server lacks, then the
// result itself.
func (c *Cache) upload(ctx context.Context, st *store.Store, id store.Digest) error {
	p, _, err := st.Result(ctx, id, true)
	if err != nil {
		return &storeError{err}
	}
	p, sources, err := c.sources(ctx, st, p)
	if err != nil {
		return &storeError{err}
	}
	if err := c.send(ctx, sources); err != nil {
		return err
	}
	return c.srv.putResult(ctx, id, p)
}

// sources returns a result as it is written to a cache, with Tree messages in
// place of root directories, which every server knows, and the content that it
// names.
func (c *Cache) sources(ctx context.Context, st *store.Store, p *reapi.ActionResult) (*reapi.ActionResult, map[string]source, error) {
	out := &reapi.ActionResult{OutputFiles: p.OutputFiles, StdoutDigest: p.StdoutDigest, StderrDigest: p.StderrDigest}
	all := map[string]source{}
	blob := func(m *reapi.Digest) error {
		if m.GetHash() == "" {
			return nil
		}
		d, err := store.DigestFromProto(m)
		all[d.Hash] = source{d, func(ctx context.Context) (io.ReadCloser, error) { return st.Get(ctx, d) }}
		return err
	}
	err := errors.Join(blob(p.StdoutDigest), blob(p.StderrDigest))
	for _, f := range p.OutputFiles {
		err = errors.Join(err, blob(f.Digest))
	}
	for _, dir := range p.OutputDirectories {
		if err != nil {
			return nil, nil, err
		}
		root, err := store.DigestFromProto(dir.RootDirectoryDigest)
		if err != nil {
			return nil, nil, err
		}
		tree, err := st.PutTreeMessage(ctx, root)
		if err != nil {
			return nil, nil, err
		}
		if err := blob(tree.ToProto()); err != nil {
			return nil, nil, err
		}
		err = st.Walk(ctx, root, func(e store.Entry) error {
			if e.Type == store.TypeFile {
				all[e.Digest.Hash] = source{e.Digest, func(ctx context.Context) (io.ReadCloser, error) { return st.Open(ctx, e) }}
			}
			return nil
		})
		if err != nil {
			return nil, nil, err
		}
		out.OutputDirectories = append(out.OutputDirectories,
			&reapi.OutputDirectory{Path: dir.Path, TreeDigest: tree.ToProto(), IsTopologicallySorted: true})
	}
	return out, all, err
}

// send writes what the server lacks of some content. The empty blob is always
// there.
func (c *Cache) send(ctx context.Context, sources map[string]source) (err error) {
	l := c.limits()
	var ask []store.Digest
	for _, s := range sources {
		if s.digest.Size > 0 {
			ask = append(ask, s.digest)
		}
		if l.blob > 0 && s.digest.Size > l.blob {
			return fmt.Errorf("blob %s: the server takes at most %d bytes: %w", s.digest, l.blob, errNotThere)
		}
	}
	slices.SortFunc(ask, func(a, b store.Digest) int { return cmp.Compare(a.Hash, b.Hash) })
	if len(ask) == 0 {
		return nil
	}
	missing, err := c.srv.missing(ctx, ask)
	if err != nil || len(missing) == 0 {
		return err
	}
	var need []source
	for _, d := range missing {
		s, ok := sources[d.Hash]
		if !ok || s.digest != d {
			return fmt.Errorf("it wants blob %s, which was not offered", d)
		}
		need = append(need, s)
	}
	task := c.cfg.Report.Start("writing to the "+c.role, progress.Bytes, total(missing))
	defer func() { task.Done(err) }()
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(transfers)
	batches, large := split(need, func(s source) int64 { return s.digest.Size }, l.batch)
	for _, s := range large {
		work.Go(func() error {
			err := c.srv.write(ctx, s.digest, func() (io.ReadCloser, error) {
				r, err := s.open(ctx)
				return r, ofLocal(err)
			})
			task.Add(s.digest.Size)
			return err
		})
	}
	for _, batch := range batches {
		work.Go(func() error { return c.sendBatch(ctx, batch, task) })
	}
	return work.Wait()
}

func (c *Cache) sendBatch(ctx context.Context, batch []source, task progress.Task) error {
	blobs := make([]blob, len(batch))
	var size int64
	for i, s := range batch {
		r, err := s.open(ctx)
		if err != nil {
			return ofLocal(err)
		}
		data, err := io.ReadAll(r)
		if err := errors.Join(err, r.Close()); err != nil {
			return ofLocal(err)
		}
		blobs[i] = blob{s.digest, data}
		size += s.digest.Size
	}
	err := c.srv.writeBatch(ctx, blobs)
	task.Add(size)
	return err
}

// ofLocal marks any error of reading the store.
func ofLocal(err error) error {
	if err == nil {
		return nil
	}
	return &storeError{err}
}
