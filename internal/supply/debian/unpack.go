package debian

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"path"

	"espalier.dev/espalier/internal/store"
)

// maxUnpacked bounds the content of one package, in bytes; the largest of a
// toolchain has 0.4 GB.
const maxUnpacked = 16 << 30

// Sink receives a package's entries: merged paths, rewritten targets, nothing
// pruned. store.TreeSource implements it.
type Sink interface {
	File(ctx context.Context, path string, executable bool, r io.Reader) (store.Digest, error)
	Symlink(path, target string) error
	Dir(path string) error
}

// unpack writes the content of one package to a Sink. open is called again when
// the package has hard links, whose content is written once per name. Modes
// other than "executable", owners, times and set-id bits are dropped.
func unpack(ctx context.Context, open func() (io.ReadCloser, error), to Sink) error {
	links := map[string][]hardLink{} // by the name of the entry that they link to
	err := walkDeb(open, func(h *tar.Header, name string, r io.Reader) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		switch h.Typeflag {
		case tar.TypeDir:
			if isMerged(name) || pruned(name+"/") {
				return nil
			}
			return to.Dir(name)
		case tar.TypeReg:
			if pruned(name) {
				return nil
			}
			_, err := to.File(ctx, name, h.Mode&0o111 != 0, r)
			return err
		case tar.TypeSymlink:
			if isMerged(name) || pruned(name) {
				return nil
			}
			target, err := linkTarget(path.Clean(h.Name), h.Linkname)
			if err != nil {
				return err
			}
			return to.Symlink(name, target)
		case tar.TypeLink:
			of, err := entryPath(h.Linkname)
			if err != nil {
				return fmt.Errorf("hard link %q: %w", h.Name, err)
			}
			if !pruned(name) {
				links[of] = append(links[of], hardLink{name: name, exec: h.Mode&0o111 != 0})
			}
			return nil
		}
		return fmt.Errorf("entry %q is a device, a pipe or another special file (type %q)", h.Name, h.Typeflag)
	})
	if err != nil || len(links) == 0 {
		return err
	}
	return unpackLinks(ctx, open, to, links)
}

type hardLink struct {
	name string
	exec bool
}

// unpackLinks reads the package again for the content of hard links.
func unpackLinks(ctx context.Context, open func() (io.ReadCloser, error), to Sink, links map[string][]hardLink) error {
	type written struct{}
	done := map[string]written{}
	for len(done) < len(links) {
		before := len(done)
		// One name per pass: a stream can be read only once. Packages with
		// several names for one file are rare and small.
		picked := map[string]bool{}
		err := walkDeb(open, func(h *tar.Header, name string, r io.Reader) error {
			if h.Typeflag != tar.TypeReg || len(links[name]) == 0 || picked[name] {
				return nil
			}
			if _, ok := done[name]; ok {
				return nil
			}
			picked[name] = true
			link := links[name][0]
			if _, err := to.File(ctx, link.name, link.exec, r); err != nil {
				return err
			}
			if links[name] = links[name][1:]; len(links[name]) == 0 {
				done[name] = written{}
			}
			return nil
		})
		if err != nil {
			return err
		}
		if len(done) == before && len(picked) == 0 {
			for of, l := range links {
				if len(l) > 0 {
					return fmt.Errorf("hard link %q to %q, which is not a file of the package", l[0].name, of)
				}
			}
		}
	}
	return nil
}

// walkDeb calls visit for every entry of the data archive with its merged name,
// and reads the package to its end, so that its digest is checked.
func walkDeb(open func() (io.ReadCloser, error), visit func(h *tar.Header, name string, r io.Reader) error) (err error) {
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
	data, err := openDeb(blob)
	if err != nil {
		return err
	}
	defer data.Close()
	var total int64
	in := tar.NewReader(data)
	for {
		h, err := in.Next()
		if err == io.EOF {
			// After the archive's end there is padding and the compression's
			// own checksum.
			if _, err := io.Copy(io.Discard, data); err != nil {
				return fmt.Errorf("data.tar: %w", err)
			}
			return nil
		}
		if err != nil {
			return fmt.Errorf("data.tar: %w", err)
		}
		name, err := entryPath(h.Name)
		if err != nil {
			return err
		}
		if name == "" {
			continue
		}
		if total += h.Size; total > maxUnpacked {
			return fmt.Errorf("it unpacks to more than %d bytes", int64(maxUnpacked))
		}
		if err := visit(h, name, in); err != nil {
			return err
		}
	}
}
