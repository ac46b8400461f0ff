package session

import (
	"context"
	"errors"
	"io"
	"time"

	"espalier.dev/espalier/firmware"
	"espalier.dev/espalier/internal/console"
	"espalier.dev/espalier/internal/exithook"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/ui"
	"espalier.dev/espalier/monitor"
)

// Options say how a board is monitored, and until when. They mean the same on
// an emulated board and on a real one.
type Options struct {
	Expect    []string      // rules that all must match, see monitor.ParseRule
	Fail      []string      // rules of which none may match
	Timeout   time.Duration // of the host's clock; 0: none
	For       time.Duration // of the board's time; 0: no end
	Log       string        // file for every byte of the board; "": none
	KeepGoing bool          // a crash is reported and does not end the session

	Filter     []string // rules: lines to show; none: all
	Timestamps bool     // the time before each line
	Text       bool     // lines instead of bytes, also on a pipe
}

// Session is one use of a board, with its options checked.
type Session struct {
	// UI shows everything; required.
	UI *ui.UI
	// Stdin is typed or piped input for the board; nil: none.
	Stdin io.Reader
	// Hooks restore the terminal when the process ends at once; nil: no keys.
	Hooks *exithook.Hooks
	// FromReset says that the board starts its boot with the session: piped input
	// waits until the program is running.
	FromReset bool
	// Lines, when not nil, receives the text of each line.
	Lines func(text string)

	opt          Options
	expect, fail []monitor.Rule
	filter       []monitor.Rule
	silence      time.Duration // before silenceNote
}

// New checks options. The error is a *monitor.RuleError.
func New(opt Options) (*Session, error) {
	s := &Session{opt: opt, silence: silence}
	for _, r := range []struct {
		to   *[]monitor.Rule
		from []string
	}{{&s.expect, opt.Expect}, {&s.fail, opt.Fail}, {&s.filter, opt.Filter}} {
		var err error
		if *r.to, err = monitor.ParseRules(r.from); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Run monitors a board until the verdict is in, the output ends, the user quits
// or ctx ends, and closes the board. Symbols may be nil. Errors: fault.Program
// and fault.Timeout by the verdict, fault.Usage for a log or standard output
// that cannot be written and for firmware that the emulated board does not
// support, those of the board's port, and that of ctx.
func (s *Session) Run(ctx context.Context, b Board, symbols *firmware.Symbols) (err error) {
	r, err := s.start(b, symbols)
	if err != nil {
		return errors.Join(err, b.Close())
	}
	err = r.loop(ctx)
	r.merge.close()
	r.console.Resume()
	r.console.Release()
	r.input.close()
	logErr := r.log.Close()
	if r.merge.err != nil {
		logErr = r.merge.err
	}
	if e := b.Close(); err == nil {
		err = e
	}
	if err != nil {
		return unsupported(err, func() *firmware.Symbols { return symbols })
	}
	s.result(b, r.monitor.Result())
	err = verdictError(r.monitor.Result())
	if p, ok := b.(interface{ Pending() error }); ok && err == nil && !r.quit {
		err = p.Pending()
	}
	return errors.Join(err, logErr)
}

// start opens what the session writes and reads.
func (s *Session) start(b Board, symbols *firmware.Symbols) (*run, error) {
	r := &run{s: s, board: b}
	r.console = console.New(s.UI, console.Options{Filter: s.filter, Timestamps: s.opt.Timestamps, Text: s.opt.Text})
	if raw := r.console.Raw(); raw != nil {
		r.merge.to = append(r.merge.to, stdout{raw})
	}
	if s.opt.Log != "" {
		var err error
		if r.log, err = createFile(s.opt.Log); err != nil {
			return nil, err
		}
		r.merge.to = append(r.merge.to, r.log)
	}
	r.monitor = monitor.New(monitor.Options{
		Symbols: symbols, Expect: s.expect, Fail: s.fail, For: s.opt.For,
		KeepGoing: s.opt.KeepGoing, KeepColor: s.UI.Color(ui.Stdout),
	}, programSink{r.console, &r.running, []func(string){liner(b), s.Lines}})
	r.input = openInput(s.Stdin, s.UI, s.Hooks)
	return r, nil
}

// result is the JSON event "result".
func (s *Session) result(b Board, r monitor.Result) {
	e := ResultEvent{Verdict: verdictName(r.Verdict), Reason: r.Reason, Seconds: b.Now().Seconds()}
	if c, ok := b.(counter); ok {
		instructions, trace := c.Progress()
		e.Instructions, e.Trace = &instructions, traceText(trace)
		s.UI.Debugf("%s after %.6f s of guest time, %d instructions", r.Reason, e.Seconds, instructions)
	}
	s.UI.Event("result", e)
}

// ResultEvent is the JSON event "result": how a run has ended.
type ResultEvent struct {
	Verdict      string  `json:"verdict"`
	Reason       string  `json:"reason"`
	Seconds      float64 `json:"seconds"`                // of the board's time
	Instructions *uint64 `json:"instructions,omitempty"` // emulated boards only
	Trace        string  `json:"trace,omitempty"`        // equal for equal runs
}

// verdictError gives a bad end its exit code.
func verdictError(r monitor.Result) error {
	switch r.Verdict {
	case monitor.Crashed, monitor.FailText, monitor.Missing:
		return fault.Wrap(fault.Program, r.Err(), "")
	case monitor.TimedOut:
		return fault.Wrap(fault.Timeout, r.Err(), "")
	}
	return nil
}

// verdictName is the verdict in JSON events.
func verdictName(v monitor.Verdict) string {
	if v == monitor.TimedOut {
		return "timeout"
	}
	return v.String()
}

// programSink notes when the program, after ROM and bootloader, has printed its
// first line.
type programSink struct {
	monitor.Sink
	running *bool
	lines   []func(text string) // what else reads the lines; nil: nothing
}

// liner returns what wants the lines of a board, or nil.
func liner(b Board) func(string) {
	if l, ok := b.(interface{ Line(text string) }); ok {
		return l.Line
	}
	return nil
}

func (s programSink) Line(l monitor.Line) {
	if l.Class != monitor.Boot {
		*s.running = true
	}
	for _, read := range s.lines {
		if read != nil {
			read(l.Text)
		}
	}
	s.Sink.Line(l)
}
