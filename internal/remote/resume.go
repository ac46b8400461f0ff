package remote

import (
	"context"
	"fmt"
	"io"

	"espalier.dev/espalier/internal/progress"
	"espalier.dev/espalier/internal/store"
)

// resuming reads a blob, and continues where it was when the connection is
// lost. It ends with an error when the blob does not have its size; the reader
// verifies the content.
type resuming struct {
	c    *Cache
	ctx  context.Context
	d    store.Digest
	task progress.Task // may be nil

	at     int64
	from   io.ReadCloser // nil: not connected
	failed int
	err    error // the last error that was returned
}

func (c *Cache) open(ctx context.Context, d store.Digest, task progress.Task) *resuming {
	return &resuming{c: c, ctx: ctx, d: d, task: task}
}

func (r *resuming) Read(b []byte) (int, error) {
	for {
		n, err := r.try(b)
		r.at += int64(n)
		if r.task != nil {
			r.task.Add(int64(n))
		}
		if r.at > r.d.Size {
			return n, r.fail(fmt.Errorf("blob %s: more than %d bytes", r.d, r.d.Size))
		}
		if err == io.EOF && r.at < r.d.Size {
			err = fmt.Errorf("blob %s: %d of %d bytes: %w", r.d, r.at, r.d.Size, io.ErrUnexpectedEOF)
		}
		if err == nil || err == io.EOF {
			return n, err
		}
		r.Close()
		// A server that sends a few bytes each time is not worth waiting for.
		if r.failed++; !transient(err) || r.failed > attempts+int(r.at>>23) || pause(r.ctx, r.failed) != nil {
			return n, r.fail(err)
		}
		if n > 0 {
			return n, nil
		}
	}
}

func (r *resuming) try(b []byte) (int, error) {
	if r.from == nil {
		from, err := r.c.srv.read(r.ctx, r.d, r.at)
		if err != nil {
			return 0, err
		}
		r.from = from
	}
	return r.from.Read(b)
}

func (r *resuming) fail(err error) error {
	r.err = err
	return err
}

// explain returns the error of a function that has read r: that of the server,
// or that of the store.
func (r *resuming) explain(err error) error {
	if r.err != nil {
		return r.err
	}
	return ofStore(err)
}

// Close ends the connection; Read would make another one.
func (r *resuming) Close() error {
	if r.from == nil {
		return nil
	}
	err := r.from.Close()
	r.from = nil
	return err
}
