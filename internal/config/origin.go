// Package config is what configuration files of different tools have in
// common: values that know where they were set, notes about a place in a
// file, and the reading of TOML files with errors that name a file as the user
// would type it. It does not know what any key means.
package config

import (
	"fmt"

	"espalier.dev/espalier/internal/tomldoc"
)

// Origin is where a value was set: a place in a file, a flag, a variable of the
// environment, or the default.
type Origin struct {
	File string `json:"from"` // a path, or "default", "flag --target", "environment ESPALIER_STORE"
	Line int    `json:"line,omitempty"`
	Col  int    `json:"column,omitempty"` // 1-based, as Line; 0 when there is none
}

// String is "file:line:col", or File alone.
func (o Origin) String() string {
	switch {
	case o.Line == 0:
		return o.File
	case o.Col == 0:
		return fmt.Sprintf("%s:%d", o.File, o.Line)
	}
	return fmt.Sprintf("%s:%d:%d", o.File, o.Line, o.Col)
}

// Short is String without the column.
func (o Origin) Short() string {
	o.Col = 0
	return o.String()
}

// IsZero reports whether the value was never set, not even by a default.
func (o Origin) IsZero() bool { return o.File == "" }

// Default is the origin of values that were not configured.
func Default() Origin { return Origin{File: "default"} }

// At is a place in a file.
func At(file string, p tomldoc.Pos) Origin { return Origin{file, p.Line, p.Col} }

// Value is a configured value with its origin. The zero Origin means that it
// was not set and has no default.
type Value[T any] struct {
	V      T
	Origin Origin
}

// NewValue returns a value that was set at o.
func NewValue[T any](v T, o Origin) Value[T] { return Value[T]{v, o} }

// IsSet reports whether the value was configured, rather than defaulted.
func (v Value[T]) IsSet() bool { return v.Origin.File != "" && v.Origin != Default() }

// Note is a remark for the user that does not stop anything. The caller
// decides where it is printed.
type Note struct {
	Text   string // one line, lower case
	Origin Origin // zero when it is not about one place
}

// String is the note after its place.
func (n Note) String() string {
	if n.Origin.IsZero() {
		return n.Text
	}
	return n.Origin.String() + ": " + n.Text
}
