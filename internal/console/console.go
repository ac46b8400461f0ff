package console

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"espalier.dev/espalier/internal/ui"
	"espalier.dev/espalier/monitor"
)

// Options say how lines are shown.
type Options struct {
	Filter     []monitor.Rule // show only lines that match any of them; empty: all
	Timestamps bool           // the time since the start before each line
	Text       bool           // lines instead of bytes, also on a pipe
}

// Console is a monitor.Sink that shows what a board sends.
//
//   - With --json: the events "line" and "report".
//   - On a terminal, or when Options ask for lines: lines, with the functions
//     at their addresses below, and a report in place of the lines of a crash.
//   - On a pipe: nothing of the lines, since the session copies the bytes to
//     Raw; what they mean (functions, decoded log frames, reports) goes to
//     stderr.
//
// It is not safe for concurrent use.
type Console struct {
	ui  *ui.UI
	opt Options

	paused  bool           // a prompt is shown where lines would be
	delayed []monitor.Line // lines that arrived while paused
	held    []monitor.Line // pieces of a line whose end the filter waits for
	inLine  bool           // the cursor is after a piece of a line
}

// New returns a console that prints to u.
func New(u *ui.UI, opt Options) *Console { return &Console{ui: u, opt: opt} }

// Lines reports whether lines are shown instead of bytes.
func (c *Console) Lines() bool {
	return c.opt.Text || c.opt.Timestamps || len(c.opt.Filter) > 0 || c.ui.JSON() || c.ui.Terminal(ui.Stdout)
}

// Raw is where the board's bytes go unaltered, nil when lines are shown.
func (c *Console) Raw() io.Writer {
	if c.Lines() {
		return nil
	}
	return c.ui.Writer(ui.Stdout)
}

// ToggleTimestamps shows or hides the time before each line.
func (c *Console) ToggleTimestamps() { c.opt.Timestamps = !c.opt.Timestamps }

// SetFilter replaces the filter; nil shows all lines.
func (c *Console) SetFilter(rules []monitor.Rule) { c.opt.Filter = rules }

// maxDelayed bounds the lines that are kept while paused.
const maxDelayed = 10_000

// Pause delays lines until Resume: the user types at a prompt.
func (c *Console) Pause() { c.paused = true }

// Resume shows the lines that were delayed.
func (c *Console) Resume() {
	c.paused = false
	delayed := c.delayed
	c.delayed = nil
	for _, l := range delayed {
		c.Line(l)
	}
}

// Line implements monitor.Sink.
func (c *Console) Line(l monitor.Line) {
	if c.paused {
		l.Raw, l.Notes = slices.Clone(l.Raw), slices.Clone(l.Notes)
		if c.delayed = append(c.delayed, l); len(c.delayed) == maxDelayed {
			c.Resume()
		}
		return
	}
	if len(c.opt.Filter) == 0 || l.Class == monitor.Crash {
		c.show(l)
		return
	}
	if l.End == monitor.Partial {
		l.Raw = slices.Clone(l.Raw)
		c.held = append(c.held, l)
		return
	}
	c.held = append(c.held, l)
	c.Release()
}

// Release shows the pieces of a line that the filter holds back, if the line
// matches. The caller calls it at the end, when no more of the line will come.
func (c *Console) Release() {
	whole := ""
	for _, h := range c.held {
		whole += h.Text
	}
	matches := func(r monitor.Rule) bool { return r.Match(whole) }
	if len(c.opt.Filter) == 0 || slices.ContainsFunc(c.opt.Filter, matches) {
		for _, h := range c.held {
			c.show(h)
		}
	}
	c.held = c.held[:0]
}

func (c *Console) show(l monitor.Line) {
	switch {
	case c.ui.JSON():
		c.ui.Event("line", newLineEvent(l))
	case l.Class == monitor.Crash:
		// Its report is shown instead.
	case c.Lines():
		text := Paint(c.ui, ui.Stdout, l) + lineEnd(l.End)
		if c.opt.Timestamps && !c.inLine {
			text = c.ui.Paint(ui.Stdout, ui.Dim, fmt.Sprintf("[%s] ", clock(l.At))) + text
		}
		c.inLine = l.End == monitor.Partial || l.End == monitor.Cut
		io.WriteString(c.ui.Writer(ui.Stdout), text)
		c.notes(l)
	case l.Logged:
		// The frame itself went to stdout, where no one can read it.
		c.ui.Note("%s", Paint(c.ui, ui.Stderr, l))
		c.notes(l)
	default:
		c.notes(l)
	}
}

// notes shows the functions at the addresses of a line.
func (c *Console) notes(l monitor.Line) {
	for _, n := range l.Notes {
		for _, t := range NoteLines(n) {
			c.ui.Note("%s", c.ui.Paint(ui.Stderr, ui.Yellow, t))
		}
	}
}

// Report implements monitor.Sink.
func (c *Console) Report(r *monitor.Report) {
	if c.ui.JSON() {
		c.ui.Event("report", newReportEvent(r))
		return
	}
	head, rest, _ := strings.Cut(r.String(), "\n")
	io.WriteString(c.ui.Writer(ui.Stderr), c.ui.Paint(ui.Stderr, ui.Red, head)+"\n"+rest)
}
