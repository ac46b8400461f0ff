package defmt

import (
	"errors"
	"fmt"
)

// TableError is an ELF whose defmt section cannot be used.
type TableError struct {
	Detail string // one line, lower case
	Hint   string
}

func (e *TableError) Error() string { return "reading the defmt table: " + e.Detail }

// Hints returns what to do about it.
func (e *TableError) Hints() []string {
	if e.Hint == "" {
		return nil
	}
	return []string{e.Hint}
}

// Errors of frames.
var (
	ErrShort     = errors.New("the defmt frame is not complete")
	ErrMalformed = errors.New("malformed defmt frame")
)

func tableErrorf(format string, args ...any) *TableError {
	return &TableError{Detail: fmt.Sprintf(format, args...)}
}
