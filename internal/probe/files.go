package probe

import (
	"io/fs"
	"os"

	"espalier.dev/espalier/emu/semihost"
)

// Dir implements semihost.Files by a folder; neither ".." nor a symbolic link leads
// out of it.
type Dir struct{ Root *os.Root }

// OpenFile implements semihost.Files. Folders, devices and pipes are refused.
func (d Dir) OpenFile(name string, m semihost.Mode) (semihost.File, error) {
	if st, err := d.Root.Stat(name); err == nil && !st.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	flag := os.O_RDONLY
	switch {
	case m.Read && m.Write:
		flag = os.O_RDWR
	case m.Write:
		flag = os.O_WRONLY
	}
	if m.Truncate {
		flag |= os.O_CREATE | os.O_TRUNC
	}
	if m.Append {
		flag |= os.O_CREATE | os.O_APPEND
	}
	f, err := d.Root.OpenFile(name, flag, 0o666)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// Remove implements semihost.Files; folders are refused.
func (d Dir) Remove(name string) error {
	if st, err := d.Root.Lstat(name); err == nil && st.IsDir() {
		return &fs.PathError{Op: "remove", Path: name, Err: fs.ErrPermission}
	}
	return d.Root.Remove(name)
}

// Rename implements semihost.Files.
func (d Dir) Rename(from, to string) error { return d.Root.Rename(from, to) }
