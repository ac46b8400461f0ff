package elfstrip

import (
	"bytes"
	"io"
)

// Strip returns src without debug information and the size of the result. The
// reader reads from src. ok is false when there is nothing to remove: the file
// is neither a little-endian 64-bit ELF nor an archive, or has no debug
// information, or its structure is damaged.
func Strip(src io.ReaderAt, size int64) (stripped io.Reader, newSize int64, ok bool) {
	var magic [8]byte
	if n, _ := src.ReadAt(magic[:], 0); n < len(magic) {
		return nil, 0, false
	}
	var f file
	switch {
	case bytes.HasPrefix(magic[:], []byte(elfMagic)):
		f, ok = stripELF(src, size)
	case string(magic[:]) == arMagic:
		f, ok = stripArchive(src, size)
	}
	if !ok || f.size >= size {
		return nil, 0, false
	}
	return f.reader(src), f.size, true
}

// file is a file as a list of parts.
type file struct {
	parts []part
	size  int64
}

// part is a range of the source, or bytes when data is not nil.
type part struct {
	at, size int64
	data     []byte
}

func (f *file) copy(at, size int64) {
	if size > 0 {
		f.parts = append(f.parts, part{at: at, size: size})
		f.size += size
	}
}

func (f *file) write(b []byte) {
	if len(b) > 0 {
		f.parts = append(f.parts, part{data: b})
		f.size += int64(len(b))
	}
}

// align adds zero bytes up to a multiple of n.
func (f *file) align(n int64) {
	if rest := f.size % n; rest != 0 {
		f.write(make([]byte, n-rest))
	}
}

// add adds the parts of g.
func (f *file) add(g file) {
	f.parts = append(f.parts, g.parts...)
	f.size += g.size
}

func (f file) reader(src io.ReaderAt) io.Reader {
	readers := make([]io.Reader, len(f.parts))
	for i, p := range f.parts {
		if readers[i] = bytes.NewReader(p.data); p.data == nil {
			readers[i] = io.NewSectionReader(src, p.at, p.size)
		}
	}
	return io.MultiReader(readers...)
}
