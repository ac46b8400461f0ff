package ui

import (
	"regexp"
	"strings"
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

var sgr = regexp.MustCompile("\x1b\\[[0-9;]*m")

// stripColor removes the colour sequences of another program.
func stripColor(s string) string { return sgr.ReplaceAllString(s, "") }
