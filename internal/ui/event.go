package ui

import (
	"bytes"
	"encoding/json"
	"fmt"

	"espalier.dev/espalier/internal/progress"
)

// EventVersion is the version of the event format. Within a version, events
// and fields are added, never removed or changed in meaning.
const EventVersion = 1

// Event writes one event to stdout with --json, and does nothing otherwise.
// fields is a struct or map whose JSON is an object; version and event come
// before its fields. A value that cannot be encoded is a bug and panics.
func (u *UI) Event(name string, fields any) {
	if !u.opt.JSON {
		return
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"version":%d,"event":%q`, EventVersion, name)
	if fields != nil {
		enc := &bytes.Buffer{}
		e := json.NewEncoder(enc)
		e.SetEscapeHTML(false)
		if err := e.Encode(fields); err != nil {
			panic(fmt.Sprintf("event %s: %v", name, err))
		}
		body := bytes.TrimSpace(enc.Bytes())
		if len(body) < 2 || body[0] != '{' {
			panic(fmt.Sprintf("event %s: fields are not an object: %s", name, body))
		}
		if len(body) > 2 {
			b.WriteByte(',')
			b.Write(body[1 : len(body)-1])
		}
	}
	b.WriteString("}\n")
	u.mu.Lock()
	defer u.mu.Unlock()
	u.write(Stdout, b.Bytes())
}

// PhaseEvent is the event "phase": the state of a task.
type PhaseEvent struct {
	Phase   string        `json:"phase"`
	State   string        `json:"state"` // start, running, done, failed
	Unit    progress.Unit `json:"unit,omitempty"`
	Count   int64         `json:"count"`
	Total   int64         `json:"total,omitempty"` // absent: unknown
	Item    string        `json:"item,omitempty"`
	Detail  string        `json:"detail,omitempty"`
	Seconds float64       `json:"seconds,omitempty"` // since the start, at the end only
}

// NoteEvent is the event "note".
type NoteEvent struct {
	Text string `json:"text"`
}

// DiagnosticEvent is the event "diagnostic": one message of the compiler.
type DiagnosticEvent struct {
	Rendered string `json:"rendered"`
}

// ErrorEvent is the event "error", the last one of a verb that fails.
type ErrorEvent struct {
	Exit  int      `json:"exit"`
	Kind  string   `json:"kind"`
	Text  string   `json:"text"`
	Hints []string `json:"hints,omitempty"`
}
