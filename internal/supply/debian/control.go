package debian

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strings"
)

// maxLine bounds one physical line of a control file, in bytes; the longest
// known one in an index is a Depends of some 20 kB.
const maxLine = 4 << 20

// Stanza is one paragraph of a deb822 file. Field names are lower-cased; a
// folded value keeps its line breaks, continuation lines without their
// leading blank and "." for an empty line.
type Stanza struct {
	Line   int // of its first field, 1-based
	fields []field
}

type field struct {
	name, value string
	line        int
}

// Get returns the value of a field, empty when absent. name is lower-case.
func (s *Stanza) Get(name string) string {
	for i := range s.fields {
		if s.fields[i].name == name {
			return s.fields[i].value
		}
	}
	return ""
}

// Has reports whether the field is there, even when empty.
func (s *Stanza) Has(name string) bool {
	for i := range s.fields {
		if s.fields[i].name == name {
			return true
		}
	}
	return false
}

// lineOf returns the line number of a field, that of the stanza when the field
// is absent.
func (s *Stanza) lineOf(name string) int {
	for i := range s.fields {
		if s.fields[i].name == name {
			return s.fields[i].line
		}
	}
	return s.Line
}

// SyntaxError is a syntax error in one of apt's files, with its location.
type SyntaxError struct {
	File string
	Line int
	Text string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Text)
}

// StanzaReader reads a stream of paragraphs one at a time, so that an index of
// tens of megabytes is never in memory as a whole.
type StanzaReader struct {
	file string
	in   *bufio.Scanner
	line int
	keep func(name []byte) bool
	s    Stanza
}

// NewStanzaReader reads r; file is its name in errors. A non-nil keep selects
// the (lower-case) fields that are stored; the others are only checked.
func NewStanzaReader(r io.Reader, file string, keep func(name []byte) bool) *StanzaReader {
	in := bufio.NewScanner(r)
	in.Buffer(make([]byte, 64<<10), maxLine)
	return &StanzaReader{file: file, in: in, keep: keep}
}

// Next returns the next paragraph, io.EOF after the last. The stanza is valid
// until the following call.
func (r *StanzaReader) Next() (*Stanza, error) {
	s := &r.s
	s.fields, s.Line = s.fields[:0], 0
	var folded []byte // value of the current field
	open, kept := false, false
	flush := func() {
		if open && kept {
			s.fields[len(s.fields)-1].value = string(folded)
		}
		open = false
	}
	for r.in.Scan() {
		r.line++
		line := bytes.TrimRight(r.in.Bytes(), "\r")
		switch {
		case len(bytes.TrimRight(line, " \t")) == 0:
			if s.Line == 0 {
				continue
			}
			flush()
			return s, nil
		case line[0] == '#':
			continue
		case line[0] == ' ' || line[0] == '\t':
			if !open {
				return nil, &SyntaxError{r.file, r.line, "continuation line without a field"}
			}
			if kept {
				folded = append(append(folded, '\n'), bytes.TrimRight(line[1:], " \t")...)
			}
		default:
			flush()
			name, value, ok := bytes.Cut(line, []byte{':'})
			if !ok || len(name) == 0 || bytes.ContainsAny(name, " \t") || name[0] == '-' {
				return nil, &SyntaxError{r.file, r.line, fmt.Sprintf("want \"Field: value\", got %q", clip(line))}
			}
			if s.Line == 0 {
				s.Line = r.line
			}
			var buf [64]byte
			lower := appendLower(buf[:0], name)
			open, kept = true, r.keep == nil || r.keep(lower)
			if kept {
				key := string(lower)
				if s.Has(key) {
					return nil, &SyntaxError{r.file, r.line, fmt.Sprintf("field %s appears twice", name)}
				}
				folded = append(folded[:0], bytes.Trim(value, " \t")...)
				s.fields = append(s.fields, field{name: key, line: r.line})
			}
		}
	}
	if err := r.in.Err(); err != nil {
		if err == bufio.ErrTooLong {
			return nil, &SyntaxError{r.file, r.line + 1, "line too long"}
		}
		return nil, fmt.Errorf("%s:%d: %w", r.file, r.line+1, err)
	}
	if s.Line == 0 {
		return nil, io.EOF
	}
	flush()
	return s, nil
}

func appendLower(dst, b []byte) []byte {
	for _, c := range b {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return dst
}

func clip(line []byte) string {
	if len(line) > 60 {
		return string(line[:60]) + "…"
	}
	return string(line)
}

// words splits a value at spaces and line breaks.
func words(v string) []string { return strings.Fields(v) }
