package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/sync/errgroup"

	"espalier.dev/espalier/internal/reapi"
	"espalier.dev/espalier/internal/store"
)

// httpServer is a cache with the HTTP protocol that Bazel and bazel-remote
// define: PREFIX/ac/HASH is an ActionResult, PREFIX/cas/HASH a blob.
type httpServer struct {
	client *http.Client
	base   string
	header http.Header
	stall  time.Duration
}

// largestResult bounds an ActionResult, in bytes.
const largestResult = 4 << 20

// httpError is a status other than those with a meaning.
type httpError struct{ status string }

func (e httpError) Error() string { return "HTTP status " + e.status }

// do sends a request; the answer is one of the accepted statuses. Its body ends
// with stop.
func (s *httpServer) do(ctx context.Context, method, path string, head http.Header, body io.Reader, size int64, accept ...int) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, s.base+path, body)
	if err != nil {
		return nil, err
	}
	for _, h := range []http.Header{s.header, head} {
		for name, values := range h {
			req.Header[name] = values
		}
	}
	req.Header.Set("User-Agent", "espalier")
	if body != nil {
		req.ContentLength = size
	}
	resp, err := s.client.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		return nil, because(ctx, err)
	}
	for _, code := range accept {
		if resp.StatusCode == code {
			return resp, nil
		}
	}
	resp.Body.Close()
	if resp.StatusCode == http.StatusNotFound {
		return nil, errNotThere
	}
	return nil, httpError{resp.Status}
}

// limits makes sure that there is a server: any answer will do, since the
// protocol has no question for it.
func (s *httpServer) limits(ctx context.Context) (limits, error) {
	ctx, stop := within(ctx, s.stall, 0)
	defer stop()
	resp, err := s.do(ctx, http.MethodHead, "/cas/"+store.DigestOf(nil).Hash, nil, nil, 0, http.StatusOK)
	var status httpError
	switch {
	case err == nil:
		resp.Body.Close()
	case errors.As(err, &status) && (status.status[0] == '5' || status.status[:3] == "401" || status.status[:3] == "403" || status.status[0] == '3'):
		return limits{}, err
	case !errors.Is(err, errNotThere) && !errors.As(err, &status):
		return limits{}, err
	}
	return limits{writable: true, text: "HTTP"}, nil
}

func (s *httpServer) result(ctx context.Context, action store.Digest) (*reapi.ActionResult, error) {
	ctx, stop := within(ctx, s.stall, largestResult)
	defer stop()
	resp, err := s.do(ctx, http.MethodGet, "/ac/"+action.Hash, nil, nil, 0, http.StatusOK)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, largestResult+1))
	if err != nil {
		return nil, because(ctx, err)
	}
	if len(b) > largestResult {
		return nil, fmt.Errorf("a result of more than %d bytes", largestResult)
	}
	r := &reapi.ActionResult{}
	if err := reapi.Unmarshal(b, r); err != nil {
		return nil, fmt.Errorf("decoding the result: %w", err)
	}
	return r, nil
}

func (s *httpServer) putResult(ctx context.Context, action store.Digest, r *reapi.ActionResult) error {
	b, err := reapi.Marshal(r)
	if err != nil {
		return err
	}
	return s.put(ctx, "/ac/"+action.Hash, int64(len(b)), bytes.NewReader(b))
}

func (s *httpServer) put(ctx context.Context, path string, size int64, body io.Reader) error {
	ctx, progress, stop := watch(ctx, s.stall, size)
	defer stop()
	resp, err := s.do(ctx, http.MethodPut, path, nil, &watched{body, progress}, size, http.StatusOK, http.StatusCreated, http.StatusNoContent)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// missing asks for each blob, several at a time.
func (s *httpServer) missing(ctx context.Context, blobs []store.Digest) ([]store.Digest, error) {
	there := make([]bool, len(blobs))
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(transfers)
	for i, d := range blobs {
		work.Go(func() error {
			ctx, stop := within(ctx, s.stall, 0)
			defer stop()
			resp, err := s.do(ctx, http.MethodHead, "/cas/"+d.Hash, nil, nil, 0, http.StatusOK)
			if errors.Is(err, errNotThere) {
				return nil
			}
			if err == nil {
				there[i] = true
				resp.Body.Close()
			}
			return err
		})
	}
	if err := work.Wait(); err != nil {
		return nil, err
	}
	var out []store.Digest
	for i, d := range blobs {
		if !there[i] {
			out = append(out, d)
		}
	}
	return out, nil
}

func (s *httpServer) readBatch(context.Context, []store.Digest, func(store.Digest, []byte) error) error {
	return errors.New("HTTP has no batches")
}

func (s *httpServer) writeBatch(context.Context, []blob) error {
	return errors.New("HTTP has no batches")
}

func (s *httpServer) read(ctx context.Context, d store.Digest, offset int64) (io.ReadCloser, error) {
	ctx, progress, stop := watch(ctx, s.stall, d.Size-offset)
	var head http.Header
	if offset > 0 {
		head = http.Header{"Range": {fmt.Sprintf("bytes=%d-", offset)}}
	}
	resp, err := s.do(ctx, http.MethodGet, "/cas/"+d.Hash, head, nil, 0, http.StatusOK, http.StatusPartialContent)
	if err != nil {
		stop()
		return nil, err
	}
	r := &bodyReader{ctx: ctx, body: resp.Body, progress: progress, stop: stop}
	if offset > 0 && resp.StatusCode == http.StatusOK { // no ranges: read from the start
		if _, err := io.CopyN(io.Discard, r, offset); err != nil {
			r.Close()
			return nil, err
		}
	}
	return r, nil
}

func (s *httpServer) write(ctx context.Context, d store.Digest, open func() (io.ReadCloser, error)) error {
	for n := 1; ; n++ {
		content, err := open()
		if err != nil {
			return err
		}
		err = s.put(ctx, "/cas/"+d.Hash, d.Size, content)
		content.Close()
		if !transient(err) || n == attempts || pause(ctx, n) != nil {
			return err
		}
	}
}

// watched reports each read.
type watched struct {
	r        io.Reader
	progress func()
}

func (w *watched) Read(b []byte) (int, error) {
	n, err := w.r.Read(b)
	if n > 0 {
		w.progress()
	}
	return n, err
}

// bodyReader is the body of an answer; its errors are those of the context when
// that has ended.
type bodyReader struct {
	ctx      context.Context
	body     io.ReadCloser
	progress func()
	stop     func()
}

func (r *bodyReader) Read(b []byte) (int, error) {
	n, err := r.body.Read(b)
	if n > 0 {
		r.progress()
	}
	if err != nil && err != io.EOF {
		err = because(r.ctx, err)
	}
	return n, err
}

func (r *bodyReader) Close() error {
	r.stop()
	return r.body.Close()
}
