package archive

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/progress"
	"espalier.dev/espalier/internal/store"
)

// Restored is what an archive has brought into a store.
type Restored struct {
	Pins *lock.File
	Lock []byte // the text of espalier.lock
}

// Restore puts everything that the archive's lock names, and the tree of the
// project's files, into a store. What the store has is not read again. The error
// is a fault.Pins when something is missing or damaged.
func Restore(ctx context.Context, st *store.Store, l *Layout, rep progress.Reporter) (Restored, error) {
	var out Restored
	d, ok := l.find(l.Config.Lock)
	if !ok {
		return out, l.broken("%s is missing", lock.FileName)
	}
	var err error
	if out.Lock, err = l.blob(d, maxLock); err != nil {
		return out, l.broken("%s: %w", lock.FileName, err)
	}
	if out.Pins, err = lock.Decode(lock.FileName+" in "+l.Name, out.Lock); err != nil {
		return out, err
	}
	w := work{l: l, st: st, task: rep.Start("restoring "+l.Config.Project, progress.Bytes, 0)}
	err = w.restore(ctx, out.Pins)
	w.task.Done(err)
	return out, err
}

type work struct {
	l    *Layout
	st   *store.Store
	task progress.Task
}

func (w *work) restore(ctx context.Context, f *lock.File) error {
	tc, err := f.ToolchainFor(w.l.Config.Host)
	if err != nil {
		return err
	}
	var blobs []store.Digest
	for _, b := range f.Blobs {
		blobs = append(blobs, b.Digest)
	}
	for _, p := range tc.Packages {
		blobs = append(blobs, p.Digest)
	}
	for _, c := range f.Crates {
		blobs = append(blobs, c.Digest)
	}
	for _, e := range tc.Index {
		if _, ok := w.l.find(e.Digest); ok { // a build does not need it
			blobs = append(blobs, e.Digest)
		}
	}
	total := int64(0)
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for _, d := range blobs {
		x, ok := w.l.find(d)
		if !ok {
			return w.l.broken("%s, which espalier.lock names, is missing", d)
		}
		total += x.Size
		g.Go(func() error { return w.blob(gctx, x) })
	}
	trees := []store.Digest{w.l.Config.Source}
	for _, t := range f.Git {
		trees = append(trees, t.Tree)
	}
	for _, d := range trees {
		x, ok := w.l.tree(d)
		if !ok {
			return w.l.broken("the tree %s is missing", d)
		}
		total += x.Size
		g.Go(func() error { return w.tree(gctx, x, d) })
	}
	w.task.SetTotal(total)
	return g.Wait()
}

// tree returns the descriptor of the tar with a tree.
func (l *Layout) tree(d store.Digest) (Descriptor, bool) {
	i := slices.IndexFunc(l.Manifest.Layers, func(x Descriptor) bool { return x.MediaType == typeTar && x.Annotations[treeKey] == d.String() })
	if i < 0 {
		return Descriptor{}, false
	}
	return l.Manifest.Layers[i], true
}

func (w *work) blob(ctx context.Context, x Descriptor) error {
	d, err := x.digest()
	if err != nil {
		return w.l.broken("%w", err)
	}
	w.task.Item(x.Title())
	r, err := w.l.open(d)
	if err != nil {
		return w.l.broken("%s: %w", x.Title(), err)
	}
	defer r.Close()
	if _, err := w.st.PutExpected(ctx, r, d); err != nil {
		return w.l.damaged(x, err)
	}
	w.task.Add(d.Size)
	return nil
}

func (w *work) tree(ctx context.Context, x Descriptor, want store.Digest) error {
	w.task.Item(x.Title())
	if w.st.HasTree(ctx, want) {
		w.task.Add(x.Size)
		return nil
	}
	d, err := x.digest()
	if err != nil {
		return w.l.broken("%w", err)
	}
	r, err := w.l.open(d)
	if err != nil {
		return w.l.broken("%s: %w", x.Title(), err)
	}
	defer r.Close()
	if err := readTree(ctx, w.st, r, d.Size, want); err != nil {
		return w.l.damaged(x, err)
	}
	w.task.Add(x.Size)
	return nil
}

// damaged names the blob whose bytes are wrong; errors of the store and of
// contexts stay what they are.
func (l *Layout) damaged(x Descriptor, err error) error {
	var wrong *store.MismatchError
	var conflict *store.ConflictError
	switch {
	case errors.As(err, &wrong):
		return l.broken("%s is damaged: it is not what its digest says", x.Title())
	case errors.As(err, &conflict), fault.KindOf(err) == fault.Bug && !errors.Is(err, context.Canceled):
		return l.broken("%s: %w", x.Title(), err)
	}
	return err
}

// Checked is the result of Check.
type Checked struct {
	Manifest string   `json:"manifest"`
	Project  string   `json:"project"`
	Files    int      `json:"files"`
	Bytes    int64    `json:"bytes"`
	Damaged  []string `json:"damaged,omitempty"` // titles
	Missing  []string `json:"missing,omitempty"`
	Layout   []string `json:"layout,omitempty"` // what is wrong beside the blobs
}

// Check reads the whole archive and hashes every blob; nothing is written. The
// error is a fault.Pins when anything is wrong; the result is complete then.
func Check(ctx context.Context, l *Layout, rep progress.Reporter) (Checked, error) {
	out := Checked{Manifest: l.manifest.Digest, Project: l.Config.Project, Layout: l.beside()}
	all := append([]Descriptor{l.Manifest.Config}, l.Manifest.Layers...)
	total := int64(0)
	for _, x := range all {
		total += x.Size
	}
	task := rep.Start("checking the archive", progress.Bytes, total)
	var mu sync.Mutex
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for _, x := range all {
		g.Go(func() error {
			task.Item(x.Title())
			problem, err := l.hash(ctx, x, task)
			mu.Lock()
			defer mu.Unlock()
			switch problem {
			case "damaged":
				out.Damaged = append(out.Damaged, x.Title())
			case "missing":
				out.Missing = append(out.Missing, x.Title())
			default:
				out.Files++
				out.Bytes += x.Size
			}
			return err
		})
	}
	err := g.Wait()
	slices.Sort(out.Damaged)
	slices.Sort(out.Missing)
	if err == nil {
		err = out.fault(l.Name)
	}
	task.Done(err)
	return out, err
}

func (l *Layout) hash(ctx context.Context, x Descriptor, task progress.Task) (problem string, err error) {
	want, err := x.digest()
	if err != nil {
		return "damaged", nil
	}
	r, err := l.open(want)
	switch {
	case errors.Is(err, errMissing):
		return "missing", nil
	case err != nil:
		return "damaged", nil
	}
	defer r.Close()
	h := sha256.New()
	buf := make([]byte, 256<<10)
	for {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		n, err := r.Read(buf)
		h.Write(buf[:n])
		task.Add(int64(n))
		if err == io.EOF {
			break
		}
		if err != nil {
			return "", fault.Wrap(fault.Pins, err, "reading "+l.Name)
		}
	}
	if hex.EncodeToString(h.Sum(nil)) != want.Hash {
		return "damaged", nil
	}
	return "", nil
}

// beside lists what is wrong outside of the blobs. Tools for OCI layouts write
// index and headers in their own way, and no README.md; when there is one, every
// byte is as Write makes it.
func (l *Layout) beside() []string {
	readme, err := l.small(readmeFile, maxIndex)
	own := err == nil
	out := l.content.extra(own)
	if !own {
		return out
	}
	i := slices.IndexFunc(l.Manifest.Layers, func(x Descriptor) bool { return x.Title() == readmeFile })
	if i < 0 || l.Manifest.Layers[i].Digest != "sha256:"+store.DigestOf(readme).Hash {
		out = append(out, readmeFile)
	}
	if b, err := l.small(layoutFile, maxIndex); err != nil || !bytes.Equal(b, layoutText) {
		out = append(out, layoutFile)
	}
	d, err := l.manifest.digest()
	if b, err2 := l.small(indexFile, maxIndex); err != nil || err2 != nil || !bytes.Equal(b, indexOf(topOf(d))) {
		out = append(out, indexFile)
	}
	return out
}

func (c Checked) fault(name string) error {
	n := len(c.Damaged) + len(c.Missing) + len(c.Layout)
	if n == 0 {
		return nil
	}
	var parts []string
	for _, list := range []struct {
		what  string
		names []string
	}{{"damaged", c.Damaged}, {"missing", c.Missing}, {"not as written", c.Layout}} {
		if len(list.names) > 0 {
			text := list.names[0]
			if more := len(list.names) - 1; more > 0 {
				text = fmt.Sprintf("%s and %d more", text, more)
			}
			parts = append(parts, list.what+": "+text)
		}
	}
	return fault.New(fault.Pins, path.Base(name)+": "+strings.Join(parts, "; "), "copy it again from where it is complete")
}
