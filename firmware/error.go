package firmware

import (
	"fmt"

	"espalier.dev/espalier/internal/fault"
)

// Problem says what is wrong with a file that should have been a firmware ELF.
type Problem int

// The problems that Open tells apart.
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

// FormatError is what Open returns (wrapped) for a file that is not a
// firmware ELF.
type FormatError struct {
	Problem Problem
	Detail  string // one line, lower case
}

func (e *FormatError) Error() string { return e.Detail }

// formatError wraps a FormatError as a usage fault: the user named the file.
func formatError(p Problem, detail string, hints ...string) error {
	return fault.Wrap(fault.Usage, &FormatError{Problem: p, Detail: detail}, "reading ELF", hints...)
}
