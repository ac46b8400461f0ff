package cli

import (
	"encoding/base64"
	"fmt"
	"io"
	"strings"

	elfview "espalier.dev/espalier/firmware"
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
		c.ui.Event("line", e)
		return
	}
	if c.raw() == nil && l.Class != monitor.Crash {
		text := l.Text
		if l.Class == monitor.Boot {
			text = c.ui.Paint(ui.Stdout, ui.Dim, text)
		}
		switch l.End {
		case monitor.Newline:
			text += "\n"
		case monitor.Return:
			text += "\r"
		}
		io.WriteString(c.ui.Writer(ui.Stdout), text)
	}
	if l.Class == monitor.Crash {
		return // its report names the places
	}
	for _, n := range l.Notes {
		for i, f := range n.Frames {
			lead := address(n.Addr)
			if i > 0 {
				lead = strings.Repeat(" ", len(lead)-3) + "in "
			}
			c.ui.Note("%s", c.ui.Paint(ui.Stderr, ui.Yellow, "  "+lead+" "+frameText(f)))
		}
	}
}

// frameText is "function at file:line".
func frameText(f elfview.Frame) string {
	name := f.Function
	if name == "" {
		name = "??"
	}
	if f.File == "" {
		if f.Offset > 0 {
			name += fmt.Sprintf("+0x%x", f.Offset)
		}
		return name
	}
	return fmt.Sprintf("%s at %s:%d", name, f.File, f.Line)
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
