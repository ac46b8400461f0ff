package fault

import (
	"errors"
	"io/fs"
	"strconv"
)

// Opening is the error of a file that cannot be opened, Writing of one that cannot
// be written: kind Usage, the file named once. The text of an *fs.PathError would
// repeat its name and add the system call's.
func Opening(name string, err error) error { return ofFile("opening ", name, err) }

// Writing is like Opening.
func Writing(name string, err error) error { return ofFile("writing ", name, err) }

func ofFile(doing, name string, err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return Wrap(Usage, err, doing+name)
}

// InFile gives an error about the contents of a file its place: the file's
// name, and line and column when the error has a position. Errors of public
// packages, which do not use this one, become faults of kind Usage with their
// own hints. The interfaces that such an error may implement:
//
//	Position() (line, col int, text string)  // 1-based; 0 is unknown; text is the cause alone
//	InFile() string                          // the file, when it is not name
//	Hints() []string
func InFile(name string, err error) error {
	if err == nil {
		return nil
	}
	kind, hints := Usage, Hints(err)
	var known *Error
	if errors.As(err, &known) {
		kind = known.Kind
	}
	var hinter interface{ Hints() []string }
	if errors.As(err, &hinter) {
		hints = append(hints, hinter.Hints()...)
	}
	var other interface{ InFile() string }
	if errors.As(err, &other) {
		name = other.InFile()
	}
	var at interface{ Position() (int, int, string) }
	if errors.As(err, &at) {
		line, col, text := at.Position()
		if line > 0 {
			name += ":" + strconv.Itoa(line)
		}
		if col > 0 {
			name += ":" + strconv.Itoa(col)
		}
		return &Error{Kind: kind, Text: name, Hints: hints, Err: errors.New(text)}
	}
	return &Error{Kind: kind, Text: name, Hints: hints, Err: err}
}
