package remote

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"time"

	"espalier.dev/espalier/internal/action"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/progress"
	"espalier.dev/espalier/internal/reapi"
	"espalier.dev/espalier/internal/store"
)

// result brings the result of an executed action to the store, as running the
// step here would have left it.
func (c *Cluster) result(ctx context.Context, st *store.Store, step action.Step, opts action.RunOptions, id store.Digest, p *reapi.ActionResult) (action.Result, error) {
	files, dirs := map[string]*reapi.Digest{}, map[string]*reapi.Digest{}
	for _, f := range p.OutputFiles {
		files[f.Path] = f.Digest
	}
	for _, d := range p.OutputDirectories {
		dirs[d.Path] = d.TreeDigest
	}
	report, err := c.report(ctx, st, files[path.Join(ResultDir, ReportFile)], p)
	if err != nil {
		return action.Result{}, err
	}
	if f := report.Fault; f != nil {
		return action.Result{}, fault.New(f.Kind, "a worker of cluster "+c.Name()+": "+f.Text, f.Hints...)
	}
	res := action.Result{Digest: id, ExitCode: report.ExitCode, Hermetic: report.Hermetic,
		Outputs: map[string]store.Digest{}, Trees: map[string]store.Digest{}, Observation: report.Observation}
	to := st
	if opts.Outputs != nil {
		to = opts.Outputs
	}
	if res.Stdout, err = c.output(ctx, to, p.StdoutDigest, opts.Stdout); err != nil {
		return action.Result{}, err
	}
	if res.Stderr, err = c.output(ctx, to, p.StderrDigest, opts.Stderr); err != nil {
		return action.Result{}, err
	}
	if report.ExitCode != 0 && !opts.OnFailure {
		return res, nil
	}
	made := map[string]bool{}
	for _, name := range report.Outputs {
		made[name] = true
	}
	for _, name := range step.Outputs {
		at := ResultPath(name)
		switch {
		case !made[name] && report.ExitCode != 0:
		case files[at] != nil:
			res.Outputs[name], err = c.fetched(ctx, to, files[at], largestBlob)
		case dirs[at] != nil:
			res.Trees[name], err = c.filtered(ctx, to, dirs[at], opts.Keep[name], opts.Rewrite[name])
		default:
			err = errors.New("it is not in the result")
		}
		if err != nil {
			return action.Result{}, fmt.Errorf("output %s: %w", name, err)
		}
	}
	return res, nil
}

// report reads the report of a worker. Without one, the program could not be
// started or was killed; what it wrote to the standard error says why.
func (c *Cluster) report(ctx context.Context, st *store.Store, d *reapi.Digest, p *reapi.ActionResult) (Report, error) {
	if d == nil {
		text := fmt.Sprintf("the worker ended with exit status %d and without a report", p.ExitCode)
		if log, err := c.fetched(ctx, st, p.StderrDigest, 1<<20); err == nil {
			if b, err := st.ReadBlob(ctx, log, 1<<20); err == nil && len(bytes.TrimSpace(b)) > 0 {
				lines := bytes.Split(bytes.TrimSpace(b), []byte("\n"))
				text += ": " + string(bytes.ToValidUTF8(lines[len(lines)-1], []byte("?")))
			}
		}
		return Report{}, errors.New(text)
	}
	id, err := c.fetched(ctx, st, d, largestLog)
	if err != nil {
		return Report{}, err
	}
	b, err := st.ReadBlob(ctx, id, largestLog)
	if err != nil {
		return Report{}, &storeError{err}
	}
	return DecodeReport(b)
}

// fetched brings a blob to the store.
func (c *Cluster) fetched(ctx context.Context, st *store.Store, m *reapi.Digest, limit int64) (store.Digest, error) {
	d, err := store.DigestFromProto(m)
	if err == nil && d.Size > limit {
		err = fmt.Errorf("blob %s: more than %d bytes", d, limit)
	}
	if err == nil {
		err = c.content.blob(ctx, st, d, nil)
	}
	return d, err
}

// output brings an output stream to the store, and writes it to w, which may be
// nil. The digest of one without content is zero.
func (c *Cluster) output(ctx context.Context, st *store.Store, m *reapi.Digest, w io.Writer) (store.Digest, error) {
	if m.GetHash() == "" || m.SizeBytes == 0 {
		return store.Digest{}, nil
	}
	d, err := c.fetched(ctx, st, m, largestLog)
	if err != nil || w == nil {
		return d, err
	}
	f, err := st.Get(ctx, d)
	if err != nil {
		return d, &storeError{err}
	}
	_, _ = io.Copy(w, f) // a writer that has enough does not end the step
	return d, ofLocal(f.Close())
}

// filtered brings a directory to the store as ImportDir would: without what keep
// refuses, and with the content that rewrite gives. What is not kept is not read.
func (c *Cluster) filtered(ctx context.Context, st *store.Store, m *reapi.Digest, keep func(string, fs.FileInfo) bool,
	rewrite func(string, io.ReaderAt, int64) (io.Reader, bool)) (store.Digest, error) {
	message, err := c.fetched(ctx, st, m, largestLog)
	if err != nil {
		return store.Digest{}, err
	}
	root, err := st.OpenTreeMessage(ctx, message)
	if err != nil {
		return store.Digest{}, err
	}
	return c.content.take(ctx, st, root, selection{keep, rewrite}, progress.Discard.Start("", progress.Bytes, 0))
}

// selection is what is taken of a tree.
type selection struct {
	keep    func(string, fs.FileInfo) bool
	rewrite func(string, io.ReaderAt, int64) (io.Reader, bool)
}

func (s selection) keeps(e store.Entry) bool {
	return s.keep == nil || s.keep(e.Path, entryInfo{e})
}

// rewritten adds a file of which rewrite may change the content. It reads it to a
// temporary file first.
func (c *Cache) rewritten(ctx context.Context, st *store.Store, src store.TreeSource, e store.Entry, s selection) (err error) {
	dir, err := st.TempDir("output")
	if err != nil {
		return &storeError{err}
	}
	defer os.RemoveAll(dir)
	f, err := os.Create(path.Join(dir, "content"))
	if err != nil {
		return &storeError{err}
	}
	defer f.Close()
	if e.Digest.Size > 0 {
		r := c.open(ctx, e.Digest, nil)
		sum := sha256.New()
		n, err := io.Copy(io.MultiWriter(f, sum), r)
		r.Close()
		if err = r.explain(err); err != nil {
			return err
		}
		if got := (store.Digest{Hash: fmt.Sprintf("%x", sum.Sum(nil)), Size: n}); got != e.Digest {
			return &store.MismatchError{Want: e.Digest, Got: got}
		}
	}
	content, ok := s.rewrite(e.Path, f, e.Digest.Size)
	if !ok {
		content = io.NewSectionReader(f, 0, e.Digest.Size)
	}
	_, err = src.File(ctx, e.Path, e.Executable, content)
	return ofStore(err)
}

// entryInfo is an entry of a tree as a filter of a directory sees it.
type entryInfo struct{ e store.Entry }

func (i entryInfo) Name() string       { return path.Base(i.e.Path) }
func (i entryInfo) Size() int64        { return max(0, i.e.Digest.Size) }
func (i entryInfo) ModTime() time.Time { return time.Time{} }
func (i entryInfo) IsDir() bool        { return i.e.Type == store.TypeDir }
func (i entryInfo) Sys() any           { return nil }

func (i entryInfo) Mode() fs.FileMode {
	switch {
	case i.e.Type == store.TypeDir:
		return fs.ModeDir | 0o755
	case i.e.Type == store.TypeSymlink:
		return fs.ModeSymlink | 0o777
	case i.e.Executable:
		return 0o755
	}
	return 0o644
}
