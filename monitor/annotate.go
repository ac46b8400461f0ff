package monitor

import (
	"strings"

	"espalier.dev/espalier/firmware"
)

// annotate finds the code addresses of a line: 0x and exactly eight hex
// digits, standing alone, inside code of the application or the ROM. Numbers
// that only look alike (load addresses, data, registers) are left alone
// because they are not in an executable range.
func annotate(line string, syms *firmware.Symbols) []Note {
	if syms == nil {
		return nil
	}
	var notes []Note
	for from := 0; ; {
		i := strings.Index(line[from:], "0x")
		if i < 0 {
			return notes
		}
		i += from
		from = i + 2
		addr, n := hexNumber(line[i+2:])
		if n != 8 || i > 0 && isWord(line[i-1]) || i+10 < len(line) && isWord(line[i+10]) {
			continue
		}
		from = i + 10
		if !syms.Executable(addr) {
			continue
		}
		if frames := syms.Frames(addr); len(frames) > 0 {
			notes = append(notes, Note{Start: i, End: i + 10, Addr: addr, Frames: frames})
		}
	}
}

// hexNumber reads the hex digits at the beginning of s. Of more than eight
// only the count is right.
func hexNumber(s string) (v uint32, n int) {
	for n < len(s) {
		c := s[n]
		switch {
		case c >= '0' && c <= '9':
			v = v<<4 | uint32(c-'0')
		case c >= 'a' && c <= 'f':
			v = v<<4 | uint32(c-'a'+10)
		case c >= 'A' && c <= 'F':
			v = v<<4 | uint32(c-'A'+10)
		default:
			return v, n
		}
		n++
	}
	return v, n
}

func isWord(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
}
