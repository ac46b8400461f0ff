package semihost

import (
	"errors"
	"io"
	"io/fs"
)

// Files is a folder of files that firmware may open, remove and rename. Names are
// as the firmware gives them: an implementation refuses those that lead out of the
// folder, by ".." or by a link.
type Files interface {
	// OpenFile opens a regular file.
	OpenFile(name string, m Mode) (File, error)
	Remove(name string) error
	Rename(from, to string) error
}

// Mode is how a file is opened. With Truncate or Append it is made if it does not
// exist.
type Mode struct{ Read, Write, Truncate, Append bool }

// File is an open file.
type File interface {
	io.ReadWriteSeeker
	io.Closer
	Stat() (fs.FileInfo, error)
}

// maxFile bounds the size of a file that firmware writes: a wild one must not fill
// the disk.
const maxFile = 64 << 20

// errTooLarge is the error of a write beyond maxFile.
var errTooLarge = errors.New("the file is too large")

// Close closes the files that the firmware has left open.
func (h *Host) Close() {
	for i := range h.files {
		if f := &h.files[i]; f.host != nil {
			_ = f.host.Close() // the firmware has not asked
			*f = file{}
		}
	}
}

// openHost opens a file in a mode of SYS_OPEN.
func (h *Host) openHost(name string, mode uint32) (File, uint32) {
	if h.Files == nil {
		return nil, errNoEntry
	}
	m := Mode{Read: mode/4 == 0, Write: mode/4 != 0, Truncate: mode/4 == 1, Append: mode/4 == 2}
	if mode&2 != 0 { // with +
		m.Read, m.Write = true, true
	}
	f, err := h.Files.OpenFile(name, m)
	if err != nil {
		return nil, errno(err)
	}
	return &limited{File: f}, 0
}

// limited is a file that does not grow beyond maxFile.
type limited struct{ File }

func (l *limited) Write(p []byte) (int, error) {
	at, err := l.Seek(0, io.SeekCurrent)
	if err != nil {
		return 0, err
	}
	if st, err := l.Stat(); err != nil || max(at, st.Size())+int64(len(p)) > maxFile {
		return 0, errors.Join(err, errTooLarge)
	}
	return l.File.Write(p)
}

func (h *Host) size(f *file) uint32 {
	st, err := f.host.Stat()
	if err != nil || st.Size() > maxFile {
		return h.fail(errIO)
	}
	return uint32(st.Size())
}

func (h *Host) remove(arg uint32) uint32 {
	name, ok := h.name(arg)
	switch {
	case !ok:
		return h.fail(errFault)
	case h.Files == nil:
		return h.fail(errNoEntry)
	}
	if err := h.Files.Remove(name); err != nil {
		return h.fail(errno(err))
	}
	return 0
}

func (h *Host) rename(arg uint32) uint32 {
	from, ok := h.name(arg)
	to, ok2 := h.name(arg + 8)
	switch {
	case !ok || !ok2:
		return h.fail(errFault)
	case h.Files == nil:
		return h.fail(errNoEntry)
	}
	if err := h.Files.Rename(from, to); err != nil {
		return h.fail(errno(err))
	}
	return 0
}

// name reads a name given by its address and length.
func (h *Host) name(arg uint32) (string, bool) {
	block, ok := h.block(arg, 2)
	if !ok {
		return "", false
	}
	b, ok := h.bytes(block[0], block[1])
	return string(b), ok
}

// errno is the error number for an error of Files.
func errno(err error) uint32 {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errNoEntry
	case errors.Is(err, fs.ErrPermission):
		return errAccess
	case errors.Is(err, fs.ErrExist):
		return errExists
	}
	return errInvalid
}
