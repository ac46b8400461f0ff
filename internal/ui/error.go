package ui

import (
	"strings"

	"espalier.dev/espalier/internal/fault"
)

// Error shows an error: its line and its hints on stderr, and with --json the
// event "error" as well. A nil error shows nothing.
func (u *UI) Error(err error) {
	if err == nil {
		return
	}
	kind, hints := fault.KindOf(err), fault.Hints(err)
	u.Event("error", ErrorEvent{int(kind), KindName(kind), err.Error(), hints})

	prefix := u.Paint(Stderr, Red, "espalier:") + " "
	for line := range strings.Lines(err.Error()) {
		if line = strings.TrimSpace(line); line != "" {
			u.line(Stderr, prefix+harmless(line))
		}
	}
	u.Hints(hints...)
}

// Hints shows hint lines without an error.
func (u *UI) Hints(hints ...string) {
	for _, h := range hints {
		prefix := u.Paint(Stderr, Cyan, "hint:") + " "
		for line := range strings.Lines(h) {
			u.line(Stderr, prefix+harmless(strings.TrimRight(line, "\n")))
			prefix = "      "
		}
	}
}

// KindName is the word for a kind in events.
func KindName(k fault.Kind) string {
	switch k {
	case fault.OK:
		return "ok"
	case fault.Program:
		return "program"
	case fault.Usage:
		return "usage"
	case fault.Build:
		return "build"
	case fault.Port:
		return "port"
	case fault.Chip:
		return "chip"
	case fault.Pins:
		return "pins"
	case fault.Sandbox:
		return "sandbox"
	case fault.Differ:
		return "differ"
	case fault.Bug:
		return "bug"
	case fault.Timeout:
		return "timeout"
	case fault.Interrupted:
		return "interrupted"
	}
	return "unknown"
}
