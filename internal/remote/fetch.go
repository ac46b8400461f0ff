package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"

	"golang.org/x/sync/errgroup"

	"espalier.dev/espalier/internal/action"
	"espalier.dev/espalier/internal/progress"
	"espalier.dev/espalier/internal/reapi"
	"espalier.dev/espalier/internal/store"
)

// What a result may ask for, in bytes. The largest layers known are 1.2 GB.
const (
	largestBlob    = int64(2 << 30)
	largestContent = 8 << 30
	largestLog     = 64 << 20 // and Tree messages
)

// small is the size up to which blobs are moved in batches.
const small = 64 << 10

// describe checks a result of a server, and reads its logs and the messages of
// its trees.
func (c *Cache) describe(ctx context.Context, st *store.Store, p *reapi.ActionResult, outputs []string) (action.Result, error) {
	if p.ExitCode != 0 {
		return action.Result{}, fmt.Errorf("it has the exit code %d", p.ExitCode)
	}
	need := []*reapi.Digest{p.StdoutDigest, p.StderrDigest}
	for _, dir := range p.OutputDirectories {
		dir.RootDirectoryDigest = nil // follows from the Tree message
		need = append(need, dir.TreeDigest)
	}
	for i, m := range need {
		if m.GetHash() == "" {
			if i >= 2 {
				return action.Result{}, errors.New("a directory has no Tree message")
			}
			continue
		}
		d, err := store.DigestFromProto(m)
		if err == nil && d.Size > largestLog {
			err = fmt.Errorf("blob %s: more than %d bytes for a log or a Tree message", d, largestLog)
		}
		if err == nil {
			err = c.blob(ctx, st, d, nil)
		}
		if err != nil {
			return action.Result{}, err
		}
	}
	res, err := action.FromProto(ctx, st, p)
	if err != nil {
		return action.Result{}, err
	}
	var names []string
	names = slices.AppendSeq(names, maps.Keys(res.Outputs))
	names = slices.AppendSeq(names, maps.Keys(res.Trees))
	slices.Sort(names)
	if want := slices.Sorted(slices.Values(outputs)); !slices.Equal(names, want) {
		return action.Result{}, fmt.Errorf("it has the outputs %q, the step %q", names, want)
	}
	for _, d := range res.Outputs {
		if d.Size > largestBlob {
			return action.Result{}, fmt.Errorf("blob %s: more than %d bytes", d, largestBlob)
		}
	}
	return res, nil
}

// content brings the files of a result to the store. what names it for people.
func (c *Cache) content(ctx context.Context, st *store.Store, res action.Result, what string) (err error) {
	task := c.cfg.Report.Start("fetching "+what+" from the cache", progress.Bytes, 0)
	defer func() { task.Done(err) }()
	for _, name := range slices.Sorted(maps.Keys(res.Outputs)) {
		if err := c.blob(ctx, st, res.Outputs[name], task); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(res.Trees)) {
		if err := c.tree(ctx, st, res.Trees[name], task); err != nil {
			return fmt.Errorf("output %s: %w", name, err)
		}
	}
	return nil
}

// blob brings one blob to the store, unless it is there; task may be nil.
func (c *Cache) blob(ctx context.Context, st *store.Store, d store.Digest, task progress.Task) error {
	if st.Has(d) {
		return nil
	}
	if d.Size == 0 {
		_, err := st.PutBytes(ctx, nil)
		return ofStore(err)
	}
	if !c.use(ctx) {
		return errNotThere
	}
	r := c.open(ctx, d, task)
	defer r.Close()
	_, err := st.PutExpected(ctx, r, d)
	return r.explain(err)
}

// wanted is a file of a tree that is not in the store, with all places where it
// has to be.
type wanted struct {
	digest store.Digest
	at     []store.Entry
}

// tree brings a tree to the store whose Directory messages are there: files
// that the store has are copied, each other one is read once.
func (c *Cache) tree(ctx context.Context, st *store.Store, root store.Digest, task progress.Task) error {
	if err := st.HasContent(ctx, root); err == nil || !errors.Is(err, store.ErrMissing) {
		return err
	}
	got, err := c.take(ctx, st, root, selection{}, task)
	if err == nil && got != root {
		return fmt.Errorf("tree %s: its content is %s", root, got)
	}
	return err
}

// take is tree for a selection of it: the digest is that of what was taken.
func (c *Cache) take(ctx context.Context, st *store.Store, root store.Digest, s selection, task progress.Task) (store.Digest, error) {
	b, err := st.NewTree()
	if err != nil {
		return store.Digest{}, ofStore(err)
	}
	defer b.Close()
	src := b.Source("the " + c.role)
	need := map[string]*wanted{}
	var order []*wanted
	err = st.Walk(ctx, root, func(e store.Entry) error {
		switch {
		case e.Path == "":
			return nil
		case !s.keeps(e):
			if e.Type == store.TypeDir {
				return fs.SkipDir
			}
			return nil
		case e.Type == store.TypeDir:
			return ofStore(src.Dir(e.Path))
		case e.Type == store.TypeSymlink:
			return ofStore(src.Symlink(e.Path, e.Target))
		}
		if e.Digest.Size > largestBlob {
			return fmt.Errorf("blob %s: more than %d bytes", e.Digest, largestBlob)
		}
		if s.rewrite != nil {
			return c.rewritten(ctx, st, src, e, s)
		}
		if done, err := copyFile(ctx, st, src, e); done || err != nil {
			return err
		}
		w := need[e.Digest.Hash]
		if w == nil {
			w = &wanted{digest: e.Digest}
			need[e.Digest.Hash] = w
			order = append(order, w)
		}
		w.at = append(w.at, e)
		return nil
	})
	if err != nil {
		return store.Digest{}, err
	}
	var size int64
	for _, w := range order {
		size += w.digest.Size
	}
	if size > largestContent {
		return store.Digest{}, fmt.Errorf("tree %s: more than %d bytes", root, int64(largestContent))
	}
	task.SetTotal(size)
	if len(order) > 0 {
		if !c.use(ctx) {
			return store.Digest{}, errNotThere
		}
		if err := c.files(ctx, st, src, order, task); err != nil {
			return store.Digest{}, err
		}
	}
	got, err := b.Commit(ctx)
	return got, ofStore(err)
}

// copyFile adds a file to a tree whose content the store has.
func copyFile(ctx context.Context, st *store.Store, src store.TreeSource, e store.Entry) (done bool, err error) {
	var r io.ReadCloser = io.NopCloser(bytes.NewReader(nil))
	if e.Digest.Size > 0 {
		f, err := st.Open(ctx, e)
		if err != nil {
			f, err = st.OpenShared(ctx, e)
		}
		if err != nil {
			return false, nil
		}
		r = f
	}
	_, err = src.File(ctx, e.Path, e.Executable, r)
	return err == nil, errors.Join(ofStore(err), ofStore(r.Close()))
}

// files reads the content of files, small ones in batches.
func (c *Cache) files(ctx context.Context, st *store.Store, src store.TreeSource, need []*wanted, task progress.Task) error {
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(transfers)
	batches, large := split(need, func(w *wanted) int64 { return w.digest.Size }, c.limits().batch)
	for _, w := range large {
		work.Go(func() error { return c.stream(ctx, st, src, w, task) })
	}
	for _, batch := range batches {
		work.Go(func() error { return c.batch(ctx, src, batch, task) })
	}
	return work.Wait()
}

// split divides what has to be moved into batches of small blobs, and large
// ones.
func split[T any](all []T, size func(T) int64, limit int64) (batches [][]T, large []T) {
	const overhead = 128 // of a digest in a message
	const most = 1000    // blobs in a batch
	var now []T
	var sum int64
	for _, one := range all {
		n := size(one) + overhead
		if n > small || n > limit {
			large = append(large, one)
			continue
		}
		if len(now) > 0 && (sum+n > limit || len(now) == most) {
			batches, now, sum = append(batches, now), nil, 0
		}
		now, sum = append(now, one), sum+n
	}
	if len(now) > 0 {
		batches = append(batches, now)
	}
	return batches, large
}

func (c *Cache) batch(ctx context.Context, src store.TreeSource, batch []*wanted, task progress.Task) error {
	by := map[string]*wanted{}
	digests := make([]store.Digest, len(batch))
	for i, w := range batch {
		by[w.digest.Hash], digests[i] = w, w.digest
	}
	return c.srv.readBatch(ctx, digests, func(d store.Digest, data []byte) error {
		if got := store.DigestOf(data); got != d {
			return &store.MismatchError{Want: d, Got: got}
		}
		for _, e := range by[d.Hash].at {
			if _, err := src.File(ctx, e.Path, e.Executable, bytes.NewReader(data)); err != nil {
				return ofStore(err)
			}
		}
		task.Add(d.Size)
		return nil
	})
}

// stream reads one large file, and copies it to its other places.
func (c *Cache) stream(ctx context.Context, st *store.Store, src store.TreeSource, w *wanted, task progress.Task) error {
	for i, e := range w.at {
		if i > 0 {
			done, err := copyFile(ctx, st, src, e)
			if err != nil {
				return err
			}
			if done {
				continue
			}
		}
		r := c.open(ctx, w.digest, task)
		got, err := src.File(ctx, e.Path, e.Executable, r)
		r.Close()
		if err = r.explain(err); err == nil && got != w.digest {
			err = &store.MismatchError{Want: w.digest, Got: got}
		}
		if errors.Is(err, errNotThere) {
			err = fmt.Errorf("blob %s: %w", w.digest, err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
