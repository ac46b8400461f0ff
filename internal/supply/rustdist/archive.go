package rustdist

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/therootcompany/xz"

	"espalier.dev/espalier/internal/store"
)

// Rule is the version of the unpacking rules: omitted files and the paths of
// the others. A toolchain's tree depends on it, so a change requires a new
// number.
const Rule = 1

// Limits of an archive. The largest component in 2026, rustc, unpacks to
// 0.6 GB; xz -9 needs a dictionary of 64 MiB.
const (
	maxUnpacked   = 16 << 30
	maxListing    = 16 << 20 // of manifest.in
	maxDictionary = 128 << 20
)

// Sink receives the entries of a component: clean paths below the root of a
// tree. store.TreeSource implements it.
type Sink interface {
	File(ctx context.Context, path string, executable bool, r io.Reader) (store.Digest, error)
	Symlink(path, target string) error
	Dir(path string) error
}

// Unpack writes the files of a component archive to to, below usr/. name is
// the archive's file name, whose suffix names the compression. open returns
// the archive from its start; it is called once.
//
// An archive is a directory NAME with the files components (a list of
// subdirectories), rust-installer-version, and for each component a directory with
// manifest.in, a list of "file:PATH" and "dir:PATH" that is what its install
// script would copy. Nothing else is taken, and everything that is listed must
// be there: an archive that was cut, or that lists a file twice, is an error.
func Unpack(ctx context.Context, name string, open func() (io.ReadCloser, error), to Sink) (err error) {
	blob, err := open()
	if err != nil {
		return err
	}
	defer func() {
		// The store verifies the content when it is closed. A wrong digest
		// takes precedence over an error in the archive that it causes.
		if cerr := blob.Close(); cerr != nil {
			err = cerr
		}
	}()
	data, err := decompress(blob, name)
	if err != nil {
		return err
	}
	u := unpacker{to: to, listed: map[string]bool{}}
	if err := u.walk(ctx, tar.NewReader(data)); err != nil {
		return err
	}
	// After the end of the archive there is padding and the checksum of the
	// compression.
	if _, err := io.Copy(io.Discard, data); err != nil {
		return err
	}
	return u.finish()
}

func decompress(r io.Reader, name string) (io.Reader, error) {
	switch {
	case strings.HasSuffix(name, ".tar.xz"):
		x, err := xz.NewReader(bufio.NewReaderSize(r, 1<<16), maxDictionary)
		if err != nil {
			return nil, err
		}
		return truncation{x}, nil
	case strings.HasSuffix(name, ".tar.gz"):
		return gzip.NewReader(r)
	}
	return nil, fmt.Errorf("archive %s is neither .tar.xz nor .tar.gz", name)
}

// truncation replaces the decoder's error for missing input by
// io.ErrUnexpectedEOF.
type truncation struct{ r io.Reader }

func (t truncation) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	if errors.Is(err, xz.ErrBuf) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// unpacker is the state of one archive. Lists may come before or after the
// files that they name, so written files are compared with them at the end.
type unpacker struct {
	to     Sink
	root   string          // the archive's only top-level directory
	parts  []string        // of the file components
	listed map[string]bool // "PART/PATH" of manifest.in: true for a directory
	lists  int             // how many manifest.in have been read
	files  []string        // "PART/PATH" of what was written
	total  int64
}

func (u *unpacker) walk(ctx context.Context, in *tar.Reader) error {
	for {
		h, err := in.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if u.total += h.Size; u.total > maxUnpacked {
			return fmt.Errorf("it unpacks to more than %d bytes", int64(maxUnpacked))
		}
		if err := u.entry(ctx, h, in); err != nil {
			return err
		}
	}
}

// entry handles one entry of the archive.
func (u *unpacker) entry(ctx context.Context, h *tar.Header, r io.Reader) error {
	name, err := entryPath(h.Name)
	if err != nil || name == "" {
		return err
	}
	root, rest, _ := strings.Cut(name, "/")
	if u.root == "" {
		u.root = root
	}
	if root != u.root {
		return fmt.Errorf("entry %q is outside of the directory %s", h.Name, u.root)
	}
	part, below, nested := strings.Cut(rest, "/")
	switch {
	case rest == "components" && h.Typeflag == tar.TypeReg:
		return u.readParts(r)
	case rest == "rust-installer-version" && h.Typeflag == tar.TypeReg:
		b, err := io.ReadAll(io.LimitReader(r, 16))
		if v := strings.TrimSpace(string(b)); err == nil && v != "3" {
			return fmt.Errorf("an archive of installer version %q: only 3 is known", v)
		}
		return err
	case !nested:
		return nil // the install script, licences, the directory itself
	case below == "manifest.in":
		return u.readListing(part, r)
	}
	dest := destination(below)
	switch h.Typeflag {
	case tar.TypeDir:
		return nil // made by the files in them
	case tar.TypeReg:
		u.files = append(u.files, part+"/"+below)
		if dest == "" {
			return nil
		}
		_, err := u.to.File(ctx, dest, h.Mode&0o111 != 0, r)
		return err
	case tar.TypeSymlink:
		target := path.Join(path.Dir(below), h.Linkname)
		if path.IsAbs(h.Linkname) || target == ".." || strings.HasPrefix(target, "../") {
			return fmt.Errorf("symlink %q to %q leaves the component", h.Name, h.Linkname)
		}
		u.files = append(u.files, part+"/"+below)
		if dest == "" {
			return nil
		}
		return u.to.Symlink(dest, h.Linkname)
	}
	return fmt.Errorf("entry %q is neither a file, a directory nor a symlink (type %q)", h.Name, h.Typeflag)
}

// librarySource is where rust-src has the workspace of the standard library.
const librarySource = "lib/rustlib/src/rust/library/"

// destination is where a file of a component goes, "" for what no build reads:
// documentation, manual pages and shell completions. Since 1.86 rust-src also
// has a copy of the library's crates and a configuration that makes cargo use
// it; the lock pins the same crates by the checksums of the library's own
// Cargo.lock, and a build finds all crates in one place.
func destination(below string) string {
	for _, dir := range []string{"share/doc/", "share/man/", "share/zsh/", "etc/", librarySource + "vendor/", librarySource + ".cargo/"} {
		if strings.HasPrefix(below, dir) {
			return ""
		}
	}
	return "usr/" + below
}

func (u *unpacker) readParts(r io.Reader) error {
	b, err := io.ReadAll(io.LimitReader(r, maxListing))
	if err != nil {
		return err
	}
	for _, line := range strings.Fields(string(b)) {
		if clean, err := entryPath(line); err != nil || clean != line || strings.Contains(line, "/") {
			return fmt.Errorf("component %q is not a plain name", line)
		}
		u.parts = append(u.parts, line)
	}
	return nil
}

func (u *unpacker) readListing(part string, r io.Reader) error {
	u.lists++
	in := bufio.NewScanner(io.LimitReader(r, maxListing))
	for in.Scan() {
		line := strings.TrimSpace(in.Text())
		kind, p, _ := strings.Cut(line, ":")
		if line == "" {
			continue
		}
		clean, err := entryPath(p)
		if err != nil || clean == "" || kind != "file" && kind != "dir" {
			return fmt.Errorf("manifest.in of %s: %q is neither file:PATH nor dir:PATH", part, line)
		}
		u.listed[part+"/"+clean] = kind == "dir"
	}
	return in.Err()
}

// finish compares the written files with those that the archive lists.
func (u *unpacker) finish() error {
	if u.root == "" || len(u.parts) == 0 || u.lists != len(u.parts) {
		return fmt.Errorf("not an archive of the Rust distribution: %d components, %d lists of files", len(u.parts), u.lists)
	}
	used := map[string]bool{}
	for _, f := range u.files {
		entry, ok := u.listing(f)
		if !ok {
			return fmt.Errorf("the archive has %s, which its list of files lacks", f)
		}
		used[entry] = true
	}
	for name, dir := range u.listed {
		if !used[name] && !dir {
			return fmt.Errorf("the archive lists %s and does not have it", name)
		}
	}
	return nil
}

// listing finds the line for a file: its own, or that of a parent directory.
func (u *unpacker) listing(f string) (string, bool) {
	if dir, ok := u.listed[f]; ok && !dir {
		return f, true
	}
	for p := path.Dir(f); p != "."; p = path.Dir(p) {
		if u.listed[p] {
			return p, true
		}
	}
	return "", false
}

// entryPath cleans a relative path. Paths that leave the archive are errors. It
// is "" for the archive itself.
func entryPath(name string) (string, error) {
	if strings.HasPrefix(name, "/") || strings.ContainsAny(name, "\x00\\") {
		return "", fmt.Errorf("entry %q is not a relative path", name)
	}
	for _, p := range strings.Split(name, "/") {
		if p == ".." {
			return "", fmt.Errorf("entry %q leaves the archive", name)
		}
	}
	if p := path.Clean(name); p != "." {
		return p, nil
	}
	return "", nil
}
