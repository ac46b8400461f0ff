package monitor

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// text turns the bytes of a line into text that is valid UTF-8, has no line
// breaks and does nothing to a terminal but, if color, colour it. plain is the
// same without colours: what rules and recognisers see.
//
//	colour sequences (ESC [ … m)        kept if color, else removed
//	other escape sequences              removed
//	tab                                 kept
//	other control characters, also C1   \x07 \u009b
//	bytes that are not UTF-8            \xff
func text(b []byte, color bool) (shown, plain string) {
	if harmless(b) {
		s := string(b)
		return s, s
	}
	// bare is plain; out is only kept once colours make it differ.
	var out, bare []byte
	colored := false
	both := func(s []byte) {
		bare = append(bare, s...)
		if colored {
			out = append(out, s...)
		}
	}
	var esc [8]byte
	escape := func(c byte) { both(append(esc[:0], '\\', 'x', hexDigits[c>>4], hexDigits[c&15])) }
	for len(b) > 0 {
		c := b[0]
		switch {
		case c == 0x1b:
			n, isColor := escapeLength(b)
			if n == 0 {
				escape(c)
				b = b[1:]
				continue
			}
			if isColor && color {
				if !colored {
					out, colored = append(out, bare...), true
				}
				out = append(out, b[:n]...)
			}
			b = b[n:]
		case c == '\t' || c >= 0x20 && c < 0x7f:
			n := 1
			for n < len(b) && b[n] >= 0x20 && b[n] < 0x7f {
				n++
			}
			both(b[:n])
			b = b[n:]
		case c < 0x80:
			escape(c)
			b = b[1:]
		default:
			r, n := utf8.DecodeRune(b)
			switch {
			case r == utf8.RuneError && n == 1:
				escape(c)
			case unsafeRune(r):
				both(fmt.Appendf(nil, `\u%04x`, r))
			default:
				both(b[:n])
			}
			b = b[n:]
		}
	}
	plain = string(bare)
	if !colored {
		return plain, plain
	}
	return string(out), plain
}

const hexDigits = "0123456789abcdef"

// unsafeRune are C1 controls, which some terminals obey, line separators, and
// marks that make a terminal show text in another order than it has.
func unsafeRune(r rune) bool {
	return r >= 0x80 && r < 0xa0 || r == 0x2028 || r == 0x2029 ||
		r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}

// harmless reports whether b is its own text: the fast way for nearly every
// line.
func harmless(b []byte) bool {
	high := false
	for _, c := range b {
		if c < 0x20 && c != '\t' || c == 0x7f {
			return false
		}
		high = high || c >= 0x80
	}
	if !high {
		return true
	}
	if !utf8.Valid(b) {
		return false
	}
	// C2 begins the C1 controls, E2 80 and E2 81 the marks of unsafeRune.
	return !bytes.Contains(b, []byte{0xc2}) && !bytes.Contains(b, []byte{0xe2})
}

// escapeLength returns the length of the escape sequence at the beginning of
// b (ECMA-48, 5.4, 5.6, 5.2), 0 if it does not end within maxEscape bytes of
// b.
func escapeLength(b []byte) (n int, color bool) {
	b = b[:min(len(b), maxEscape)]
	if len(b) < 2 {
		return 0, false
	}
	switch b[1] {
	case '[': // control sequence: parameters, intermediates, final
		i := 2
		for i < len(b) && b[i] >= 0x30 && b[i] <= 0x3f {
			i++
		}
		params := b[2:i]
		for i < len(b) && b[i] >= 0x20 && b[i] <= 0x2f {
			i++
		}
		if i < len(b) && b[i] >= 0x40 && b[i] <= 0x7e {
			return i + 1, b[i] == 'm' && i == 2+len(params) && !bytes.ContainsAny(params, "<=>?")
		}
		return 0, false
	case ']', 'P', 'X', '^', '_': // strings, ended by BEL or ST
		for i := 2; i < len(b); i++ {
			if b[i] == 0x07 {
				return i + 1, false
			}
			if b[i] == 0x1b && i+1 < len(b) && b[i+1] == '\\' {
				return i + 2, false
			}
		}
		return 0, false
	}
	i := 1
	for i < len(b) && b[i] >= 0x20 && b[i] <= 0x2f {
		i++
	}
	if i < len(b) && b[i] >= 0x30 && b[i] <= 0x7e {
		return i + 1, false
	}
	return 0, false
}
