package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"

	"espalier.dev/espalier/internal/fault"
)

// Reader reads a file of the store and verifies it. The hash is known at the
// last byte: if it is wrong, that Read returns ErrCorrupt, and the file is
// already in quarantine. A caller that does not read to the end must check the
// error of Close, which reads the rest.
type Reader struct {
	ctx     context.Context
	f       *os.File
	h       hash.Hash
	want    Digest
	n       int64
	err     error // sticky; io.EOF after a correct end
	kind    string
	damaged func() // moves the file to quarantine
}

// Get opens a blob. The error is ErrMissing, or ErrCorrupt when the size is
// already wrong.
func (s *Store) Get(ctx context.Context, d Digest) (*Reader, error) {
	path, err := s.blobPath(d)
	if err != nil {
		return nil, err
	}
	f, err := openNoFollow(path)
	if os.IsNotExist(err) {
		return nil, missing("blob", d)
	}
	if errors.Is(err, fs.ErrPermission) {
		return nil, fault.Wrap(fault.Usage, err, "reading the store "+s.dir,
			"ESPALIER_STORE=/path/of/your/own espalier ...   # another user owns this one")
	}
	if err != nil {
		return nil, fmt.Errorf("reading blob %s: %w", d, err)
	}
	r, err := s.newReader(ctx, f, d, "blob", func() { s.quarantineSame(f, path) })
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err == nil {
		s.used(path, info)
	}
	return r, nil
}

func (s *Store) newReader(ctx context.Context, f *os.File, d Digest, kind string, damaged func()) (*Reader, error) {
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	if d.Size >= 0 && info.Size() != d.Size {
		damaged()
		f.Close()
		return nil, corrupt(kind, d, fmt.Sprintf("it has %d bytes", info.Size()))
	}
	d.Size = info.Size()
	return &Reader{ctx: ctx, f: f, h: sha256.New(), want: d, kind: kind, damaged: damaged}, nil
}

// quarantineSame moves path to quarantine if it is still the file that was
// read: another process may have replaced it by a good one.
func (s *Store) quarantineSame(f *os.File, path string) {
	was, err1 := f.Stat()
	is, err2 := os.Lstat(path)
	if err1 == nil && err2 == nil && os.SameFile(was, is) {
		s.quarantine(path)
	}
}

// Size returns the blob's size in bytes.
func (r *Reader) Size() int64 { return r.want.Size }

func (r *Reader) Read(b []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	if err := r.ctx.Err(); err != nil {
		return 0, context.Cause(r.ctx)
	}
	if len(b) == 0 {
		return 0, nil
	}
	n, err := r.f.Read(b)
	r.n += int64(n)
	r.h.Write(b[:n])
	if err != nil && err != io.EOF {
		r.err = fmt.Errorf("reading %s %s: %w", r.kind, r.want, err)
		return n, r.err
	}
	if err == io.EOF || r.n >= r.want.Size {
		if got := hex.EncodeToString(r.h.Sum(nil)); r.n != r.want.Size || got != r.want.Hash {
			r.damaged()
			r.err = corrupt(r.kind, r.want, fmt.Sprintf("its content is %s", Digest{got, r.n}))
		} else {
			r.err = io.EOF
		}
		if n > 0 && r.err == io.EOF {
			return n, nil
		}
		return n, r.err
	}
	return n, nil
}

// Close reads the rest, and returns ErrCorrupt if the bytes that were returned
// before are wrong. After a Read error, or when the context has ended, it only
// closes.
func (r *Reader) Close() error {
	if r.f == nil {
		return nil
	}
	var err error
	if r.err == nil {
		if _, err = io.Copy(io.Discard, struct{ io.Reader }{r}); err != nil && r.ctx.Err() != nil {
			err = nil
		}
	}
	closeErr := r.f.Close()
	r.f = nil
	if err == nil {
		err = closeErr
	}
	return err
}

// ReadBlob returns a whole verified blob of at most limit bytes.
func (s *Store) ReadBlob(ctx context.Context, d Digest, limit int64) ([]byte, error) {
	r, err := s.Get(ctx, d)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if r.Size() > limit {
		r.err = io.EOF // no bytes were returned: reading the rest is unnecessary
		return nil, fmt.Errorf("blob %s: larger than %d bytes", d, limit)
	}
	b := make([]byte, r.Size())
	if _, err := io.ReadFull(r, b); err != nil && err != io.EOF {
		return nil, err
	}
	// An empty blob is verified by the read that returns io.EOF.
	if _, err := r.Read(make([]byte, 1)); err != io.EOF {
		return nil, err
	}
	return b, nil
}

// OpenVerified hashes a whole blob and then opens it for random access. The
// caller closes it.
func (s *Store) OpenVerified(ctx context.Context, d Digest) (*os.File, error) {
	r, err := s.Get(ctx, d)
	if err != nil {
		return nil, err
	}
	if _, err := io.Copy(io.Discard, struct{ io.Reader }{r}); err != nil {
		r.Close()
		return nil, err
	}
	if _, err := r.f.Seek(0, io.SeekStart); err != nil {
		r.Close()
		return nil, err
	}
	return r.f, nil
}
