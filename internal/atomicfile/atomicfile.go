// Package atomicfile replaces files so that a reader, or a crash, finds either
// the old content or the new one, complete. A file is written under a temporary
// name in the same file system, synced, and renamed. It uses the operating
// system only and has no policy: names, permissions and errors are the caller's.
//
// Limits: rename(2) is atomic within one local file system; network file systems
// may give less. Two writers of one file do not wait for each other: the last one
// to commit wins, and the file is complete in any case. A process that is killed
// leaves a temporary file named Prefix + digits; Write removes such files.
package atomicfile

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// Prefix starts the name of every temporary file.
const Prefix = ".espalier-tmp-"

// File is a temporary file that replaces another file. After Create the caller
// defers Discard and ends with Commit.
type File struct {
	*os.File
	done bool
}

// Create makes a temporary file in dir, which must be in the same file system
// as the path for Commit.
func Create(dir string) (*File, error) {
	f, err := os.CreateTemp(dir, Prefix)
	if err != nil {
		return nil, err
	}
	return &File{File: f}, nil
}

// Commit publishes the file as path, synced, and closes it. On error path is
// unchanged and the temporary file is removed.
func (f *File) Commit(path string, perm fs.FileMode) error {
	defer f.Discard()
	err := Publish(f.File, path, perm, true)
	if err != nil {
		return err
	}
	f.done = true
	_ = f.Close() // synced; Publish has closed it on Windows
	return nil
}

// Publish gives a complete temporary file its permissions and renames it to path
// in the same file system. With durable, content and name are synced, so that
// both survive a power failure; without, the file may be empty or missing after
// one. f stays open, with its locks, except on Windows, where an open file cannot
// be renamed.
func Publish(f *os.File, path string, perm fs.FileMode, durable bool) error {
	err := f.Chmod(perm)
	if runtime.GOOS == "windows" {
		err = nil // permissions are those of the directory there
	}
	if err == nil && durable {
		err = f.Sync()
	}
	if err == nil && runtime.GOOS == "windows" {
		err = f.Close()
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err == nil && durable {
		err = syncDir(filepath.Dir(path))
	}
	return err
}

// Discard closes and removes the temporary file. It does nothing after a
// successful Commit.
func (f *File) Discard() {
	if f.done {
		return
	}
	f.done = true
	_ = f.Close() // closed before, if Commit failed
	_ = os.Remove(f.Name())
}

// syncDir makes the names in a directory durable.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // NTFS journals names, and directories cannot be opened for it
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) { // some file systems cannot
		return err
	}
	return nil
}

// Target is the destination of a write to a path that a user gave.
type Target struct {
	Path    string      // with symbolic links resolved, so that a link stays a link
	Perm    fs.FileMode // of the file that exists, else the default
	Special bool        // a device, pipe or socket: it is written to, never replaced
}

// Resolve examines path. A file that does not exist yet is not an error; a
// directory is.
func Resolve(path string, perm fs.FileMode) (Target, error) {
	t := Target{Path: path, Perm: perm}
	real, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		return t, nil
	}
	if err != nil {
		return t, err
	}
	st, err := os.Stat(real)
	switch {
	case err != nil:
		return t, err
	case st.IsDir():
		return t, &fs.PathError{Op: "write", Path: path, Err: errors.New("is a directory")}
	case !st.Mode().IsRegular():
		// Not the resolved name: /dev/stdout may link to pipe:[123].
		return Target{Path: path, Special: true}, nil
	}
	return Target{Path: real, Perm: st.Mode().Perm()}, nil
}

// Write replaces the content of path, which need not exist. An existing file
// keeps its permissions, a symbolic link is kept; a device or pipe is written
// to.
func Write(path string, data []byte, perm fs.FileMode) error {
	t, err := Resolve(path, perm)
	if err != nil {
		return err
	}
	if t.Special {
		return writeSpecial(t.Path, data)
	}
	dir := filepath.Dir(t.Path)
	removeAbandoned(dir)
	f, err := Create(dir)
	if err != nil {
		return err
	}
	defer f.Discard()
	if _, err := f.Write(data); err != nil {
		return err
	}
	return f.Commit(t.Path, t.Perm)
}

// abandonedAfter is the age after which the writer of a temporary file is
// assumed to have ended: no file for which Write is used takes that long.
const abandonedAfter = time.Hour

// removeAbandoned removes the temporary files of writers that were killed.
func removeAbandoned(dir string) {
	left, _ := filepath.Glob(filepath.Join(dir, Prefix+"*"))
	for _, name := range left {
		if st, err := os.Lstat(name); err == nil && time.Since(st.ModTime()) > abandonedAfter {
			_ = os.Remove(name)
		}
	}
}

func writeSpecial(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

// WriteChanged is Write unless path is a regular file with this content, whose
// modification time is kept then.
func WriteChanged(path string, data []byte, perm fs.FileMode) error {
	if st, err := os.Stat(path); err == nil && st.Mode().IsRegular() && st.Size() == int64(len(data)) {
		if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, data) {
			return nil
		}
	}
	return Write(path, data, perm)
}
