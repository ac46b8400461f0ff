package ui

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"espalier.dev/espalier/internal/progress"
)

// harmless replaces control characters: names in a table or an error come from
// files, and a file must not control the terminal.
func harmless(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' {
			return ' '
		}
		if unicode.IsControl(r) {
			return '\ufffd'
		}
		return r
	}, s)
}

// Size formats a number of bytes: "512 B", "13.4 KiB", "229.0 MiB".
func Size(n int64) string {
	if n < 1024 && n > -1024 {
		return fmt.Sprintf("%d B", n)
	}
	v, unit := float64(n)/1024, "KiB"
	for _, next := range []string{"MiB", "GiB", "TiB"} {
		if v < 1023.95 && v > -1023.95 {
			break
		}
		v, unit = v/1024, next
	}
	return fmt.Sprintf("%.1f %s", v, unit)
}

// Seconds formats a duration as seconds with one decimal, minutes from 100
// seconds on: "4.1 s", "3 min 20 s".
func Seconds(d time.Duration) string {
	if d < 100*time.Second {
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	d = d.Round(time.Second)
	if d < time.Hour {
		return fmt.Sprintf("%d min %d s", d/time.Minute, d%time.Minute/time.Second)
	}
	return fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute)
}

// count formats n of a unit: "90 packages", "1 crate", "13.4 KiB".
func count(n int64, unit progress.Unit) string {
	if unit == progress.Bytes {
		return Size(n)
	}
	word := string(unit)
	if n == 1 && len(word) > 1 {
		word = word[:len(word)-1]
	}
	return fmt.Sprintf("%d %s", n, word)
}

// remaining formats an estimate: "42 s", "12 min", "2 h".
func remaining(d time.Duration) string {
	switch {
	case d < 100*time.Second:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d < 100*time.Minute:
		return fmt.Sprintf("%.0f min", d.Minutes())
	}
	return fmt.Sprintf("%.0f h", d.Hours())
}
