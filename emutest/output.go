package emutest

import (
	"espalier.dev/espalier/monitor"
)

// output keeps what the board wrote, and how far Expect has read. It is a
// monitor.Sink.
type output struct {
	lines   []outputLine
	reports []*monitor.Report
	also    func(text string) // receives each line; may be nil
	changed bool              // since it was last cleared

	// Expect continues in this line, after this many bytes of its text.
	line, offset int
	crashes      int // reports that ExpectCrash has returned
}

type outputLine struct {
	stream monitor.Stream
	number int
	text   string
}

// Line implements monitor.Sink. The pieces of a line, such as a prompt and what
// follows it, become one.
func (o *output) Line(l monitor.Line) {
	o.changed = true
	if o.also != nil {
		o.also(l.Text)
	}
	if l.Continued {
		for i := len(o.lines) - 1; i >= 0; i-- {
			if o.lines[i].stream == l.Stream {
				if o.lines[i].number == l.Number {
					o.lines[i].text += l.Text
					return
				}
				break
			}
		}
	}
	o.lines = append(o.lines, outputLine{l.Stream, l.Number, l.Text})
}

// Report implements monitor.Sink.
func (o *output) Report(r *monitor.Report) {
	o.changed = true
	o.reports = append(o.reports, r)
}

func (o *output) texts() []string {
	out := make([]string, len(o.lines))
	for i, l := range o.lines {
		out[i] = l.text
	}
	return out
}

// find looks for the first match after the last one. Match returns the end of
// the match in a text, -1 when there is none.
func (o *output) find(match func(text string) (end int)) (line string, found bool) {
	offset := o.offset
	for i := o.line; i < len(o.lines); i++ {
		text := o.lines[i].text
		if end := match(text[offset:]); end >= 0 {
			o.line, o.offset = i, offset+end
			return text, true
		}
		offset = 0
	}
	return "", false
}
