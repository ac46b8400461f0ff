package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"

	"espalier.dev/espalier/internal/atomicfile"
)

// Has reports whether the blob exists, by name and, if d has a size, by size.
// The content is verified when it is read.
func (s *Store) Has(d Digest) bool {
	path, err := s.blobPath(d)
	if err != nil {
		return false
	}
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || d.Size >= 0 && info.Size() != d.Size {
		return false
	}
	s.used(path, info)
	return true
}

// Put stores the content of r. It is hashed while it is written to a temporary
// file; the file is synced and renamed to its digest, and the directory is
// synced, so a blob with a final name survives a power loss. Errors of r are
// returned unchanged.
func (s *Store) Put(ctx context.Context, r io.Reader) (Digest, error) {
	return s.put(ctx, r, Digest{Size: -1}, true)
}

// PutBytes stores b.
func (s *Store) PutBytes(ctx context.Context, b []byte) (Digest, error) {
	if d := DigestOf(b); s.Has(d) {
		return d, nil
	}
	return s.Put(ctx, bytes.NewReader(b))
}

// PutFile stores a copy of the file at a host path.
func (s *Store) PutFile(ctx context.Context, path string) (Digest, error) {
	f, err := openNoFollow(path)
	if err != nil {
		return Digest{}, err
	}
	defer f.Close()
	return s.Put(ctx, f)
}

// PutExpected stores the content of r if its digest is want; otherwise the
// error is a *MismatchError. want.Size may be -1. If the blob exists, r is not
// read. The returned digest has the size.
func (s *Store) PutExpected(ctx context.Context, r io.Reader, want Digest) (Digest, error) {
	if err := checkHash(want.Hash); err != nil {
		return Digest{}, err
	}
	if d, err := s.stat(want); err == nil {
		return d, nil
	}
	return s.put(ctx, r, want, true)
}

// stat returns a digest with the size of the existing blob.
func (s *Store) stat(d Digest) (Digest, error) {
	path, err := s.blobPath(d)
	if err != nil {
		return Digest{}, err
	}
	info, err := os.Lstat(path)
	if err != nil || d.Size >= 0 && info.Size() != d.Size {
		return Digest{}, missing("blob", d)
	}
	s.used(path, info)
	return Digest{d.Hash, info.Size()}, nil
}

func (s *Store) put(ctx context.Context, r io.Reader, want Digest, durable bool) (Digest, error) {
	if err := s.mayWrite("a blob"); err != nil {
		return Digest{}, err
	}
	f, err := os.CreateTemp(s.path(tempDir), "blob-")
	if err != nil {
		return Digest{}, s.writing("a blob", err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	got, err := s.copyHash(ctx, f, r, want)
	if err != nil {
		return Digest{}, err
	}
	if want.Hash != "" && got.Hash != want.Hash || want.Size >= 0 && got.Size != want.Size {
		return Digest{}, mismatch(want, got)
	}
	return got, s.adopt(f, got, durable)
}

// adopt renames a complete and verified temporary file to its digest. An
// existing file of that name and size is kept: it is verified when it is read.
func (s *Store) adopt(f *os.File, d Digest, durable bool) error {
	final := s.path(blobDir, d.Hash)
	if info, err := os.Lstat(final); err == nil && info.Mode().IsRegular() && info.Size() == d.Size {
		s.used(final, info)
		return nil
	}
	return s.writing("blob "+d.String(), atomicfile.Publish(f, final, 0o444, durable))
}

// copyHash copies r to w and returns the digest of the data. If want has a
// size, a longer stream is a *MismatchError as soon as it exceeds it, so that a
// server cannot fill the disk. w may be nil. Read errors are returned
// unchanged, write errors classified.
func (s *Store) copyHash(ctx context.Context, w io.Writer, r io.Reader, want Digest) (Digest, error) {
	buf := s.buffers.Get().(*[]byte)
	defer s.buffers.Put(buf)
	h := sha256.New()
	var n int64
	for {
		if err := ctx.Err(); err != nil {
			return Digest{}, context.Cause(ctx)
		}
		k, err := r.Read(*buf)
		chunk := (*buf)[:k]
		n += int64(k)
		if want.Size >= 0 && n > want.Size {
			return Digest{}, mismatch(want, Digest{})
		}
		h.Write(chunk)
		if w != nil && k > 0 {
			if _, werr := w.Write(chunk); werr != nil {
				return Digest{}, s.writing("a file", werr)
			}
		}
		if err == io.EOF {
			return Digest{hex.EncodeToString(h.Sum(nil)), n}, nil
		}
		if err != nil {
			return Digest{}, err
		}
	}
}

// blobPath returns an error for anything but a hash, so that no digest can name
// a file outside the store.
func (s *Store) blobPath(d Digest) (string, error) {
	if err := checkHash(d.Hash); err != nil {
		return "", err
	}
	return s.path(blobDir, d.Hash), nil
}

func checkHash(hash string) error {
	if len(hash) != hex.EncodedLen(sha256.Size) {
		return fmt.Errorf("digest %q: want 64 lower-case hex digits", hash)
	}
	for _, c := range []byte(hash) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return fmt.Errorf("digest %q: want 64 lower-case hex digits", hash)
		}
	}
	return nil
}
