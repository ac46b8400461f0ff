package monitor

import (
	"bytes"
	"time"
	"unicode/utf8"
)

// splitter cuts a stream into lines. What it gives out depends on the bytes
// only, not on how they were cut into writes.
//
// A line ends with LF; any CRs before it belong to the end. A CR followed by
// anything else ends a line too (progress displays), unless the line is empty.
type splitter struct {
	buf    []byte // the unfinished line, at most one trailing CR
	shown  int    // how much of buf Flush has given out
	cut    bool   // a piece of this line was given out before buf
	number int    // of the line in buf
	start  time.Duration
}

// piece is what the splitter gives out. Its slices are valid until the next
// call.
type piece struct {
	whole     []byte // the line so far, for rules
	fresh     []byte // the part that has not been given out before
	end       End
	continued bool
	number    int
	start     time.Duration
}

// write takes bytes and calls emit for every line that is complete. It stops
// early when emit returns false.
func (s *splitter) write(at time.Duration, p []byte, emit func(piece) bool) bool {
	for len(p) > 0 {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			return s.keep(at, p, emit)
		}
		line := p[:i]
		p = p[i+1:]
		if len(s.buf) > 0 {
			s.buf = append(s.buf, line...)
			line = s.buf
		} else {
			s.begin(at)
		}
		if !s.finish(at, line, emit) {
			return false
		}
	}
	return true
}

// begin notes that a line starts now.
func (s *splitter) begin(at time.Duration) {
	if s.shown == 0 && !s.cut {
		s.start = at
	}
}

// finish gives out a line that an LF has ended.
func (s *splitter) finish(at time.Duration, line []byte, emit func(piece) bool) bool {
	line = bytes.TrimRight(line, "\r")
	line, ok := s.returns(at, line, emit)
	if !ok {
		return false
	}
	if line, ok = s.cuts(line, emit); !ok {
		return false
	}
	return s.give(line, Newline, emit)
}

// keep holds the rest of a write until its line ends, giving out what is
// complete already.
func (s *splitter) keep(at time.Duration, p []byte, emit func(piece) bool) bool {
	if len(s.buf) == 0 {
		s.begin(at)
	}
	// Only one CR of a run is kept, so that no run can fill the memory.
	if n := len(s.buf); n > 0 && s.buf[n-1] == '\r' {
		p = bytes.TrimLeft(p, "\r")
	}
	for len(p) > 1 && p[len(p)-1] == '\r' && p[len(p)-2] == '\r' {
		p = p[:len(p)-1]
	}
	plain := len(s.buf) > 0 && s.buf[len(s.buf)-1] != '\r' && bytes.IndexByte(p, '\r') < 0
	s.buf = append(s.buf, p...)
	if plain && len(s.buf) <= MaxLine {
		return true // nothing can be complete: no second look at a long line per write
	}
	all := s.buf
	line, tail := all, 0
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line, tail = line[:n-1], 1
	}
	rest, ok := s.returns(at, line, emit)
	if ok {
		rest, ok = s.cuts(rest, emit)
	}
	if !ok {
		return false
	}
	// rest is the end of all without the CR: move both to the front.
	all = all[len(all)-tail-len(rest):]
	if len(all) == len(s.buf) {
		return true
	}
	if cap(s.buf) > 2*MaxLine {
		s.buf = nil // a huge write must not keep its memory
	}
	s.buf = append(s.buf[:0], all...)
	return true
}

// returns gives out what lone CRs end and returns the rest.
func (s *splitter) returns(at time.Duration, line []byte, emit func(piece) bool) ([]byte, bool) {
	for {
		i := bytes.IndexByte(line, '\r')
		if i < 0 {
			return line, true
		}
		head := line[:i]
		line = bytes.TrimLeft(line[i:], "\r")
		if i == 0 && s.shown == 0 && !s.cut {
			continue // nothing to overwrite
		}
		head, ok := s.cuts(head, emit)
		if !ok || !s.give(head, Return, emit) {
			return nil, false
		}
		s.begin(at)
	}
}

// cuts gives out the parts of a line that exceed MaxLine and returns the rest.
func (s *splitter) cuts(line []byte, emit func(piece) bool) ([]byte, bool) {
	for len(line) > MaxLine {
		n := MaxLine
		for n > MaxLine-utf8.UTFMax && !utf8.RuneStart(line[n]) {
			n--
		}
		if !utf8.RuneStart(line[n]) {
			n = MaxLine // no UTF-8 here
		}
		head := line[:n]
		line = line[n:]
		ok := emit(piece{whole: head, fresh: head[min(s.shown, n):], end: Cut, continued: s.cut || s.shown > 0, number: s.number + 1, start: s.start})
		s.shown = max(s.shown-n, 0)
		s.cut = true
		if !ok {
			return nil, false
		}
	}
	return line, true
}

// give gives out the end of a line and forgets it.
func (s *splitter) give(line []byte, end End, emit func(piece) bool) bool {
	s.number++
	p := piece{whole: line, fresh: line[min(s.shown, len(line)):], end: end, continued: s.cut || s.shown > 0, number: s.number, start: s.start}
	s.shown, s.cut = 0, false
	s.buf = s.buf[:0]
	return emit(p)
}

// flush gives out what there is of the current line. Unless final it holds
// back the beginning of a character or of an escape sequence, and a CR.
func (s *splitter) flush(final bool, emit func(piece) bool) bool {
	line := bytes.TrimRight(s.buf, "\r")
	if !final {
		line = line[:len(line)-incomplete(line)]
	}
	if len(line) <= s.shown {
		return true
	}
	p := piece{whole: line, fresh: line[s.shown:], end: Partial, continued: s.cut || s.shown > 0, number: s.number + 1, start: s.start}
	s.shown = len(line)
	return emit(p)
}

// endLine ends an unfinished line, if there is one.
func (s *splitter) endLine(at time.Duration, emit func(piece) bool) bool {
	if len(s.buf) == 0 && !s.cut {
		return true
	}
	if len(bytes.TrimRight(s.buf, "\r")) == 0 && s.shown == 0 && !s.cut {
		s.buf = s.buf[:0]
		return true
	}
	return s.finish(at, s.buf, emit)
}

// maxEscape is the longest escape sequence that is recognised.
const maxEscape = 64

// incomplete returns how many bytes at the end of line begin a character or
// an escape sequence that is not finished.
func incomplete(line []byte) int {
	for n := 1; n <= min(len(line), utf8.UTFMax-1); n++ {
		if c := line[len(line)-n]; utf8.RuneStart(c) {
			if c >= utf8.RuneSelf && !utf8.FullRune(line[len(line)-n:]) {
				return n
			}
			break
		}
	}
	from := max(len(line)-maxEscape, 0)
	if i := bytes.LastIndexByte(line[from:], 0x1b); i >= 0 {
		if n, _ := escapeLength(line[from+i:]); n == 0 {
			return len(line) - from - i
		}
	}
	return 0
}
