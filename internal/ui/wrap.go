package ui

import (
	"os"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"
)

// Widths of a stream in columns.
const (
	defaultWidth = 80  // of a pipe or file
	minWidth     = 40  // of any stream
	maxWidth     = 120 // longer lines are hard to read
)

// Width is how many columns a line on a stream should have: COLUMNS, else that
// of the terminal, else 80; at least 40 and at most 120.
func (u *UI) Width(s Stream) int {
	o := u.stream(s)
	width := defaultWidth
	if v, _ := u.opt.Lookup("COLUMNS"); v != "" {
		if n, err := strconv.Atoi(v); err == nil && n > 0 {
			width = n
		}
	} else if f, ok := o.w.(*os.File); ok && o.tty {
		if n, _, err := term.GetSize(int(f.Fd())); err == nil && n > 0 {
			width = n
		}
	}
	return min(max(width, minWidth), maxWidth)
}

// Wrap breaks text into lines of at most width characters. A paragraph ends with
// an empty line; its lines are filled again. Lines that begin with a space are
// kept as they are.
func Wrap(text string, width int) string {
	var out []string
	column := 0 // of the line that is being filled; 0: none
	for line := range strings.SplitSeq(text, "\n") {
		if line == "" || line[0] == ' ' {
			out, column = append(out, line), 0
			continue
		}
		for _, word := range strings.Fields(line) {
			n := utf8.RuneCountInString(word)
			if column > 0 && column+1+n <= width {
				out[len(out)-1] += " " + word
				column += 1 + n
				continue
			}
			out, column = append(out, word), n
		}
	}
	return strings.Join(out, "\n")
}
