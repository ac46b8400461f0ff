package cli

import (
	"encoding/base64"
	"fmt"
	"io"
	"strconv"
	"strings"

	elfview "espalier.dev/espalier/firmware"
	"espalier.dev/espalier/firmware/defmt"
	"espalier.dev/espalier/internal/ui"
	"espalier.dev/espalier/monitor"
)

// console shows what a board says. On a terminal, lines with the functions and
// places of the addresses in them, and a report instead of the lines of a
// crash; on a pipe, the bytes as they come, with everything else on stderr;
// with --json, events.
type console struct {
	ui *ui.UI
}

// raw is where the board's bytes go unaltered; nil when lines are shown.
func (c console) raw() io.Writer {
	if c.ui.JSON() || c.ui.Terminal(ui.Stdout) {
		return nil
	}
	return c.ui.Writer(ui.Stdout)
}

// lineEvent is the event "line".
type lineEvent struct {
	Stream  string       `json:"stream"`
	At      float64      `json:"at"` // seconds since power-on, or since the start on a real board
	Text    string       `json:"text"`
	Raw     string       `json:"raw,omitempty"`     // base64, where text is not the bytes that came
	Class   string       `json:"class"`             // program, boot, crash
	Partial bool         `json:"partial,omitempty"` // the line is not over
	Notes   []placeEvent `json:"notes,omitempty"`

	// Of a frame of defmt.
	Level     string      `json:"level,omitempty"` // trace, debug, info, warn, error; println has none
	Timestamp string      `json:"timestamp,omitempty"`
	Message   *string     `json:"message,omitempty"`
	Place     *frameEvent `json:"place,omitempty"`
}

// placeEvent is a code address and what is there, innermost function first.
type placeEvent struct {
	Address string       `json:"address"`
	Role    string       `json:"role,omitempty"`
	Frames  []frameEvent `json:"frames,omitempty"`
}

type frameEvent struct {
	Function string `json:"function"`
	File     string `json:"file,omitempty"`
	Line     int    `json:"line,omitempty"`
	Column   int    `json:"column,omitempty"`
	Inline   bool   `json:"inline,omitempty"`
}

func frames(in []elfview.Frame) []frameEvent {
	var out []frameEvent
	for _, f := range in {
		out = append(out, frameEvent{f.Function, f.File, f.Line, f.Column, f.Inline})
	}
	return out
}

// Line implements monitor.Sink.
func (c console) Line(l monitor.Line) {
	if c.ui.JSON() {
		e := lineEvent{Stream: string(l.Stream), At: l.At.Seconds(), Text: l.Text, Class: l.Class.String(), Partial: l.End == monitor.Partial || l.End == monitor.Cut}
		if string(l.Raw) != l.Text {
			e.Raw = base64.StdEncoding.EncodeToString(l.Raw)
		}
		for _, n := range l.Notes {
			e.Notes = append(e.Notes, placeEvent{Address: address(n.Addr), Frames: frames(n.Frames)})
		}
		if l.Logged {
			e.Level, e.Timestamp, e.Message = strings.ToLower(l.Level.String()), l.Stamp, &l.Message
			if p := l.Place; p != nil {
				e.Place = &frameEvent{Function: p.Module, File: p.File, Line: p.Line}
			}
		}
		c.ui.Event("line", e)
		return
	}
	if c.raw() == nil && l.Class != monitor.Crash {
		io.WriteString(c.ui.Writer(ui.Stdout), c.painted(ui.Stdout, l)+lineEnd(l.End))
	} else if l.Logged && l.Class != monitor.Crash {
		// The frames went to stdout as they came: no person can read them.
		c.ui.Note("%s", c.painted(ui.Stderr, l))
	}
	if l.Class == monitor.Crash {
		return // its report names the places
	}
	c.notes(l)
}

func lineEnd(e monitor.End) string {
	switch e {
	case monitor.Newline:
		return "\n"
	case monitor.Return:
		return "\r"
	}
	return ""
}

// painted is the text of a line in the colours of its class or level; that of
// a log statement with its place.
func (c console) painted(to ui.Stream, l monitor.Line) string {
	switch {
	case l.Class == monitor.Boot:
		return c.ui.Paint(to, ui.Dim, l.Text)
	case !l.Logged:
		return l.Text
	}
	text := l.Text
	if lead := len(l.Text) - len(l.Message); lead > 0 && lead >= len(l.Stamp) {
		text = c.ui.Paint(to, ui.Dim, l.Stamp) + c.ui.Paint(to, levelStyle(l.Level), l.Text[len(l.Stamp):lead]) + l.Message
	}
	if p := l.Place; p != nil && p.File != "" && !l.Continued {
		text += c.ui.Paint(to, ui.Dim, fmt.Sprintf("  %s:%d", p.File, p.Line))
	}
	return text
}

func levelStyle(l defmt.Level) ui.Style {
	switch l {
	case defmt.Error:
		return ui.Red
	case defmt.Warn:
		return ui.Yellow
	case defmt.Info:
		return ui.Green
	case defmt.Trace:
		return ui.Dim
	}
	return ui.Plain
}

// frameText is "function at file:line".
func frameText(f elfview.Frame) string { return string(appendFrame(nil, &f)) }

func appendFrame(b []byte, f *elfview.Frame) []byte {
	name := f.Function
	if name == "" {
		name = "??"
	}
	b = append(b, name...)
	if f.File == "" {
		if f.Offset > 0 {
			b = strconv.AppendUint(append(b, "+0x"...), uint64(f.Offset), 16)
		}
		return b
	}
	b = append(append(b, " at "...), f.File...)
	return strconv.AppendInt(append(b, ':'), int64(f.Line), 10)
}

// appendAddress is address without a string of its own.
func appendAddress(b []byte, a uint32) []byte {
	b = append(b, "0x"...)
	for shift := 28; shift >= 0; shift -= 4 {
		b = append(b, "0123456789abcdef"[a>>shift&15])
	}
	return b
}

// Report implements monitor.Sink.
func (c console) Report(r *monitor.Report) {
	if c.ui.JSON() {
		e := struct {
			Kind      string            `json:"kind"`
			Stream    string            `json:"stream"`
			At        float64           `json:"at"`
			Message   string            `json:"message"`
			Location  string            `json:"location,omitempty"`
			Registers map[string]string `json:"registers,omitempty"`
			Backtrace []placeEvent      `json:"backtrace,omitempty"`
			Hints     []string          `json:"hints,omitempty"`
		}{Kind: r.Kind.String(), Stream: string(r.Stream), At: r.At.Seconds(), Message: r.Message, Location: r.Location, Hints: r.Hints}
		for _, g := range r.Registers {
			if e.Registers == nil {
				e.Registers = map[string]string{}
			}
			e.Registers[g.Name] = address(g.Value)
		}
		for _, f := range r.Frames {
			e.Backtrace = append(e.Backtrace, placeEvent{address(f.Addr), f.Role, frames(f.Frames)})
		}
		c.ui.Event("report", e)
		return
	}
	w := c.ui.Writer(ui.Stderr)
	head, rest, _ := strings.Cut(r.String(), "\n")
	io.WriteString(w, c.ui.Paint(ui.Stderr, ui.Red, head)+"\n"+rest)
}
