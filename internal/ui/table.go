package ui

import (
	"strings"
	"unicode/utf8"
)

// Table is rows with a heading. Right lists the columns that are aligned to
// the right, such as sizes.
type Table struct {
	Head  []string
	Rows  [][]string
	Right []int
}

// Table writes a table to stdout, columns two spaces apart, no rules, nothing
// after the last column. With --json it does nothing.
func (u *UI) Table(t Table) {
	if u.opt.JSON || len(t.Rows) == 0 {
		return
	}
	rows := make([][]string, 0, len(t.Rows))
	for _, row := range t.Rows {
		var cells []string
		for _, cell := range row {
			cells = append(cells, harmless(cell))
		}
		rows = append(rows, cells)
	}
	t.Rows = rows
	width := make([]int, len(t.Head))
	for _, row := range append([][]string{t.Head}, t.Rows...) {
		for i, cell := range row {
			if i < len(width) {
				width[i] = max(width[i], utf8.RuneCountInString(cell))
			}
		}
	}
	right := make([]bool, len(width))
	for _, i := range t.Right {
		right[i] = true
	}
	var b strings.Builder
	write := func(row []string, style Style) {
		var line strings.Builder
		for i, cell := range row {
			if i >= len(width) {
				break
			}
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell))
			if i > 0 {
				line.WriteString("  ")
			}
			if right[i] {
				line.WriteString(pad + cell)
			} else {
				line.WriteString(cell + pad)
			}
		}
		b.WriteString(u.Paint(Stdout, style, strings.TrimRight(line.String(), " ")) + "\n")
	}
	write(t.Head, Bold)
	for _, row := range t.Rows {
		write(row, Plain)
	}
	u.line(Stdout, b.String())
}

// Fields writes names and values to stdout, one pair per line, values aligned.
// A pair with an empty value is left out. With --json it does nothing.
func (u *UI) Fields(pairs ...[2]string) {
	if u.opt.JSON {
		return
	}
	width := 0
	for _, p := range pairs {
		if p[1] != "" {
			width = max(width, utf8.RuneCountInString(p[0]))
		}
	}
	var b strings.Builder
	for _, p := range pairs {
		if p[1] == "" {
			continue
		}
		b.WriteString(p[0] + strings.Repeat(" ", width-utf8.RuneCountInString(p[0])) + "  " + harmless(p[1]) + "\n")
	}
	if b.Len() > 0 {
		u.line(Stdout, b.String())
	}
}
