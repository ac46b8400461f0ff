package project

import (
	"fmt"

	"espalier.dev/espalier/internal/project/tomldoc"
)

// Origin says where a value came from: file, line, column (1-based; 0 when it
// has none) or a flag, a variable, or the default.
type Origin struct {
	File string `json:"from"` // relative to the root, or "default", "flag --target", "environment ESPALIER_STORE"
	Line int    `json:"line,omitempty"`
	Col  int    `json:"column,omitempty"`
}

// String is "file:line:col", or what stands in File alone.
func (o Origin) String() string {
	switch {
	case o.Line == 0:
		return o.File
	case o.Col == 0:
		return fmt.Sprintf("%s:%d", o.File, o.Line)
	}
	return fmt.Sprintf("%s:%d:%d", o.File, o.Line, o.Col)
}

// IsZero reports whether nothing set the value.
func (o Origin) IsZero() bool { return o.File == "" }

// byDefault is the origin of what nobody configured.
var byDefault = Origin{File: "default"}

func at(file string, p tomldoc.Pos) Origin { return Origin{file, p.Line, p.Col} }

// Value is a configured value with its origin. A zero Origin means that
// nobody set it and there is no default.
type Value[T any] struct {
	V      T
	Origin Origin
}

// IsSet reports whether the value came from anywhere but the default.
func (v Value[T]) IsSet() bool { return v.Origin.File != "" && v.Origin != byDefault }

// Note is something that the user should hear without being stopped. The
// caller decides where it is printed.
type Note struct {
	Text   string // one line, lower case
	Origin Origin // zero when it is about no place in particular
}

// String is the note with its place in front.
func (n Note) String() string {
	if n.Origin.IsZero() {
		return n.Text
	}
	return n.Origin.String() + ": " + n.Text
}
