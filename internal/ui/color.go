package ui

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// Style is how a piece of text looks.
type Style string

// Styles; the values are SGR parameters.
const (
	Plain  Style = ""
	Bold   Style = "1"
	Dim    Style = "2"
	Red    Style = "31"
	Green  Style = "32"
	Yellow Style = "33"
	Cyan   Style = "36"
)

// wantColor is rule 6 of the terminal.
func wantColor(opt Options, tty bool) bool {
	set := func(name string) string {
		v, _ := opt.Lookup(name)
		return v
	}
	switch {
	case opt.NoColor || opt.JSON || set("NO_COLOR") != "":
		return false
	case set("CLICOLOR_FORCE") != "" && set("CLICOLOR_FORCE") != "0":
		return true
	}
	return tty && set("TERM") != "dumb"
}

// Color reports whether a stream takes colour, for code that passes another
// program's output on.
func (u *UI) Color(s Stream) bool { return u.stream(s).color }

// Paint returns text in a style when the stream takes colour, text alone
// otherwise. Line ends stay outside the colour.
func (u *UI) Paint(s Stream, style Style, text string) string {
	if style == Plain || text == "" || !u.stream(s).color {
		return text
	}
	body := strings.TrimRight(text, "\n")
	return "\x1b[" + string(style) + "m" + body + "\x1b[0m" + text[len(body):]
}

var (
	sgr   = regexp.MustCompile("\x1b\\[[0-9;]*m")
	atSGR = regexp.MustCompile("^" + sgr.String())
)

// stripColor removes the colour sequences of another program.
func stripColor(s string) string { return sgr.ReplaceAllString(s, "") }

// caret writes the control characters of another program in caret notation,
// except line ends, tabs and colour sequences: a build script's text must not
// move a terminal's cursor, set its title or erase what was printed before.
func caret(s string) string {
	var out strings.Builder
	for len(s) > 0 {
		if s[0] == 0x1b {
			if n := len(atSGR.FindString(s)); n > 0 {
				out.WriteString(s[:n])
				s = s[n:]
				continue
			}
		}
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == '\n' || r == '\t' || r == '\r' && strings.HasPrefix(s, "\r\n"):
			out.WriteString(s[:n])
		case r < 0x20 || r == 0x7f:
			out.WriteByte('^')
			out.WriteByte(byte(r) ^ 0x40)
		case r >= 0x80 && r < 0xa0: // C1: 0x9b begins a sequence as ESC [ does
			fmt.Fprintf(&out, "<%02X>", r)
		default:
			out.WriteString(s[:n])
		}
		s = s[n:]
	}
	return out.String()
}
