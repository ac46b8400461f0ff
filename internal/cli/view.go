package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"espalier.dev/espalier/internal/ui"
	"espalier.dev/espalier/monitor"
)

// lookOptions say how lines are shown.
type lookOptions struct {
	Filter     []string
	Timestamps bool
	Text       bool
}

func (o *lookOptions) addFlags(f *pflag.FlagSet) {
	f.StringArrayVar(&o.Filter, "filter", nil, "show only lines that contain `TEXT` or match /regex/; any of several")
	f.BoolVar(&o.Timestamps, "timestamps", false, "show the time since the start before each line")
	f.BoolVar(&o.Text, "text", false, "show lines also on a pipe, not the bytes as they come")
}

// view is a console whose lines can be filtered and carry the time. It shows
// lines also on a pipe when it has been asked for either, or for text.
type view struct {
	console
	text   bool           // lines, not bytes, also on a pipe
	stamps bool           // the time before each line
	filter []monitor.Rule // lines that fulfil any of them; none: all

	paused bool           // somebody types where lines would be shown
	later  []monitor.Line // what came meanwhile
	held   []monitor.Line // pieces of a line that the filter has not seen whole
	inLine bool           // something of a line has been shown
}

func (a *app) newView(o lookOptions) (*view, error) {
	rules, err := monitor.ParseRules(o.Filter)
	return &view{console: console{a.ui}, text: o.Text, stamps: o.Timestamps, filter: rules}, err
}

// lines reports whether lines are shown instead of bytes.
func (v *view) lines() bool {
	return v.text || v.stamps || len(v.filter) > 0 || v.console.raw() == nil
}

// raw is where the board's bytes go unaltered; nil when lines are shown.
func (v *view) raw() io.Writer {
	if v.lines() {
		return nil
	}
	return v.console.raw()
}

// mostLater bounds what is kept while somebody types.
const mostLater = 10_000

// pause keeps lines back until resume.
func (v *view) pause() { v.paused = true }

func (v *view) resume() {
	v.paused = false
	later := v.later
	v.later = nil
	for _, l := range later {
		v.Line(l)
	}
}

// Line implements monitor.Sink.
func (v *view) Line(l monitor.Line) {
	if v.paused {
		l.Raw, l.Notes = slices.Clone(l.Raw), slices.Clone(l.Notes)
		if v.later = append(v.later, l); len(v.later) == mostLater {
			v.resume()
		}
		return
	}
	if len(v.filter) == 0 || l.Class == monitor.Crash {
		v.show(l)
		return
	}
	// The filter decides about whole lines.
	if l.End == monitor.Partial {
		l.Raw = append([]byte(nil), l.Raw...)
		v.held = append(v.held, l)
		return
	}
	v.held = append(v.held, l)
	v.release()
}

// release shows the line that is held, if it is wanted: it is whole now, or
// there will be no more of it.
func (v *view) release() {
	whole := ""
	for _, h := range v.held {
		whole += h.Text
	}
	if v.wanted(whole) {
		for _, h := range v.held {
			v.show(h)
		}
	}
	v.held = v.held[:0]
}

func (v *view) wanted(line string) bool {
	for _, r := range v.filter {
		if r.Match(line) {
			return true
		}
	}
	return false
}

func (v *view) show(l monitor.Line) {
	if v.ui.JSON() || !v.lines() {
		v.console.Line(l)
		return
	}
	if l.Class != monitor.Crash {
		text := v.painted(ui.Stdout, l) + lineEnd(l.End)
		if v.stamps && !v.inLine {
			text = v.ui.Paint(ui.Stdout, ui.Dim, fmt.Sprintf("[%s] ", clock(l.At))) + text
		}
		v.inLine = l.End == monitor.Partial || l.End == monitor.Cut
		io.WriteString(v.ui.Writer(ui.Stdout), text)
		v.notes(l)
	}
}

// notes shows what is at the addresses of a line.
func (c console) notes(l monitor.Line) {
	for _, n := range l.Notes {
		for _, t := range noteLines(n) {
			c.ui.Note("%s", c.ui.Paint(ui.Stderr, ui.Yellow, t))
		}
	}
}

// noteLines are the functions at an address, the innermost one first.
func noteLines(n monitor.Note) []string {
	var out []string
	for i, f := range n.Frames {
		lead := address(n.Addr)
		if i > 0 {
			lead = strings.Repeat(" ", len(lead)-3) + "in "
		}
		out = append(out, "  "+lead+" "+frameText(f))
	}
	return out
}

// clock is a time since the start as minutes, seconds and milliseconds.
func clock(d time.Duration) string {
	ms := d.Milliseconds()
	if ms < 3600_000 {
		return fmt.Sprintf("%02d:%02d.%03d", ms/60_000, ms/1000%60, ms%1000)
	}
	return fmt.Sprintf("%d:%02d:%02d.%03d", ms/3600_000, ms/60_000%60, ms/1000%60, ms%1000)
}
