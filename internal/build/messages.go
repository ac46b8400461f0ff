package build

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"regexp"
	"strings"

	"espalier.dev/espalier/internal/layout"
	"espalier.dev/espalier/internal/progress"
)

// messages parses cargo's JSON messages, one per line.
type messages struct {
	buffer    lineBuffer
	lines     func([]byte) // receives each JSON message; may be nil
	task      progress.Task
	show      func(string)
	artifacts int
	errors    int
	full      bool            // an error reports that the disk is full
	text      strings.Builder // of the errors, without colours
	artifact  func(artifact)
}

// mostErrors bounds messages.text, in bytes.
const mostErrors = 1 << 20

// artifact is a compiled target of a message compiler-artifact.
type artifact struct {
	Target struct {
		Name string
		Kind []string
	}
	Profile    struct{ Test bool }
	Executable string // path inside the step; empty for a library
}

func (m *messages) Write(p []byte) (int, error) { return m.buffer.write(p, m.line) }

func (m *messages) line(b []byte) {
	var msg struct {
		Reason  string
		Fresh   bool
		Message *struct {
			Rendered string
			Level    string
			Code     *struct{ Code string }
			Spans    []json.RawMessage
		}
	}
	if len(b) == 0 || b[0] != '{' || json.Unmarshal(b, &msg) != nil {
		if m.show != nil && len(bytes.TrimSpace(b)) > 0 {
			m.show(string(b) + "\n") // output of a build script or linker
		}
		return
	}
	if m.lines != nil {
		m.lines(b)
	}
	switch msg.Reason {
	case "compiler-artifact":
		var a artifact
		if m.artifact != nil && json.Unmarshal(b, &a) == nil {
			m.artifact(a)
		}
		if !msg.Fresh {
			m.artifacts++
			m.task.Add(1)
		}
	case "compiler-message":
		if msg.Message == nil {
			return
		}
		if msg.Message.Level == "error" && !strings.HasPrefix(plain(msg.Message.Rendered), "error: aborting") {
			m.errors++
			text := plain(msg.Message.Rendered)
			m.full = m.full || noSpace(text)
			if m.text.Len()+len(text) <= mostErrors {
				m.text.WriteString(text)
			}
		}
		if m.show != nil {
			m.show(msg.Message.Rendered)
		}
	}
}

// status parses cargo's lines on standard error.
type status struct {
	lines  lineBuffer
	task   progress.Task
	script []string // what build scripts said by cargo::error=
	errors []string // the last error and its causes
	full   bool     // it reports that the disk is full
	warn   func(string)
}

// scriptError matches a line of cargo for cargo::error= of a build script
// ("error: rtic@2.1.0: text"; The Cargo Book, Build Scripts).
var scriptError = regexp.MustCompile(`^error: [A-Za-z0-9_-]+@[0-9][^ :]*: `)

func (s *status) Write(p []byte) (int, error) {
	return s.lines.write(p, func(b []byte) { s.line(string(b)) })
}

func (s *status) line(line string) {
	text := plain(line)
	if name, ok := strings.CutPrefix(strings.TrimSpace(text), "Compiling "); ok {
		name, _, _ = strings.Cut(name, " (")
		s.task.Item(name)
		return
	}
	switch {
	case strings.HasPrefix(text, "warning: ") && s.warn != nil:
		s.warn(line + "\n") // warnings of cargo and of build scripts
	case strings.HasPrefix(text, "LLVM ERROR: ") && noSpace(text):
		s.full = true
	case scriptError.MatchString(text):
		// Cargo's own error comes after it and says only that there was one.
		if len(s.script) < 40 {
			s.script = append(s.script, line)
		}
	case strings.HasPrefix(text, "error: ") || strings.HasPrefix(text, "error["):
		s.errors, s.full = []string{line}, s.full || noSpace(text)
	case len(s.errors) > 0 && len(s.errors) < 40:
		s.errors, s.full = append(s.errors, line), s.full || noSpace(text)
	}
}

// noSpace reports whether a message of a compiler, linker or cargo says that
// the disk is full. It excludes /tmp, which is in memory.
func noSpace(text string) bool {
	for _, line := range strings.Split(text, "\n") {
		if strings.Contains(line, "No space left on device") && !strings.Contains(line, "/tmp/") {
			return true
		}
	}
	return false
}

// plain removes SGR colour sequences.
func plain(s string) string {
	if !strings.Contains(s, "\x1b[") {
		return s
	}
	var b strings.Builder
	for {
		i := strings.Index(s, "\x1b[")
		if i < 0 {
			b.WriteString(s)
			return b.String()
		}
		b.WriteString(s[:i])
		s = s[i+2:]
		if j := strings.IndexByte(s, 'm'); j >= 0 {
			s = s[j+1:]
		}
	}
}

// lineBuffer splits a stream into lines.
type lineBuffer struct {
	rest    []byte
	skipped bool // the line is too long and is being discarded
}

// longestLine bounds one line, which may be a JSON message, in bytes; a longer
// one is discarded.
const longestLine = 16 << 20

func (l *lineBuffer) write(p []byte, fn func([]byte)) (int, error) {
	n := len(p)
	for {
		i := bytes.IndexByte(p, '\n')
		switch {
		case i >= 0 && l.skipped:
			l.skipped = false
		case i >= 0 && len(l.rest) == 0:
			fn(p[:i])
		case i >= 0:
			fn(append(l.rest, p[:i]...))
			l.rest = l.rest[:0]
		case l.skipped:
			return n, nil
		case len(l.rest)+len(p) > longestLine:
			l.rest, l.skipped = nil, true
			return n, nil
		default:
			l.rest = append(l.rest, p...)
			return n, nil
		}
		p = p[i+1:]
	}
}

// sandboxPath matches an absolute path below /src at the beginning of a word,
// also after a colour sequence, but not "/usr/src/x" or
// "crates/app/src/main.rs".
var sandboxPath = regexp.MustCompile("(^|[\\s\"'`(\\[=:,<>|]|\\x1b\\[[0-9;]*m)" + layout.Src + "/")

// userPaths replaces paths inside the sandbox by the user's. Cargo names files
// of the workspace relative to it; absolute paths occur for packages outside of
// it, macros and build scripts.
func userPaths(s, root string) string {
	if root == "" || !strings.Contains(s, layout.Src+"/") {
		return s
	}
	to := strings.ReplaceAll(filepath.ToSlash(root), "$", "$$")
	return sandboxPath.ReplaceAllString(s, "${1}"+strings.TrimSuffix(to, "/")+"/")
}
