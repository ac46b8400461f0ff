package console

import (
	"encoding/base64"
	"strings"

	"espalier.dev/espalier/firmware"
	"espalier.dev/espalier/monitor"
)

// LineEvent is the JSON event "line".
type LineEvent struct {
	Stream  string       `json:"stream"`
	At      float64      `json:"at"` // seconds since power-on, or since the start on a real board
	Text    string       `json:"text"`
	Raw     string       `json:"raw,omitempty"`     // base64, when text differs from the received bytes
	Class   string       `json:"class"`             // program, boot, crash
	Partial bool         `json:"partial,omitempty"` // the rest of the line follows
	Notes   []PlaceEvent `json:"notes,omitempty"`

	// Only of a defmt frame.
	Level     string      `json:"level,omitempty"` // trace, debug, info, warn, error; println has none
	Timestamp string      `json:"timestamp,omitempty"`
	Message   *string     `json:"message,omitempty"`
	Place     *FrameEvent `json:"place,omitempty"`
}

// PlaceEvent is a code address and the functions there, innermost first.
type PlaceEvent struct {
	Address string       `json:"address"`
	Role    string       `json:"role,omitempty"`
	Frames  []FrameEvent `json:"frames,omitempty"`
}

// FrameEvent is one function at an address.
type FrameEvent struct {
	Function string `json:"function"`
	File     string `json:"file,omitempty"`
	Line     int    `json:"line,omitempty"`
	Column   int    `json:"column,omitempty"`
	Inline   bool   `json:"inline,omitempty"`
}

// ReportEvent is the JSON event "report": one crash.
type ReportEvent struct {
	Kind      string            `json:"kind"`
	Stream    string            `json:"stream"`
	At        float64           `json:"at"`
	Message   string            `json:"message"`
	Location  string            `json:"location,omitempty"`
	Registers map[string]string `json:"registers,omitempty"`
	Backtrace []PlaceEvent      `json:"backtrace,omitempty"`
	Hints     []string          `json:"hints,omitempty"`
}

// NewPlace is the event of an address; role may be empty.
func NewPlace(addr uint32, role string, frames []firmware.Frame) PlaceEvent {
	p := PlaceEvent{Address: Address(addr), Role: role}
	for _, f := range frames {
		p.Frames = append(p.Frames, FrameEvent{f.Function, f.File, f.Line, f.Column, f.Inline})
	}
	return p
}

func newLineEvent(l monitor.Line) LineEvent {
	e := LineEvent{
		Stream: string(l.Stream), At: l.At.Seconds(), Text: l.Text, Class: l.Class.String(),
		Partial: l.End == monitor.Partial || l.End == monitor.Cut,
	}
	if string(l.Raw) != l.Text {
		e.Raw = base64.StdEncoding.EncodeToString(l.Raw)
	}
	for _, n := range l.Notes {
		e.Notes = append(e.Notes, NewPlace(n.Addr, "", n.Frames))
	}
	if l.Logged {
		e.Level, e.Timestamp, e.Message = strings.ToLower(l.Level.String()), l.Stamp, &l.Message
		if p := l.Place; p != nil {
			e.Place = &FrameEvent{Function: p.Module, File: p.File, Line: p.Line}
		}
	}
	return e
}

func newReportEvent(r *monitor.Report) ReportEvent {
	e := ReportEvent{
		Kind: r.Kind.String(), Stream: string(r.Stream), At: r.At.Seconds(),
		Message: r.Message, Location: r.Location, Hints: r.Hints,
	}
	for _, g := range r.Registers {
		if e.Registers == nil {
			e.Registers = map[string]string{}
		}
		e.Registers[g.Name] = Address(g.Value)
	}
	for _, f := range r.Frames {
		e.Backtrace = append(e.Backtrace, NewPlace(f.Addr, f.Role, f.Frames))
	}
	return e
}
