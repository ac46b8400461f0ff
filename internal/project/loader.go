package project

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/project/tomldoc"
)

// loader reads files once and remembers them. While Open works all paths are
// absolute and in the system's form, because the root of the input tree is
// known only when the last path dependency has been read; finish makes them
// relative.
type loader struct {
	dir       string // where the user stands; messages name files relative to it
	manifests map[string]*manifest
	notes     []Note
}

// note records something for the user; where may be zero.
func (l *loader) note(where Origin, text string) {
	for _, n := range l.notes {
		if n.Text == text && n.Origin == where {
			return
		}
	}
	l.notes = append(l.notes, Note{text, where})
}

// show is path as the user would type it.
func (l *loader) show(path string) string {
	if rel, err := filepath.Rel(l.dir, path); err == nil && strings.Count(filepath.ToSlash(rel), "../") < 4 {
		return filepath.ToSlash(rel)
	}
	return filepath.ToSlash(path)
}

// fault turns an error about a file into what the user sees: kind Usage, the
// file's name relative to the directory that was opened.
func (l *loader) fault(err error, hints ...string) error {
	var te *tomldoc.Error
	if errors.As(err, &te) {
		shown := *te
		shown.File = l.show(te.File)
		return fault.Wrap(fault.Usage, &shown, "", hints...)
	}
	return fault.Wrap(fault.Usage, err, "", hints...)
}

// failf is a fault of kind Usage without a place.
func failf(hints []string, format string, args ...any) error {
	return fault.Wrap(fault.Usage, fault.Newf(fault.Usage, format, args...), "", hints...)
}

// toml reads and parses path. A missing file is (nil, nil).
func (l *loader) toml(path string) (*tomldoc.Node, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, failf(nil, "reading %s: %w", l.show(path), pathless(err))
	}
	n, err := tomldoc.Parse(path, b)
	if err != nil {
		return nil, l.fault(err)
	}
	return n, nil
}

// pathless drops the path from an *fs.PathError: the message names it already.
func pathless(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

func isFile(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.Mode().IsRegular()
}

func isDir(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.IsDir()
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// within reports whether path is dir or lies below it. Both are clean and
// absolute; the comparison is lexical, as cargo's is.
func within(path, dir string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// parents yields dir and its parents up to the file system's root.
func parents(dir string) []string {
	var out []string
	for {
		out = append(out, dir)
		up := filepath.Dir(dir)
		if up == dir {
			return out
		}
		dir = up
	}
}
