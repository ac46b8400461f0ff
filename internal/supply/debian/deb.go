package debian

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// arReader reads the common ar format (deb(5)): a magic line, then members
// with 60-byte headers, padded to even offsets.
type arReader struct {
	r    io.Reader
	body io.LimitedReader
	pad  int64
}

type arMember struct {
	name string
	size int64
}

const arMagic = "!<arch>\n"

func newArReader(r io.Reader) (*arReader, error) {
	var magic [len(arMagic)]byte
	if _, err := io.ReadFull(r, magic[:]); err != nil {
		return nil, fmt.Errorf("not an ar archive: %w", unexpected(err))
	}
	if string(magic[:]) != arMagic {
		return nil, errors.New("not an ar archive: it does not begin with !<arch>")
	}
	a := &arReader{r: r}
	a.body.R = r
	return a, nil
}

// next skips to the next member; io.EOF after the last.
func (a *arReader) next() (arMember, error) {
	if _, err := io.CopyN(io.Discard, a.r, a.body.N+a.pad); err != nil {
		if err == io.EOF && a.body.N == 0 {
			return arMember{}, io.EOF // a missing last padding byte is common
		}
		return arMember{}, unexpected(err)
	}
	a.body.N, a.pad = 0, 0
	var h [60]byte
	if _, err := io.ReadFull(a.r, h[:]); err != nil {
		if err == io.EOF {
			return arMember{}, io.EOF
		}
		return arMember{}, unexpected(err)
	}
	if h[58] != '`' || h[59] != '\n' {
		return arMember{}, errors.New("damaged archive member header")
	}
	name := strings.TrimSuffix(strings.TrimRight(string(h[:16]), " "), "/")
	size, err := strconv.ParseInt(strings.TrimRight(string(h[48:58]), " "), 10, 64)
	if err != nil || size < 0 || name == "" {
		return arMember{}, errors.New("damaged archive member header")
	}
	a.body.N, a.pad = size, size&1
	return arMember{name, size}, nil
}

// Read reads the current member.
func (a *arReader) Read(p []byte) (int, error) {
	n, err := a.body.Read(p)
	if err == io.EOF && a.body.N > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// openDeb checks the header of a binary package and returns the decompressed
// stream of its data archive. control.tar with the maintainer scripts is
// ignored.
func openDeb(r io.Reader) (io.ReadCloser, error) {
	a, err := newArReader(r)
	if err != nil {
		return nil, err
	}
	m, err := a.next()
	if err != nil {
		return nil, unexpected(err)
	}
	if m.name != "debian-binary" || m.size > 64 {
		return nil, fmt.Errorf("not a Debian package: the first member is %q", m.name)
	}
	v, err := io.ReadAll(a)
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(string(v), "2.") {
		return nil, fmt.Errorf("package format %q is not supported", strings.TrimSpace(string(v)))
	}
	control := false
	for {
		m, err := a.next()
		if err == io.EOF {
			return nil, errors.New("not a Debian package: it has no data.tar")
		}
		if err != nil {
			return nil, err
		}
		switch {
		case strings.HasPrefix(m.name, "_"): // reserved for additions, deb(5)
		case m.name == "control.tar" || strings.HasPrefix(m.name, "control.tar."):
			control = true
		case m.name == "data.tar" || strings.HasPrefix(m.name, "data.tar."):
			if !control {
				return nil, errors.New("not a Debian package: data.tar comes before control.tar")
			}
			return decompress(a, m.name)
		default:
			return nil, fmt.Errorf("not a Debian package: unexpected member %q", m.name)
		}
	}
}
