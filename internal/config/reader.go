package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/tomldoc"
)

// Reader reads configuration files and collects notes. Paths are absolute and
// in the system's form; messages name them relative to Dir.
type Reader struct {
	Dir   string // absolute; the directory that the user works in
	notes []Note
}

// Note records a remark once; where may be zero.
func (r *Reader) Note(where Origin, text string) {
	for _, n := range r.notes {
		if n.Text == text && n.Origin == where {
			return
		}
	}
	r.notes = append(r.notes, Note{text, where})
}

// Notes returns what was recorded.
func (r *Reader) Notes() []Note { return r.notes }

// Show is path as the user would type it in Dir.
func (r *Reader) Show(path string) string {
	if rel, err := filepath.Rel(r.Dir, path); err == nil && strings.Count(filepath.ToSlash(rel), "../") < 4 {
		return filepath.ToSlash(rel)
	}
	return filepath.ToSlash(path)
}

// Place is Show for an origin.
func (r *Reader) Place(o Origin) string {
	if filepath.IsAbs(o.File) {
		o.File = r.Show(o.File)
	}
	return o.String()
}

// Fault makes a fault of kind Usage of an error about a file, with the file's
// name relative to Dir.
func (r *Reader) Fault(err error, hints ...string) error {
	var te *tomldoc.Error
	if errors.As(err, &te) {
		shown := *te
		shown.File = r.Show(te.File)
		return fault.Wrap(fault.Usage, &shown, "", hints...)
	}
	return fault.Wrap(fault.Usage, err, "", hints...)
}

// TOML reads and parses path. A missing file is (nil, nil).
func (r *Reader) TOML(path string) (*tomldoc.Node, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, Failf(nil, "reading %s: %w", r.Show(path), Pathless(err))
	}
	n, err := tomldoc.Parse(path, b)
	if err != nil {
		return nil, r.Fault(err)
	}
	return n, nil
}

// Failf is a fault of kind Usage.
func Failf(hints []string, format string, args ...any) error {
	return fault.Wrap(fault.Usage, fault.Newf(fault.Usage, format, args...), "", hints...)
}

// Pathless drops the path from an *fs.PathError, for messages that name the
// path already.
func Pathless(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}
