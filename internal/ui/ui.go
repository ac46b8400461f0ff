package ui

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"espalier.dev/espalier/internal/progress"
)

// Options decide how a UI prints.
type Options struct {
	Stdout, Stderr io.Writer
	Lookup         func(string) (string, bool) // the environment, as os.LookupEnv; nil is empty
	JSON           bool                        // --json
	NoColor        bool                        // --no-color
	Quiet          bool                        // -q: no notes, no progress
	Verbose        bool                        // -v: notes that only matter when something is wrong
	Now            func() time.Time            // the clock of progress; nil is time.Now
	Observe        io.Writer                   // receives what is written to both streams; may be nil
}

// UI prints. All methods are safe for concurrent use.
type UI struct {
	mu       sync.Mutex
	opt      Options
	out, err output
	bars     *bars // nil while no bar is shown
	lost     error // of writing to stdout
}

var _ progress.Reporter = (*UI)(nil)

// New makes a UI. Close it before the process ends.
func New(opt Options) *UI {
	if opt.Lookup == nil {
		opt.Lookup = func(string) (string, bool) { return "", false }
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	u := &UI{opt: opt}
	for _, o := range []struct {
		to *output
		w  io.Writer
	}{{&u.out, opt.Stdout}, {&u.err, opt.Stderr}} {
		o.to.w = o.w
		o.to.tty = isTerminal(o.w)
		o.to.color = wantColor(opt, o.to.tty)
	}
	return u
}

// Close removes the bars and writes unfinished lines. The UI may be used again.
func (u *UI) Close() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.bars != nil {
		u.bars.stop()
		u.bars = nil
	}
	u.flush()
}

// JSON reports whether events are wanted instead of text.
func (u *UI) JSON() bool { return u.opt.JSON }

// Verbose reports whether -v was given.
func (u *UI) Verbose() bool { return u.opt.Verbose }

// Quiet reports whether -q was given.
func (u *UI) Quiet() bool { return u.opt.Quiet }

// Printf writes a line of data to stdout. With --json it does nothing: the
// verb says the same with Event.
func (u *UI) Printf(format string, args ...any) {
	if u.opt.JSON {
		return
	}
	u.line(Stdout, fmt.Sprintf(format, args...))
}

// Note is a line for the user that is neither data nor an error. With --json
// it is the event "note".
func (u *UI) Note(format string, args ...any) {
	if u.opt.Quiet {
		return
	}
	text := fmt.Sprintf(format, args...)
	if u.opt.JSON {
		u.Event("note", NoteEvent{text})
		return
	}
	u.line(Stderr, text)
}

// Debugf is a Note that is shown with -v only.
func (u *UI) Debugf(format string, args ...any) {
	if u.opt.Verbose {
		u.Note(format, args...)
	}
}

// Diagnostic shows a compiler's message on stderr as it was rendered, with its
// colours where stderr takes them. With --json it is the event "diagnostic".
func (u *UI) Diagnostic(rendered string) {
	if u.opt.JSON {
		u.Event("diagnostic", DiagnosticEvent{stripColor(rendered)})
		return
	}
	if !u.err.color {
		rendered = stripColor(rendered)
	}
	u.line(Stderr, caret(rendered))
}

// line writes text and a line end.
func (u *UI) line(s Stream, text string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.write(s, []byte(strings.TrimSuffix(text, "\n")+"\n"))
}
