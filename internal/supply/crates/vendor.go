package crates

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/progress"
	"espalier.dev/espalier/internal/store"
)

// VendorVersion is the version of the vendor tree's format. A change of the
// format changes the files that a build sees, and requires a new number.
const VendorVersion = 1

type limits struct {
	bytes   int64 // of the unpacked archive
	entries int
}

// crateLimits bound an unpacked crate, against decompression bombs; registries
// accept archives of 10 MiB.
var crateLimits = limits{bytes: 512 << 20, entries: 100_000}

// Folder is the name of a crate's directory in the directory source. Cargo
// accepts any name; versions of the same crate need different ones.
func Folder(c lock.Crate) string { return c.Name + "-" + c.Version }

// Vendor unpacks the crates into one tree that cargo accepts as a directory
// source: <name>-<version>/ with a .cargo-checksum.json that contains the
// crate's checksum and no files. The list must not contain duplicates. The
// vendor tree of an earlier call with the same crates is reused.
//
// A crate that is not in the store is a fault.Pins.
func Vendor(ctx context.Context, st *store.Store, crates []lock.Crate, rep progress.Reporter) (store.Digest, error) {
	key := vendorKey(crates)
	memo := store.DigestOf(key)
	if tree, err := st.Memo(ctx, memo); err == nil {
		// The directory exists; it is verified when a step mounts it.
		return tree, nil
	}

	task := rep.Start("unpacking crates", progress.Crates, int64(len(crates)))
	tree, err := vendor(ctx, st, crates, task)
	if err == nil {
		err = st.PutMemo(ctx, key, tree)
	}
	task.Done(err)
	return tree, err
}

func vendorKey(crates []lock.Crate) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "vendor %d\n", VendorVersion)
	lines := make([]string, len(crates))
	for i, c := range crates {
		lines[i] = fmt.Sprintf("%s %s %s\n", c.Name, c.Version, c.Digest.Hash)
	}
	slices.Sort(lines)
	b.WriteString(strings.Join(lines, ""))
	return []byte(b.String())
}

func vendor(ctx context.Context, st *store.Store, crates []lock.Crate, task progress.Task) (store.Digest, error) {
	b, err := st.NewTree()
	if err != nil {
		return store.Digest{}, err
	}
	defer b.Close()

	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for _, c := range crates {
		g.Go(func() error {
			task.Item(c.Name)
			if err := unpack(gctx, st, b.Source(Folder(c)), c); err != nil {
				return err
			}
			task.Add(1)
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return store.Digest{}, err
	}
	return b.Commit(ctx)
}

// unpack writes one crate to its directory.
func unpack(ctx context.Context, st *store.Store, dst store.TreeSource, c lock.Crate) error {
	blob, err := st.Get(ctx, c.Digest)
	if errors.Is(err, store.ErrMissing) || errors.Is(err, store.ErrCorrupt) {
		return fault.Wrap(fault.Pins, err, fmt.Sprintf("crate %s %s", c.Name, c.Version), "espalier fetch")
	}
	if err != nil {
		return err
	}
	defer blob.Close()
	if err := Extract(blob, Folder(c), func(name string, exec bool, target string, r io.Reader) error {
		if target != "" {
			return dst.Symlink(path.Join(Folder(c), name), target)
		}
		_, err := dst.File(ctx, path.Join(Folder(c), name), exec, r)
		return err
	}); err != nil {
		return fault.Wrap(fault.Pins, err, fmt.Sprintf("unpacking crate %s %s", c.Name, c.Version))
	}
	if err := blob.Close(); err != nil {
		return fault.Wrap(fault.Pins, err, fmt.Sprintf("crate %s %s", c.Name, c.Version), "espalier fetch")
	}
	// An empty files map is accepted for every source that is a directory; the
	// package checksum must be the one in Cargo.lock.
	sum := fmt.Sprintf(`{"files":{},"package":"%s"}`, c.Digest.Hash)
	_, err = dst.File(ctx, path.Join(Folder(c), checksumFile), false, strings.NewReader(sum))
	return err
}

// Manifest returns the Cargo.toml of a crate. The error is store.ErrMissing
// when the crate is not in the store.
func Manifest(ctx context.Context, st *store.Store, c lock.Crate) ([]byte, error) {
	blob, err := st.Get(ctx, c.Digest)
	if err != nil {
		return nil, err
	}
	defer blob.Close()
	var text []byte
	err = Extract(blob, Folder(c), func(name string, _ bool, _ string, r io.Reader) error {
		if name != "Cargo.toml" || r == nil {
			return nil
		}
		if text, err = io.ReadAll(r); err != nil {
			return err
		}
		return errFound
	})
	if err != nil && err != errFound {
		return nil, fault.Wrap(fault.Pins, err, fmt.Sprintf("unpacking crate %s %s", c.Name, c.Version))
	}
	return text, nil
}

var errFound = errors.New("found")

const checksumFile = ".cargo-checksum.json"

// Extract reads a .crate archive (a gzipped tar whose entries are all in the
// directory folder) and calls fn for each file (target "") and symbolic link
// with its path in that directory. Any other type of entry, a path that leaves
// the directory and an archive beyond the limits are errors. A checksum file in
// the archive is skipped: the caller writes its own.
func Extract(r io.Reader, folder string, fn func(name string, exec bool, target string, r io.Reader) error) error {
	return extract(r, folder, crateLimits, fn)
}

func extract(r io.Reader, folder string, max limits, fn func(name string, exec bool, target string, r io.Reader) error) error {
	zr, err := gzip.NewReader(bufio.NewReaderSize(r, 64<<10))
	if err != nil {
		return err
	}
	// One byte more than the limit: the tar reader accepts a stream that ends
	// between two entries as complete, so reaching the limit must be
	// detectable.
	limited := &io.LimitedReader{R: zr, N: max.bytes + 1}
	tr := tar.NewReader(limited)
	for n := 0; ; n++ {
		h, err := tr.Next()
		if limited.N <= 0 || n > max.entries {
			return fmt.Errorf("larger than %d bytes or %d files unpacked", max.bytes, max.entries)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if h.Typeflag == tar.TypeXGlobalHeader {
			continue
		}
		clean := path.Clean(h.Name)
		name, ok := strings.CutPrefix(clean, folder+"/")
		if clean == folder && h.Typeflag == tar.TypeDir {
			continue
		}
		if !ok || path.IsAbs(h.Name) || strings.Contains(h.Name, "\\") || strings.ContainsRune(h.Name, 0) {
			return fmt.Errorf("entry %q is outside %s", h.Name, folder)
		}
		if name == checksumFile {
			continue
		}
		switch h.Typeflag {
		case tar.TypeDir:
		case tar.TypeReg:
			if err := fn(name, h.Mode&0o111 != 0, "", tr); err != nil {
				return err
			}
		case tar.TypeSymlink:
			to := path.Join(path.Dir(name), h.Linkname)
			if path.IsAbs(h.Linkname) || to == ".." || strings.HasPrefix(to, "../") {
				return fmt.Errorf("symbolic link %q leaves %s", h.Name, folder)
			}
			if err := fn(name, false, h.Linkname, nil); err != nil {
				return err
			}
		default:
			return fmt.Errorf("entry %q: unexpected type %q", h.Name, h.Typeflag)
		}
	}
	// The rest of the stream contains the gzip checksum.
	if _, err := io.Copy(io.Discard, limited); err != nil {
		return err
	}
	if limited.N <= 0 {
		return fmt.Errorf("larger than %d bytes unpacked", max.bytes)
	}
	return nil
}
