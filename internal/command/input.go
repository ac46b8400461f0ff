package command

import (
	"context"
	"fmt"
	"io"
	"os"

	"espalier.dev/espalier/internal/fault"
)

// largestInput bounds what a verb reads into memory: an ELF with full debug
// information has tens of MiB.
const largestInput = 1 << 30

// ReadFile reads a file that the user named. Errors are faults of kind Usage: of
// opening, of a directory, of a file larger than 1 GiB.
func ReadFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fault.Opening(name, err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, fault.Opening(name, err)
	}
	if st.IsDir() {
		return nil, fault.New(fault.Usage, fmt.Sprintf("opening %s: it is a directory", name))
	}
	if st.Size() > largestInput {
		return nil, fault.New(fault.Usage, fmt.Sprintf("opening %s: %d bytes are too many for a firmware", name, st.Size()))
	}
	b, err := io.ReadAll(io.LimitReader(f, largestInput))
	if err != nil {
		return nil, fault.Opening(name, err)
	}
	return b, nil
}

// ReadAll reads a stream until it ends or ctx does: a person may have typed "-",
// waits at the terminal, and interrupts. what is the stream in errors.
func ReadAll(ctx context.Context, in io.Reader, what string) ([]byte, error) {
	type result struct {
		b   []byte
		err error
	}
	done := make(chan result, 1)
	go func() {
		b, err := io.ReadAll(io.LimitReader(in, largestInput))
		done <- result{b, err}
	}()
	select {
	case r := <-done:
		return r.b, fault.Wrap(fault.Usage, r.err, "reading "+what)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
