package console

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"espalier.dev/espalier/firmware"
	"espalier.dev/espalier/firmware/defmt"
	"espalier.dev/espalier/internal/ui"
	"espalier.dev/espalier/monitor"
)

// Address is an address as it is printed everywhere: 0x and eight hex digits.
func Address(a uint32) string { return string(AppendAddress(nil, a)) }

// AppendAddress is Address without an allocation.
func AppendAddress(b []byte, a uint32) []byte {
	b = append(b, "0x"...)
	for shift := 28; shift >= 0; shift -= 4 {
		b = append(b, "0123456789abcdef"[a>>shift&15])
	}
	return b
}

// Frame is "function at file:line", "function+0x12" without a line, and "??"
// in place of an unknown function.
func Frame(f firmware.Frame) string { return string(AppendFrame(nil, &f)) }

// AppendFrame is Frame without an allocation.
func AppendFrame(b []byte, f *firmware.Frame) []byte {
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

// NoteLines are the functions at an address, one a line, innermost first.
func NoteLines(n monitor.Note) []string {
	var out []string
	for i, f := range n.Frames {
		lead := Address(n.Addr)
		if i > 0 {
			lead = strings.Repeat(" ", len(lead)-3) + "in "
		}
		out = append(out, "  "+lead+" "+Frame(f))
	}
	return out
}

// lineEnd is what is printed after a line. A piece of a line has no end yet.
func lineEnd(e monitor.End) string {
	switch e {
	case monitor.Newline:
		return "\n"
	case monitor.Return:
		return "\r"
	}
	return ""
}

// Paint is the text of a line in the colours of its class or log level; a
// defmt frame gets the source line of its log statement appended.
func Paint(u *ui.UI, to ui.Stream, l monitor.Line) string {
	switch {
	case l.Class == monitor.Boot:
		return u.Paint(to, ui.Dim, l.Text)
	case !l.Logged:
		return l.Text
	}
	text := l.Text
	if lead := len(l.Text) - len(l.Message); lead > 0 && lead >= len(l.Stamp) {
		level := u.Paint(to, levelStyle(l.Level), l.Text[len(l.Stamp):lead])
		text = u.Paint(to, ui.Dim, l.Stamp) + level + l.Message
	}
	if p := l.Place; p != nil && p.File != "" && !l.Continued {
		text += u.Paint(to, ui.Dim, fmt.Sprintf("  %s:%d", p.File, p.Line))
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

// clock is a time since the start as minutes, seconds and milliseconds.
func clock(d time.Duration) string {
	ms := d.Milliseconds()
	if ms < 3600_000 {
		return fmt.Sprintf("%02d:%02d.%03d", ms/60_000, ms/1000%60, ms%1000)
	}
	return fmt.Sprintf("%d:%02d:%02d.%03d", ms/3600_000, ms/60_000%60, ms/1000%60, ms%1000)
}
