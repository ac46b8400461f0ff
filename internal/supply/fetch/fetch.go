package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"runtime"
	"strings"

	"golang.org/x/sync/errgroup"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/progress"
	"espalier.dev/espalier/internal/store"
)

// File is a file to download.
type File struct {
	Name     string       // for messages: "rustc-web 1.96.0+dfsg1-1~deb12u2"
	Digest   store.Digest // Size -1 when unknown
	Path     string       // location-independent: "pool/main/…"; a complete URL when Prefixes is empty
	Prefixes []string     // tried in order: "file:///mnt/debian/"
	Limit    int64        // maximum number of bytes when the size is unknown; default 1 GiB
	Hints    []string     // printed when no location has the file
}

// DefaultLimit is the maximum size of a file of unknown size, in bytes.
const DefaultLimit = 1 << 30

// Fetch downloads all files into the store and calls done for each as soon as
// its blob is present, including those that were present before. Calls of done
// are concurrent, at most GOMAXPROCS at a time, and never for the same file
// twice; done may be nil. Downloads start in the order of files. The first
// error cancels the rest; it is a fault.Pins that names the file, every
// location tried with its cause, and a remedy. Bytes are counted in task, which
// may be nil.
func (c *Client) Fetch(ctx context.Context, st *store.Store, files []File, task progress.Task, done func(context.Context, int, File) error) error {
	if task == nil {
		task = progress.Discard.Start("", progress.Bytes, 0)
	}
	if c.cfg.Offline {
		if err := c.missing(st, files); err != nil {
			return err
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	complete := make(chan int, len(files))
	group.Go(func() error {
		defer close(complete)
		downloads, ctx := errgroup.WithContext(ctx)
		downloads.SetLimit(c.cfg.Workers)
		for i := range files {
			if ctx.Err() != nil {
				break
			}
			downloads.Go(func() error {
				if err := c.one(ctx, st, &files[i], task); err != nil {
					return err
				}
				complete <- i
				return nil
			})
		}
		return downloads.Wait()
	})
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() error {
			for i := range complete {
				if done == nil {
					continue
				}
				if err := ctx.Err(); err != nil {
					return err
				}
				if err := done(ctx, i, files[i]); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// missing returns the error of an offline client that lists the missing files,
// nil when there are none.
func (c *Client) missing(st *store.Store, files []File) error {
	const show = 8
	var names []string
	for _, f := range files {
		if !st.Has(f.Digest) {
			names = append(names, f.Name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	list := strings.Join(names[:min(len(names), show)], ", ")
	if len(names) > show {
		list += fmt.Sprintf(" and %d more", len(names)-show)
	}
	return fault.New(fault.Pins, "not in the store and offline: "+list, "with a network: "+c.cfg.Command)
}

// cause is the error of one location.
type cause struct {
	at  string
	err error
}

// one downloads one file.
func (c *Client) one(ctx context.Context, st *store.Store, f *File, task progress.Task) error {
	if st.Has(f.Digest) {
		if f.Digest.Size > 0 {
			task.Add(f.Digest.Size)
		}
		return nil
	}
	prefixes := f.Prefixes
	if len(prefixes) == 0 {
		prefixes = []string{""}
	}
	task.Item(f.Name)
	var causes []cause
	for _, prefix := range prefixes {
		u, err := join(prefix, f.Path)
		if err != nil {
			causes = append(causes, cause{redact(prefix), err})
			continue
		}
		err = c.from(ctx, st, f, u, task)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var local *localError
		if errors.As(err, &local) {
			return fault.Wrap(kindOr(local.err, fault.Pins), local.err, "fetching "+f.Name)
		}
		causes = append(causes, cause{where(u), err})
	}
	return c.lost(f, causes)
}

func kindOr(err error, k fault.Kind) fault.Kind {
	if got := fault.KindOf(err); got != fault.Bug {
		return got
	}
	return k
}

// redact replaces an invalid prefix in an error when it may contain a password.
func redact(prefix string) string {
	if i := strings.LastIndexByte(prefix, '@'); i >= 0 {
		return "…" + prefix[i:]
	}
	return prefix
}

// lost is the error of a file that could not be downloaded from any location.
func (c *Client) lost(f *File, causes []cause) error {
	var b strings.Builder
	gone, wrong := 0, 0
	for i, cs := range causes {
		if i > 0 {
			b.WriteString("; ")
		}
		fmt.Fprintf(&b, "%s: %v", cs.at, cs.err)
		if NotFound(cs.err) {
			gone++
		}
		var mismatch *store.MismatchError
		if errors.As(cs.err, &mismatch) {
			wrong++
		}
	}
	hints := f.Hints
	switch {
	case gone == len(causes):
		hints = append(hints, fmt.Sprintf("no location has %s any longer: add one that keeps old versions to prefixes in [supply] of espalier.toml; a local directory is file:///PATH/", f.Path))
	case wrong > 0:
		hints = append(hints, "a location has other content than the lock; add another one to prefixes in [supply] of espalier.toml, or pin the current versions: espalier lock")
	default:
		hints = append(hints, "check the network and the proxy (http_proxy, https_proxy), then run "+c.cfg.Command+" again; finished downloads are kept")
	}
	text := fmt.Sprintf("fetching %s", f.Name)
	if len(causes) > 1 {
		text += fmt.Sprintf(", %d locations tried", len(causes))
	}
	return &fault.Error{Kind: fault.Pins, Text: text, Hints: hints, Err: errors.New(b.String())}
}

// localError is an error of this machine, such as a full disk: other locations
// would not help.
type localError struct{ err error }

func (e *localError) Error() string { return e.err.Error() }
func (e *localError) Unwrap() error { return e.err }

// from downloads f from one location, resuming and retrying.
func (c *Client) from(ctx context.Context, st *store.Store, f *File, u *url.URL, task progress.Task) error {
	ranges := true // false after the location answered with a wrong range
	for try := 0; ; try++ {
		err := c.transfer(ctx, st, f, u, ranges, task)
		switch {
		case err == nil || errors.Is(err, store.ErrPresent):
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, errBadRange) && ranges:
			ranges = false
			continue
		case errors.Is(err, errStale):
			continue // the partial file of an earlier run was wrong; it is deleted now
		case !transient(err) || try >= c.cfg.Retries:
			return err
		}
		if err := c.pause(ctx, try, err); err != nil {
			return err
		}
	}
}

// errStale means that the digest is wrong after resuming: the first part may
// come from another location, so this location is tried again from the
// beginning.
var errStale = errors.New("the resumed part was wrong")

func (c *Client) transfer(ctx context.Context, st *store.Store, f *File, u *url.URL, ranges bool, task progress.Task) (err error) {
	p, err := st.Partial(ctx, f.Digest)
	if err != nil {
		if errors.Is(err, store.ErrPresent) {
			task.Add(max(f.Digest.Size, 0))
			return err
		}
		return &localError{err}
	}
	defer p.Close()
	size := f.Digest.Size
	if size >= 0 && p.Offset() > size || !ranges && p.Offset() > 0 {
		if err := p.Reset(); err != nil {
			return &localError{err}
		}
	}
	counted := p.Offset()
	task.Add(counted)
	defer func() {
		if err != nil {
			task.Add(-counted) // the next attempt counts them again
		}
	}()
	resumed := p.Offset() > 0
	if size < 0 || p.Offset() < size {
		b, err := c.open(ctx, u, p.Offset(), size)
		if err != nil {
			return err
		}
		defer b.close()
		if b.offset != p.Offset() { // the server does not support ranges
			if err := p.Reset(); err != nil {
				return &localError{err}
			}
			task.Add(-counted)
			counted, resumed = 0, false
		}
		limit := f.Limit
		if limit <= 0 {
			limit = DefaultLimit
		}
		if size >= 0 {
			limit = size
		}
		if err := copyInto(p, b, limit-p.Offset(), func(n int64) { counted += n; task.Add(n) }); err != nil {
			return err
		}
		if size >= 0 && p.Offset() < size {
			return fmt.Errorf("ends after %d of %d bytes", p.Offset(), size)
		}
	}
	if _, err := p.Commit(); err != nil {
		var mismatch *store.MismatchError
		switch {
		case errors.As(err, &mismatch) && resumed:
			return errStale
		case errors.As(err, &mismatch):
			return permanent{err}
		}
		return &localError{err}
	}
	return nil
}

// copyInto copies at most limit+1 bytes, so that a longer file is detected
// without reading all of it.
func copyInto(p *store.Partial, r io.Reader, limit int64, count func(int64)) error {
	buf := make([]byte, 128<<10)
	for {
		n, err := r.Read(buf[:min(int64(len(buf)), limit+1)])
		if int64(n) > limit {
			if rerr := p.Reset(); rerr != nil {
				return &localError{rerr}
			}
			return permanent{errors.New("is longer than the lock says")}
		}
		if n > 0 {
			if _, werr := p.Write(buf[:n]); werr != nil {
				return &localError{werr}
			}
			limit -= int64(n)
			count(int64(n))
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// Get downloads a small document whose digest is not known in advance from the
// first prefix that has it, and returns the URL too. A document of more than
// limit bytes is an error. When no location has it, NotFound(err) is true.
func (c *Client) Get(ctx context.Context, path string, prefixes []string, limit int64) (data []byte, from string, err error) {
	if c.cfg.Offline {
		return nil, "", fault.New(fault.Pins, "requesting "+path+" while offline", "with a network: "+c.cfg.Command)
	}
	var last error
	for _, prefix := range prefixes {
		u, err := join(prefix, path)
		if err != nil {
			last = fmt.Errorf("%s: %w", redact(prefix), err)
			continue
		}
		for try := 0; ; try++ {
			data, err = c.small(ctx, u, limit)
			if err == nil {
				return data, where(u), nil
			}
			if ctx.Err() != nil {
				return nil, "", ctx.Err()
			}
			if !transient(err) || try >= c.cfg.Retries {
				break
			}
			if err := c.pause(ctx, try, err); err != nil {
				return nil, "", err
			}
		}
		last = fmt.Errorf("%s: %w", where(u), err)
	}
	if last == nil {
		last = errors.New("no location")
	}
	return nil, "", last
}

func (c *Client) small(ctx context.Context, u *url.URL, limit int64) ([]byte, error) {
	b, err := c.open(ctx, u, 0, -1)
	if err != nil {
		return nil, err
	}
	defer b.close()
	data, err := io.ReadAll(io.LimitReader(b, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, permanent{fmt.Errorf("is longer than %d bytes", limit)}
	}
	return data, nil
}
