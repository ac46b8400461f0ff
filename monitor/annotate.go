package monitor

import (
	"strings"

	"espalier.dev/espalier/firmware"
)

// maxNames bounds what an annotator remembers: some 10 MB.
const maxNames = 1 << 14

// annotator remembers the addresses it has named: logs repeat theirs.
type annotator struct {
	syms  *firmware.Symbols
	names map[uint32][]firmware.Frame
}

// frames returns what is at addr, nil if that is not code.
func (a *annotator) frames(addr uint32) []firmware.Frame {
	if !a.syms.Executable(addr) {
		return nil
	}
	fs, ok := a.names[addr]
	if !ok {
		if a.names == nil || len(a.names) >= maxNames {
			a.names = make(map[uint32][]firmware.Frame)
		}
		fs = a.syms.Frames(addr)
		a.names[addr] = fs
	}
	return fs
}

// notes finds the code addresses of a line: 0x and exactly eight hex digits,
// standing alone, inside code of the application or the ROM. Numbers that only
// look alike (load addresses, data, registers) are left alone because they
// are not in an executable range.
func (a *annotator) notes(line string) []Note {
	if a.syms == nil {
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
		if n != 8 || i > 0 && isWord(line[i-1]) && !afterColor(line[:i]) || i+10 < len(line) && isWord(line[i+10]) {
			continue
		}
		from = i + 10
		if frames := a.frames(addr); len(frames) > 0 {
			notes = append(notes, Note{Start: i, End: i + 10, Addr: addr, Frames: frames})
		}
	}
}

// afterColor reports whether s ends with a colour sequence, whose last letter
// is not part of a word.
func afterColor(s string) bool {
	i := strings.LastIndexByte(s, 0x1b)
	if i < 0 {
		return false
	}
	n, _ := escapeLength([]byte(s[i:]))
	return n == len(s)-i
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
