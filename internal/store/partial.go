package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
)

// Partial is a resumable download. Written data is kept in a file named by the
// expected hash, so that the next attempt, in this process or a later one,
// continues where this one stopped. One process at a time can open it. Its
// methods are for one goroutine.
type Partial struct {
	s    *Store
	f    *os.File
	h    hash.Hash
	n    int64
	want Digest
}

// Partial opens the resumable download of want, whose size may be -1. It waits
// until no other process is downloading the same blob. ErrPresent means that
// the blob exists.
func (s *Store) Partial(ctx context.Context, want Digest) (*Partial, error) {
	if err := checkHash(want.Hash); err != nil {
		return nil, err
	}
	path := s.path(partialDir, want.Hash)
	for {
		if _, err := s.stat(want); err == nil {
			return nil, fmt.Errorf("blob %s: %w", want, ErrPresent)
		}
		if err := s.mayWrite("a download"); err != nil {
			return nil, err
		}
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
		if err != nil {
			return nil, s.writing("a download", err)
		}
		if err := waitLock(ctx, f, true); err != nil {
			f.Close()
			return nil, err
		}
		// Meanwhile the file may have become the blob, or been removed.
		is, err1 := os.Lstat(path)
		have, err2 := f.Stat()
		if err1 != nil || err2 != nil || !os.SameFile(is, have) {
			f.Close()
			continue
		}
		p := &Partial{s: s, f: f, want: want}
		if err := p.resume(ctx, have.Size()); err != nil {
			f.Close()
			return nil, err
		}
		return p, nil
	}
}

// resume hashes the existing data. A file that is longer than the blob is
// wrong.
func (p *Partial) resume(ctx context.Context, size int64) error {
	p.h = sha256.New()
	if p.want.Size >= 0 && size > p.want.Size {
		return p.Reset()
	}
	d, err := p.s.copyHash(ctx, p.h, p.f, Digest{Size: -1})
	p.n = d.Size
	return err
}

// Offset returns the number of written bytes: the start of the next range.
func (p *Partial) Offset() int64 { return p.n }

// Write appends. Exceeding the size of the blob is a *MismatchError.
func (p *Partial) Write(b []byte) (int, error) {
	if p.want.Size >= 0 && p.n+int64(len(b)) > p.want.Size {
		return 0, mismatch(p.want, Digest{})
	}
	n, err := p.f.Write(b)
	p.h.Write(b[:n])
	p.n += int64(n)
	return n, p.s.writing("a download", err)
}

// Reset discards the written data, for a server that starts from the beginning.
func (p *Partial) Reset() error {
	if err := p.f.Truncate(0); err != nil {
		return p.s.writing("a download", err)
	}
	if _, err := p.f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	p.h.Reset()
	p.n = 0
	return nil
}

// Commit verifies the data and makes it a blob. If its digest is not want, it
// is removed and the error is a *MismatchError: the next attempt starts from
// the beginning.
func (p *Partial) Commit() (Digest, error) {
	if p.f == nil {
		return Digest{}, errors.New("store: Commit of a closed download")
	}
	got := Digest{hex.EncodeToString(p.h.Sum(nil)), p.n}
	if got.Hash != p.want.Hash || p.want.Size >= 0 && got.Size != p.want.Size {
		os.Remove(p.f.Name())
		p.Close()
		return Digest{}, mismatch(p.want, got)
	}
	f := p.f
	p.f = nil
	defer f.Close()
	if err := p.s.adopt(f, got, true); err != nil {
		return Digest{}, err
	}
	os.Remove(f.Name()) // exists only if the blob already did
	return got, nil
}

// Close keeps the written data for the next attempt. It does nothing after
// Commit.
func (p *Partial) Close() error {
	if p.f == nil {
		return nil
	}
	err := p.f.Close()
	p.f = nil
	return err
}
