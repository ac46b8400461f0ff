package firmware

import "fmt"

// Problem says what is wrong with a file that should have been a firmware ELF.
type Problem int

// The errors that Open distinguishes.
const (
	NotELF       Problem = iota + 1 // the magic number is missing
	WrongClass                      // 64-bit or big-endian
	WrongMachine                    // not RISC-V
	WrongType                       // relocatable object, core file, shared library
	Truncated                       // a header or a section lies beyond the end of the file
	Malformed                       // a header contradicts itself
	TooLarge                        // a section exceeds the limits of this package
)

var problemNames = [...]string{"", "not an ELF file", "wrong class", "wrong machine", "wrong type", "truncated", "malformed", "too large"}

// String returns a short lower-case name.
func (p Problem) String() string {
	if p > 0 && int(p) < len(problemNames) {
		return problemNames[p]
	}
	return fmt.Sprintf("Problem(%d)", int(p))
}

// FormatError is what Open returns for a file that is not a firmware ELF.
type FormatError struct {
	Problem Problem
	Detail  string // one line, lower case
	Hint    string // what to do about it, "" if nothing in particular
}

func (e *FormatError) Error() string { return "reading ELF: " + e.Detail }

// Hints returns what to do about it.
func (e *FormatError) Hints() []string {
	if e.Hint == "" {
		return nil
	}
	return []string{e.Hint}
}

func formatError(p Problem, detail string, hint ...string) error {
	e := &FormatError{Problem: p, Detail: detail}
	if len(hint) > 0 {
		e.Hint = hint[0]
	}
	return e
}
