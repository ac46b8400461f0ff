package ui

// The rules of the terminal.
//
//  1. stdout is data: what a verb was asked for, and what the firmware prints.
//     stderr is everything else. Piping stdout never shows a progress line.
//  2. Silence is success. A verb that only changed something says nothing.
//  3. An error is one line, "espalier: ", lower case, no full stop; then
//     "hint: " lines, each of which can be pasted or acted upon.
//  4. With --json, stdout carries newline-delimited events and nothing else
//     (but for help and completion scripts), each with "version" and "event"
//     first. Errors are events there and lines on stderr.
//  5. Bars appear on a terminal only, on stderr, at most ten times a second, and
//     leave one line for each phase. Without a terminal a phase is that line,
//     and one a minute while it runs.
//  6. Colour is for a terminal only; NO_COLOR (not empty), TERM=dumb and
//     --no-color switch it off, CLICOLOR_FORCE (not 0) switches it on for pipes,
//     and off wins. Colour never carries a meaning by itself.
//  7. Nothing is asked. A verb that needs an answer says which flag gives it.
//  8. Close always leaves the terminal as it was: no bar, no colour,
//     the cursor at the start of a line.
//  9. Times are seconds with one decimal, sizes B, KiB, MiB, GiB, addresses
//     0x%08x.

import (
	"io"
	"os"

	"golang.org/x/term"
)

// Stream is one of the two outputs.
type Stream int

// The streams.
const (
	Stdout Stream = iota
	Stderr
)

// output is a stream with what is known about it.
type output struct {
	w     io.Writer
	tty   bool
	color bool
	part  []byte // an unfinished line, kept while bars are shown
}

// isTerminal reports whether w is a terminal.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// Terminal reports whether a stream is a terminal.
func (u *UI) Terminal(s Stream) bool { return u.stream(s).tty }

func (u *UI) stream(s Stream) *output {
	if s == Stdout {
		return &u.out
	}
	return &u.err
}

// writer is a stream as an io.Writer.
type writer struct {
	u *UI
	s Stream
}

func (w writer) Write(p []byte) (int, error) {
	w.u.mu.Lock()
	defer w.u.mu.Unlock()
	return len(p), w.u.write(w.s, p)
}

// Writer returns a stream for bytes that are passed on unaltered: a compiler's
// messages, the firmware's output. While bars are shown, unfinished lines wait
// for their end.
func (u *UI) Writer(s Stream) io.Writer { return writer{u, s} }

// write is the only place that writes to a stream. u.mu is held. A stdout that
// cannot be written is remembered: data that was lost is a failure.
func (u *UI) write(s Stream, p []byte) error {
	if u.opt.Observe != nil {
		u.opt.Observe.Write(p)
	}
	err := u.pass(s, p)
	if err != nil && s == Stdout && u.lost == nil {
		u.lost = err
	}
	return err
}

// Err returns the first error of writing to stdout.
func (u *UI) Err() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.lost
}

func (u *UI) pass(s Stream, p []byte) error {
	o := u.stream(s)
	if !o.tty || u.bars == nil {
		if len(o.part) > 0 {
			part := o.part
			o.part = nil
			if _, err := o.w.Write(part); err != nil {
				return err
			}
		}
		_, err := o.w.Write(p)
		return err
	}
	o.part = append(o.part, p...)
	for i := len(o.part) - 1; i >= 0; i-- {
		if o.part[i] == '\n' {
			u.bars.above(o.part[:i+1])
			o.part = append([]byte(nil), o.part[i+1:]...)
			break
		}
	}
	return nil
}

// flush writes what was kept back.
func (u *UI) flush() {
	for _, o := range []*output{&u.out, &u.err} {
		if len(o.part) > 0 {
			o.w.Write(o.part)
			o.part = nil
		}
	}
}
