package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"espalier.dev/espalier/internal/fault"
)

// largestInput bounds what inspect and emulate read into memory: an ELF with
// full debug information has tens of MiB.
const largestInput = 1 << 30

// readInput reads a file that the user named; "-" is standard input.
func (a *app) readInput(ctx context.Context, name string) ([]byte, error) {
	if name == "-" {
		return a.readStdin(ctx)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, openError(name, err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, openError(name, err)
	}
	if st.IsDir() {
		return nil, fault.New(fault.Usage, fmt.Sprintf("opening %s: it is a directory", name))
	}
	if st.Size() > largestInput {
		return nil, fault.New(fault.Usage, fmt.Sprintf("opening %s: %d bytes are too many for a firmware", name, st.Size()))
	}
	b, err := io.ReadAll(io.LimitReader(f, largestInput))
	if err != nil {
		return nil, openError(name, err)
	}
	return b, nil
}

// readStdin reads standard input until it ends or ctx does: a person may have
// typed "-" and now wants to leave.
func (a *app) readStdin(ctx context.Context) ([]byte, error) {
	a.ui.Debugf("reading standard input")
	type result struct {
		b   []byte
		err error
	}
	done := make(chan result, 1)
	go func() {
		b, err := io.ReadAll(io.LimitReader(a.stdin, largestInput))
		done <- result{b, err}
	}()
	select {
	case r := <-done:
		return r.b, fault.Wrap(fault.Usage, r.err, "reading standard input")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// openError says why a file cannot be read, without the system call's name.
func openError(name string, err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return fault.Wrap(fault.Usage, err, "opening "+name)
}

// positioned is an error with a place in a text file.
type positioned interface {
	error
	Position() (line, col int, text string)
}

// atFile puts a file's name before an error, and line and column after the
// name where there are any: "partitions.csv:3:7: unknown type".
func atFile(name string, err error) error {
	var p positioned
	var other interface{ InFile() string }
	if errors.As(err, &other) {
		name = other.InFile()
	}
	if errors.As(err, &p) {
		line, col, text := p.Position()
		at := name
		if line > 0 {
			at += ":" + itoa(line)
		}
		if col > 0 {
			at += ":" + itoa(col)
		}
		err = classify(err)
		return fault.Wrap(fault.KindOf(err), errors.New(text), at, fault.Hints(err)...)
	}
	err = classify(err)
	return fault.Wrap(fault.KindOf(err), err, name)
}
