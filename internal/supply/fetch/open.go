package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// body is the body of a transfer in progress. offset is where it starts, which
// is 0 for a server without range support, whatever was requested.
type body struct {
	io.Reader
	offset int64
	close  func()
}

// open requests u from offset on. size is that of the whole file, -1 when
// unknown.
func (c *Client) open(ctx context.Context, u *url.URL, offset, size int64) (*body, error) {
	if u.Scheme == "file" || u.Scheme == "copy" {
		return openFile(u, offset)
	}
	release, err := c.slot(ctx, u.Host)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	done := func() { cancel(nil); release() }
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		done()
		return nil, permanent{errors.New("not a URL")}
	}
	req.Header.Set("User-Agent", "espalier")
	c.authorise(req)
	if offset > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", offset))
	}
	resp, err := c.http.Do(req)
	if err != nil {
		done()
		return nil, plain(err)
	}
	fail := func(err error) (*body, error) {
		resp.Body.Close()
		done()
		return nil, err
	}
	switch resp.StatusCode {
	case http.StatusOK:
		offset = 0
	case http.StatusPartialContent:
		start, total, ok := contentRange(resp.Header.Get("Content-Range"))
		if !ok || start != offset || size >= 0 && total >= 0 && total != size {
			return fail(errBadRange)
		}
	case http.StatusRequestedRangeNotSatisfiable:
		return fail(errBadRange)
	default:
		return fail(&statusError{code: resp.StatusCode, after: retryAfter(resp.Header.Get("Retry-After"))})
	}
	if size >= 0 && resp.ContentLength >= 0 && offset+resp.ContentLength != size {
		return fail(permanent{fmt.Errorf("has %d bytes, want %d", offset+resp.ContentLength, size)})
	}
	stall := time.AfterFunc(c.cfg.Stall, func() { cancel(fmt.Errorf("no data for %v", c.cfg.Stall)) })
	return &body{
		Reader: &watched{ctx: ctx, r: resp.Body, timer: stall, limit: c.cfg.Stall},
		offset: offset,
		close:  func() { stall.Stop(); resp.Body.Close(); done() },
	}, nil
}

// errBadRange means that the whole file must be requested instead.
var errBadRange = errors.New("the server sent another range")

// watched is a response body with a timeout for stalled transfers.
type watched struct {
	ctx   context.Context
	r     io.Reader
	timer *time.Timer
	limit time.Duration
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	w.timer.Reset(w.limit)
	if err != nil && err != io.EOF {
		if cause := context.Cause(w.ctx); cause != nil && !errors.Is(cause, context.Canceled) {
			err = cause
		}
		err = plain(err)
	}
	return n, err
}

func openFile(u *url.URL, offset int64) (*body, error) {
	name := u.Path
	if name == "" {
		name = u.Opaque // Open below rejects relative names
	}
	if !strings.HasPrefix(name, "/") {
		return nil, permanent{errors.New("a file URL needs an absolute path")}
	}
	f, err := os.Open(name)
	if err != nil {
		var pe *os.PathError
		if errors.As(err, &pe) {
			err = pe.Err // without the name, which the caller adds
		}
		return nil, permanent{err}
	}
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() {
		f.Close()
		return nil, permanent{errors.New("not a regular file")}
	}
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		f.Close()
		return nil, permanent{err}
	}
	return &body{Reader: f, offset: offset, close: func() { f.Close() }}, nil
}

// contentRange parses "bytes 100-199/200"; total is -1 for "*".
func contentRange(v string) (start, total int64, ok bool) {
	v, ok = strings.CutPrefix(v, "bytes ")
	if !ok {
		return 0, 0, false
	}
	span, all, ok := strings.Cut(v, "/")
	if !ok {
		return 0, 0, false
	}
	first, _, ok := strings.Cut(span, "-")
	if !ok {
		return 0, 0, false
	}
	start, err := strconv.ParseInt(first, 10, 64)
	if err != nil {
		return 0, 0, false
	}
	if all == "*" {
		return start, -1, true
	}
	total, err = strconv.ParseInt(all, 10, 64)
	return start, total, err == nil
}

// retryAfter parses a number of seconds; the date form is ignored.
func retryAfter(v string) time.Duration {
	n, err := strconv.Atoi(v)
	if err != nil || n < 0 {
		return 0
	}
	return time.Duration(min(n, 30)) * time.Second
}

// plain removes the URL that net/http adds to errors: the caller adds it once,
// without credentials.
func plain(err error) error {
	var ue *url.Error
	if errors.As(err, &ue) {
		return ue.Err
	}
	return err
}
