package archive

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/store"
)

// Names in an OCI image layout.
const (
	layoutFile = "oci-layout"
	indexFile  = "index.json"
	blobDir    = "blobs/sha256"
	readmeFile = "README.md" // not of the layout: for people who look into the file
)

var layoutText = []byte(`{"imageLayoutVersion":"1.0.0"}`)

// Layout is an open archive: a tar file with an OCI image layout in it, or the
// directory of one. Opening reads the names of its blobs and the manifest.
type Layout struct {
	Name     string // the path, for messages
	Manifest Manifest
	Config   Config

	manifest Descriptor
	content  content
}

// content is where a layout's files are.
type content interface {
	// open returns a file by its name in the layout, with its size.
	open(name string) (io.ReadCloser, int64, error)
	// extra lists what is wrong between and beside the files. own says that
	// Write made the layout: then headers are as Write makes them.
	extra(own bool) []string
	close() error
}

// Open opens the archive at a path. The caller closes it. The error is a
// fault.Pins for a file that is no archive of espalier or that is incomplete.
func Open(name string) (*Layout, error) {
	c, err := openContent(name)
	if err != nil {
		return nil, err
	}
	l := &Layout{Name: name, content: c}
	if err := l.read(); err != nil {
		c.close()
		return nil, err
	}
	return l, nil
}

// Close closes the file.
func (l *Layout) Close() error { return l.content.close() }

func openContent(name string) (content, error) {
	st, err := os.Stat(name)
	if err != nil {
		return nil, fault.Opening(name, err)
	}
	if st.IsDir() {
		root, err := os.OpenRoot(name)
		if err != nil {
			return nil, fault.Opening(name, err)
		}
		return directory{root}, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, fault.Opening(name, err)
	}
	c, err := scan(f)
	if err != nil {
		f.Close()
		return nil, fault.Wrap(fault.Pins, err, "reading "+name, incompleteHint)
	}
	return c, nil
}

const incompleteHint = "copy the archive again; espalier restore --check FILE reads it all"

// broken is a fault of this archive.
func (l *Layout) broken(format string, args ...any) error {
	return fault.Wrap(fault.Pins, fmt.Errorf(format, args...), "reading "+l.Name, incompleteHint)
}

// read finds the manifest of an espalier archive among those of the index.
func (l *Layout) read() error {
	b, err := l.small(layoutFile, maxIndex)
	if err != nil {
		return l.broken("%w", err)
	}
	var version struct {
		V string `json:"imageLayoutVersion"`
	}
	if err := json.Unmarshal(b, &version); err != nil || version.V != "1.0.0" {
		return l.broken("%s does not say OCI image layout 1.0.0", layoutFile)
	}
	if b, err = l.small(indexFile, maxIndex); err != nil {
		return l.broken("%w", err)
	}
	var x index
	if err := json.Unmarshal(b, &x); err != nil {
		return l.broken("%s: %w", indexFile, err)
	}
	if x.SchemaVersion != 2 || x.MediaType != "" && x.MediaType != typeIndex {
		return l.broken("%s is not an OCI index", indexFile)
	}
	for _, d := range x.Manifests {
		if d.MediaType != typeManifest {
			continue
		}
		m, err := l.parse(d)
		if err != nil {
			return err
		}
		if m.ArtifactType == typeArchive || m.Config.MediaType == typeConfig {
			l.Manifest, l.manifest = m, d
			return l.configure()
		}
	}
	return fault.New(fault.Pins, "reading "+l.Name+": an OCI image layout, but not an archive of espalier")
}

func (l *Layout) parse(d Descriptor) (Manifest, error) {
	var m Manifest
	b, err := l.blob(d, maxManifest)
	if err != nil {
		return m, l.broken("the manifest: %w", err)
	}
	if err := json.Unmarshal(b, &m); err != nil {
		return m, l.broken("the manifest: %w", err)
	}
	if m.SchemaVersion != 2 || m.MediaType != typeManifest {
		return m, l.broken("the manifest is not an OCI image manifest")
	}
	for _, d := range append([]Descriptor{m.Config}, m.Layers...) {
		if _, err := d.digest(); err != nil {
			return m, l.broken("the manifest: %w", err)
		}
	}
	return m, nil
}

func (l *Layout) configure() error {
	b, err := l.blob(l.Manifest.Config, maxConfig)
	if err != nil {
		return l.broken("the configuration: %w", err)
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	if err := dec.Decode(&l.Config); err != nil {
		return l.broken("the configuration: %w", err)
	}
	return l.Config.check()
}

// small reads a file of the layout that no digest names.
func (l *Layout) small(name string, limit int64) ([]byte, error) {
	r, size, err := l.content.open(name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	defer r.Close()
	if size > limit {
		return nil, fmt.Errorf("%s has %d bytes; more than %d are not read", name, size, limit)
	}
	return io.ReadAll(io.LimitReader(r, limit))
}

// blob reads a blob of at most limit bytes and compares it with its digest.
func (l *Layout) blob(d Descriptor, limit int64) ([]byte, error) {
	want, err := d.digest()
	if err != nil {
		return nil, err
	}
	if want.Size > limit {
		return nil, fmt.Errorf("%d bytes; more than %d are not read", want.Size, limit)
	}
	r, err := l.open(want)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, limit))
	if err != nil {
		return nil, err
	}
	if got := store.DigestOf(b); got != want {
		return nil, &store.MismatchError{Want: want, Got: got}
	}
	return b, nil
}

// errMissing is the error of a blob that the layout does not have.
var errMissing = errors.New("missing")

// open opens a blob without comparing it with its digest.
func (l *Layout) open(d store.Digest) (io.ReadCloser, error) {
	r, size, err := l.content.open(path.Join(blobDir, d.Hash))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errMissing
	}
	if err != nil {
		return nil, err
	}
	if d.Size >= 0 && size != d.Size {
		r.Close()
		return nil, fmt.Errorf("%d bytes instead of %d", size, d.Size)
	}
	return r, nil
}

// find returns the descriptor of a blob by its hash.
func (l *Layout) find(d store.Digest) (Descriptor, bool) {
	for _, x := range l.Manifest.Layers {
		if x.Digest == "sha256:"+d.Hash {
			return x, true
		}
	}
	return Descriptor{}, false
}

// tarFile is a layout in a tar file: the places of its files.
type tarFile struct {
	f     *os.File
	files map[string]section
	wrong []string // unexpected bytes between files
	other []string // files with a header that is not as Write makes it
}

type section struct{ at, size int64 }

func (t *tarFile) open(name string) (io.ReadCloser, int64, error) {
	s, ok := t.files[name]
	if !ok {
		return nil, 0, fs.ErrNotExist
	}
	return io.NopCloser(io.NewSectionReader(t.f, s.at, s.size)), s.size, nil
}

func (t *tarFile) extra(own bool) []string {
	if own {
		return append(slices.Clone(t.wrong), t.other...)
	}
	return slices.Clone(t.wrong)
}

func (t *tarFile) close() error { return t.f.Close() }

const block = 512 // of a tar file

// scan lists the files of a tar. Only regular files and directories can be in a
// layout; anything else, and a name that leaves it, is an error.
func scan(f *os.File) (*tarFile, error) {
	t := &tarFile{f: f, files: map[string]section{}}
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	r := tar.NewReader(f)
	last := int64(0) // end of the latest file, rounded up
	for {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, fmt.Errorf("the file is truncated: it ends in the middle, after %d complete files", len(t.files))
		}
		if err != nil {
			if len(t.files) == 0 {
				return nil, errors.New("neither a tar file nor the directory of an OCI image layout")
			}
			return nil, fmt.Errorf("damaged at byte %d: %w", last, err)
		}
		name := strings.TrimPrefix(path.Clean(h.Name), "./")
		at, err := f.Seek(0, io.SeekCurrent) // tar.Reader does not read ahead
		if err != nil {
			return nil, err
		}
		switch {
		case h.Typeflag == tar.TypeDir:
		case h.Typeflag != tar.TypeReg || isSparse(h):
			return nil, fmt.Errorf("%q is neither a plain file nor a directory", h.Name)
		case !fs.ValidPath(name):
			return nil, fmt.Errorf("the name %q leaves the archive", h.Name)
		case at+h.Size > end:
			return nil, fmt.Errorf("the file is truncated: it ends in %s, after %d complete files", name, len(t.files))
		case len(t.files) >= maxEntries:
			return nil, fmt.Errorf("more than %d files", maxEntries)
		default:
			if _, twice := t.files[name]; twice {
				return nil, fmt.Errorf("%s is twice in the file", name)
			}
			t.files[name] = section{at, h.Size}
			if !t.asWritten(name, at, h.Size) {
				t.other = append(t.other, "the header of "+name)
			}
		}
		next := (at + h.Size + block - 1) / block * block
		if !t.zeros(at+h.Size, next) {
			t.wrong = append(t.wrong, "the padding after "+name)
		}
		last = next
	}
	if end-last < 2*block {
		return nil, errors.New("the file is truncated: the end of the tar is missing")
	}
	if !t.zeros(last, end) {
		t.wrong = append(t.wrong, "the bytes after the last file")
	}
	return t, nil
}

// asWritten compares the header before a file with that of Write: a tar header's
// own checksum does not cover all of its bytes.
func (t *tarFile) asWritten(name string, at, size int64) bool {
	var want bytes.Buffer
	got := make([]byte, block)
	if tar.NewWriter(&want).WriteHeader(header(name, size)) != nil {
		return false
	}
	_, err := t.f.ReadAt(got, at-block)
	return err == nil && bytes.Equal(got, want.Bytes())
}

// header is the header of a file in an archive. It has nothing but name and
// size, so that equal contents are equal bytes.
func header(name string, size int64) *tar.Header {
	return &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o644, ModTime: time.Unix(1, 0), Format: tar.FormatUSTAR}
}

// isSparse reports a file whose size in the tar is less than h.Size.
func isSparse(h *tar.Header) bool {
	for k := range h.PAXRecords {
		if strings.HasPrefix(k, "GNU.sparse.") {
			return true
		}
	}
	return false
}

func (t *tarFile) zeros(from, to int64) bool {
	buf := make([]byte, 64<<10)
	for from < to {
		n, err := t.f.ReadAt(buf[:min(int64(len(buf)), to-from)], from)
		if n == 0 || err != nil && err != io.EOF {
			return false
		}
		if len(bytes.Trim(buf[:n], "\x00")) > 0 {
			return false
		}
		from += int64(n)
	}
	return true
}

// directory is an unpacked layout.
type directory struct{ root *os.Root }

func (d directory) open(name string) (io.ReadCloser, int64, error) {
	f, err := d.root.Open(filepath.FromSlash(name))
	if err != nil {
		return nil, 0, err
	}
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a plain file", name)
	}
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, st.Size(), nil
}

func (d directory) extra(bool) []string { return nil }
func (d directory) close() error        { return d.root.Close() }
