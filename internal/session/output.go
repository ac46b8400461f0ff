package session

import (
	"bufio"
	"io"
	"os"
	"time"

	"espalier.dev/espalier/internal/fault"
)

// outputFile is a file that the run writes through a buffer. The first error
// stays, and Close returns it.
type outputFile struct {
	name    string
	file    *os.File
	buf     *bufio.Writer
	flushed time.Time
}

// createFile creates or truncates a file.
func createFile(name string) (*outputFile, error) {
	f, err := os.Create(name)
	if err != nil {
		return nil, fault.Opening(name, err)
	}
	return &outputFile{name: name, file: f, buf: bufio.NewWriterSize(f, 1<<16), flushed: time.Now()}, nil
}

func (f *outputFile) Write(p []byte) (int, error) {
	n, err := f.buf.Write(p)
	return n, fault.Writing(f.name, err)
}

// flushEvery is how long bytes may wait in the buffer: another program may be
// following the file.
const flushEvery = 100 * time.Millisecond

// flush writes the buffer when it has waited long enough.
func (f *outputFile) flush() error {
	if f == nil || f.buf.Buffered() == 0 || time.Since(f.flushed) < flushEvery {
		return nil
	}
	f.flushed = time.Now()
	return fault.Writing(f.name, f.buf.Flush())
}

// Close writes the buffer and closes the file.
func (f *outputFile) Close() error {
	if f == nil || f.file == nil {
		return nil
	}
	err := f.buf.Flush()
	if e := f.file.Close(); err == nil {
		err = e
	}
	f.file = nil
	return fault.Writing(f.name, err)
}

// stdout names standard output in the errors of a writer.
type stdout struct{ w io.Writer }

func (s stdout) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	return n, fault.Writing("standard output", err)
}
