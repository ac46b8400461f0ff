package monitor

import (
	"strings"
)

// panicText is what a panic's first line says.
type panicText struct {
	message  string
	location string
	open     bool // the message continues in the next lines
	quoted   bool // and ends with a quote, a comma and the location
}

// parsePanic reads core's text in its two forms,
//
//	panicked at src/main.rs:12:5:          (since Rust 1.73; the message follows)
//	panicked at 'message', src/main.rs:12:5
//
// anywhere in the line: custom handlers put words before it.
func parsePanic(line string) (panicText, bool) {
	_, rest, ok := strings.Cut(line, "panicked at ")
	if !ok {
		return panicText{}, false
	}
	if msg, ok := strings.CutPrefix(rest, "'"); ok {
		if m, loc, ok := cutQuoted(msg); ok {
			return panicText{message: m, location: loc}, true
		}
		return panicText{message: msg, open: true, quoted: true}, true
	}
	loc, rest, ok := cutLocation(rest)
	if !ok {
		return panicText{}, false
	}
	msg, colon := strings.CutPrefix(rest, ":")
	return panicText{message: strings.TrimSpace(msg), location: loc, open: colon || rest == ""}, true
}

// cutQuoted splits "message', file.rs:1:2".
func cutQuoted(s string) (message, location string, ok bool) {
	i := strings.LastIndex(s, "', ")
	if i < 0 {
		return "", "", false
	}
	loc, _, ok := cutLocation(s[i+3:])
	if !ok {
		return "", "", false
	}
	return s[:i], loc, true
}

// cutLocation splits off a leading "path.rs:line:column".
func cutLocation(s string) (location, rest string, ok bool) {
	i := strings.Index(s, ".rs:")
	if i <= 0 {
		return "", s, false
	}
	n := i + len(".rs:")
	digits := func() bool {
		from := n
		for n < len(s) && s[n] >= '0' && s[n] <= '9' {
			n++
		}
		return n > from
	}
	if !digits() || n >= len(s) || s[n] != ':' {
		return "", s, false
	}
	n++
	if !digits() {
		return "", s, false
	}
	return s[:n], s[n:], true
}

// oldBanner reads the banner of esp-backtrace before 0.10,
// "!! A panic occured in 'src/main.rs', at line 22, column 5:".
func oldBanner(line string) (location string, ok bool) {
	_, rest, ok := strings.Cut(line, "!! A panic occured in '")
	if !ok {
		return "", strings.Contains(line, "!! A panic occured")
	}
	file, rest, ok := strings.Cut(rest, "', at line ")
	if !ok {
		return "", true
	}
	row, col, _ := strings.Cut(rest, ", column ")
	return file + ":" + strings.TrimRight(row, ":") + ":" + strings.TrimRight(col, ":"), true
}

// isBanner recognises "====================== PANIC ======================".
func isBanner(line string) bool {
	return strings.Contains(line, " PANIC ") && strings.HasPrefix(line, "====") && strings.HasSuffix(line, "====")
}

// hexAfter returns the number after the first occurrence of prefix, which
// ends in 0x.
func hexAfter(line, prefix string) (uint32, bool) {
	i := strings.Index(line, prefix)
	if i < 0 {
		return 0, false
	}
	v, n := hexNumber(line[i+len(prefix):])
	return v, n > 0 && n <= 8
}

// coreOf reads the "[ProCpu] " that esp-hal puts before its exceptions.
func coreOf(line string) string {
	i := strings.IndexByte(line, '[')
	if i < 0 || i > 40 {
		return ""
	}
	name, _, ok := strings.Cut(line[i+1:], "]")
	if ok && strings.HasSuffix(name, "Cpu") {
		return name
	}
	return ""
}
