package build

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// PlainMessage removes the colours from one of cargo's JSON messages.
func PlainMessage(line []byte) []byte {
	if !bytes.Contains(line, []byte(`\u001b[`)) {
		return line
	}
	return mapStrings(line, plain)
}

// ShortMessage formats a message of the compiler as its --error-format=short
// does, one line for each primary span; "" for any other of cargo's messages.
func ShortMessage(line []byte) string {
	var msg struct {
		Reason  string
		Message *struct {
			Message, Level string
			Code           *struct{ Code string }
			Spans          []struct {
				FileName    string `json:"file_name"`
				LineStart   int    `json:"line_start"`
				ColumnStart int    `json:"column_start"`
				IsPrimary   bool   `json:"is_primary"`
			}
		}
	}
	if json.Unmarshal(line, &msg) != nil || msg.Reason != "compiler-message" || msg.Message == nil || msg.Message.Level == "failure-note" {
		return ""
	}
	m := msg.Message
	text := m.Level
	if m.Code != nil && m.Level == "error" {
		text += "[" + m.Code.Code + "]"
	}
	text += ": " + m.Message + "\n"
	var b strings.Builder
	for _, s := range m.Spans {
		if s.IsPrimary {
			fmt.Fprintf(&b, "%s:%d:%d: %s", s.FileName, s.LineStart, s.ColumnStart, text)
		}
	}
	if b.Len() == 0 {
		return text
	}
	return b.String()
}
