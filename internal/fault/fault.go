// Package fault is the shape of every error that a user sees: what kind it is
// (which decides the exit code), one line of cause, and hints that can be
// pasted. Packages make faults; internal/ui prints them; internal/cli turns the
// kind into the exit status. It imports nothing and any package may import it
// under internal/.
package fault

import (
	"errors"
	"fmt"
)

// Kind classifies an error. Its value is the process's exit status.
type Kind int

// The documented exit statuses (docs/exit-codes.md).
const (
	OK          Kind = 0
	Program     Kind = 1 // the user's firmware failed: panic, failed test, --fail text
	Usage       Kind = 2 // command line or configuration
	Build       Kind = 3 // the build failed
	Port        Kind = 4 // no board, busy, permission
	Chip        Kind = 5 // chip did not answer, flash verification failed
	Pins        Kind = 6 // hash mismatch, missing while offline, lock out of date
	Sandbox     Kind = 7 // the machine forbids the sandbox
	Differ      Kind = 8 // two builds differ
	Bug         Kind = 9 // our own
	Timeout     Kind = 124
	Interrupted Kind = 130
)

// Error is an error with a kind and hints.
type Error struct {
	Kind  Kind
	Text  string   // one line, lower case, "operation object: cause"
	Hints []string // each is complete and can be pasted
	Err   error    // cause, may be nil; its text is appended to Text
}

func (e *Error) Error() string {
	switch {
	case e.Err == nil:
		return e.Text
	case e.Text == "":
		return e.Err.Error()
	}
	return e.Text + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// New makes a fault of kind k.
func New(k Kind, text string, hints ...string) error {
	return &Error{Kind: k, Text: text, Hints: hints}
}

// Newf makes a fault of kind k with a formatted text and no hints; %w works.
func Newf(k Kind, format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	return &Error{Kind: k, Err: err}
}

// Wrap gives err a kind, a prefix (may be empty) and hints. A nil err stays nil.
func Wrap(k Kind, err error, text string, hints ...string) error {
	if err == nil {
		return nil
	}
	return &Error{Kind: k, Text: text, Hints: hints, Err: err}
}

// KindOf returns the kind of the outermost fault in err's chain, OK for nil
// and Bug for an unclassified error.
func KindOf(err error) Kind {
	if err == nil {
		return OK
	}
	var f *Error
	if errors.As(err, &f) {
		return f.Kind
	}
	return Bug
}

// Hints returns the hints of all faults in err's chain, outermost first,
// without repetitions.
func Hints(err error) []string {
	var out []string
	seen := map[string]bool{}
	for err != nil {
		var f *Error
		if !errors.As(err, &f) {
			break
		}
		for _, h := range f.Hints {
			if !seen[h] {
				seen[h] = true
				out = append(out, h)
			}
		}
		err = f.Err
	}
	return out
}
