package archive

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"espalier.dev/espalier/internal/store"
)

// writeTree writes a tree as a tar file: entries in the tree's order, all times
// one second after the epoch, as in the store, and no owners.
func writeTree(ctx context.Context, st *store.Store, root store.Digest, w io.Writer) error {
	out := tar.NewWriter(w)
	err := st.Walk(ctx, root, func(e store.Entry) error {
		h := &tar.Header{Name: e.Path, ModTime: time.Unix(1, 0), Mode: 0o644}
		switch e.Type {
		case store.TypeDir:
			if e.Path == "" {
				return nil
			}
			h.Typeflag, h.Mode, h.Name = tar.TypeDir, 0o755, e.Path+"/"
			return out.WriteHeader(h)
		case store.TypeSymlink:
			h.Typeflag, h.Mode, h.Linkname = tar.TypeSymlink, 0o777, e.Target
			return out.WriteHeader(h)
		}
		h.Typeflag, h.Size = tar.TypeReg, e.Digest.Size
		if e.Executable {
			h.Mode = 0o755
		}
		if err := out.WriteHeader(h); err != nil {
			return err
		}
		r, err := st.Open(ctx, e)
		if err != nil {
			return err
		}
		if _, err := io.Copy(out, r); err != nil {
			r.Close()
			return err
		}
		return r.Close()
	})
	if err != nil {
		return err
	}
	return out.Close()
}

// readTree is the inverse of writeTree. size is that of the tar: the files in it
// cannot be larger together. The error is a *store.MismatchError when the tree is
// not want.
func readTree(ctx context.Context, st *store.Store, r io.Reader, size int64, want store.Digest) error {
	b, err := st.NewTree()
	if err != nil {
		return err
	}
	defer b.Close()
	to := b.Source("the archive")
	in := tar.NewReader(r)
	for n := 0; ; n++ {
		h, err := in.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		name := strings.TrimSuffix(h.Name, "/")
		if n >= maxEntries || !fs.ValidPath(name) || name == "." || strings.Contains(name, "\x00") {
			return fmt.Errorf("the name %q leaves the tree, or there are more than %d", h.Name, maxEntries)
		}
		if size -= h.Size; size < 0 {
			return errors.New("the files in it are larger than the archive")
		}
		switch h.Typeflag {
		case tar.TypeDir:
			err = to.Dir(name)
		case tar.TypeSymlink:
			err = to.Symlink(name, h.Linkname)
		case tar.TypeReg:
			_, err = to.File(ctx, name, h.Mode&0o100 != 0, in)
		default:
			err = fmt.Errorf("%q is neither file, directory nor symbolic link", h.Name)
		}
		if err != nil {
			return err
		}
	}
	got, err := b.Commit(ctx) // a wrong tree has its own name in the store and is not used
	if err == nil && got.Hash != want.Hash {
		return &store.MismatchError{Want: want, Got: got}
	}
	return err
}
