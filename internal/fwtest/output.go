package fwtest

import (
	"espalier.dev/espalier/internal/scenario"
	"espalier.dev/espalier/monitor"
)

// maxOutput bounds what is kept of a test that writes without end, in bytes.
const maxOutput = 256 << 10

// output keeps what a test writes, as lines; it is a monitor.Sink.
type output struct {
	lines   []line
	size    int
	cut     bool
	report  *monitor.Report
	rules   []monitor.Rule
	seen    []bool
	matched int
	player  *scenario.Player // nil: no scenario
}

// line is a line of the output; the rest of an unfinished one is appended.
type line struct {
	stream monitor.Stream
	number int
	text   string
}

// room reports whether n more bytes are kept.
func (o *output) room(n int) bool {
	o.size += n
	o.cut = o.cut || o.size > maxOutput
	return !o.cut
}

// done reports whether the output decides the verdict.
func (o *output) done() bool { return o.report != nil || len(o.rules) > 0 && o.matched == len(o.rules) }

// Line implements monitor.Sink.
func (o *output) Line(l monitor.Line) {
	text := l.Text
	if n := len(o.lines) - 1; l.Continued && n >= 0 && o.lines[n].stream == l.Stream && o.lines[n].number == l.Number {
		o.lines[n].text += text
		text = o.lines[n].text
	} else {
		o.lines = append(o.lines, line{l.Stream, l.Number, text})
	}
	if o.player != nil {
		o.player.Line(l.Text)
	}
	for i, r := range o.rules {
		if !o.seen[i] && r.Match(text) {
			o.seen[i] = true
			o.matched++
		}
	}
}

// Report implements monitor.Sink.
func (o *output) Report(r *monitor.Report) {
	if o.report == nil {
		o.report = r
	}
}

func (o *output) texts() []string {
	var out []string
	for _, l := range o.lines {
		out = append(out, l.text)
	}
	if o.cut {
		out = append(out, "… the rest is not kept")
	}
	return out
}
