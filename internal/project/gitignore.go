package project

import (
	"strings"
)

// ignoreRules are the patterns of one .gitignore, in file order.
type ignoreRules struct {
	file string // for origins
	base string // directory of the file relative to the top of the walk, "" for the top itself
	list []ignorePattern
}

// ignorePattern is one line of gitignore(5).
type ignorePattern struct {
	line     int
	negate   bool
	dirOnly  bool
	anchored bool // matches the whole path below base, else any last component
	glob     string
}

// parseIgnore reads a .gitignore. Lines that git would ignore are skipped.
func parseIgnore(file, base string, b []byte) *ignoreRules {
	r := &ignoreRules{file: file, base: base}
	text := strings.TrimPrefix(string(b), "\ufeff")
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSuffix(line, "\r")
		line = trimSpaces(line)
		if line == "" || line[0] == '#' {
			continue
		}
		p := ignorePattern{line: i + 1}
		if line[0] == '!' {
			p.negate, line = true, line[1:]
		}
		if strings.HasSuffix(line, "/") {
			p.dirOnly, line = true, strings.TrimSuffix(line, "/")
		}
		if strings.HasPrefix(line, "/") {
			p.anchored, line = true, line[1:]
		}
		if line == "" {
			continue
		}
		p.anchored = p.anchored || strings.Contains(line, "/")
		p.glob = line
		r.list = append(r.list, p)
	}
	return r
}

// trimSpaces drops trailing spaces unless a backslash quotes them.
func trimSpaces(s string) string {
	for strings.HasSuffix(s, " ") {
		quotes := 0
		for i := len(s) - 2; i >= 0 && s[i] == '\\'; i-- {
			quotes++
		}
		if quotes%2 == 1 {
			break
		}
		s = s[:len(s)-1]
	}
	return s
}

// match finds the last pattern that speaks about path (slash-separated, from
// the top of the walk). decided is false when none does.
func (r *ignoreRules) match(path string, dir bool) (ignored, decided bool, line int) {
	rel := path
	if r.base != "" {
		var ok bool
		if rel, ok = strings.CutPrefix(path, r.base+"/"); !ok {
			return false, false, 0
		}
	}
	last := rel[strings.LastIndexByte(rel, '/')+1:]
	for i := len(r.list) - 1; i >= 0; i-- {
		p := r.list[i]
		if p.dirOnly && !dir {
			continue
		}
		subject := last
		if p.anchored {
			subject = rel
		}
		if wildmatch(p.glob, subject) {
			return !p.negate, true, p.line
		}
	}
	return false, false, 0
}

// wildmatch is git's pattern matching with path names: * and ? stop at a
// slash, ** between slashes crosses them, [sets] with ranges, negation and
// classes, backslash quotes. It runs in time len(p)*len(s).
func wildmatch(p, s string) bool {
	m := &wild{p: p, s: s}
	return m.match(0, 0)
}

type wild struct {
	p, s string
	seen map[[2]int]bool // positions that are known to fail
}

func (m *wild) match(i, j int) bool {
	key := [2]int{i, j}
	if m.seen[key] {
		return false
	}
	if m.try(i, j) {
		return true
	}
	if m.seen == nil {
		m.seen = map[[2]int]bool{}
	}
	m.seen[key] = true
	return false
}

func (m *wild) try(i, j int) bool {
	p, s := m.p, m.s
	for i < len(p) {
		switch c := p[i]; c {
		case '*':
			if strings.HasPrefix(p[i:], "**") {
				start := i == 0 || p[i-1] == '/'
				end := i
				for end < len(p) && p[end] == '*' {
					end++
				}
				switch {
				case start && end == len(p): // "a/**": everything below
					return j < len(s) || i == 0
				case start && p[end] == '/': // "**/": zero or more directories
					for k := j; k <= len(s); k++ {
						if (k == j || s[k-1] == '/') && m.match(end+1, k) {
							return true
						}
					}
					return false
				}
				i = end - 1 // otherwise as one star
			}
			for k := j; k <= len(s); k++ {
				if m.match(i+1, k) {
					return true
				}
				if k < len(s) && s[k] == '/' {
					return false
				}
			}
			return false
		case '?':
			if j >= len(s) || s[j] == '/' {
				return false
			}
			i, j = i+1, j+1
		case '[':
			ok, next := set(p, i, s, j)
			if !ok {
				return false
			}
			i, j = next, j+1
		case '\\':
			if i+1 >= len(p) {
				return false
			}
			i++
			if j >= len(s) || s[j] != p[i] {
				return false
			}
			i, j = i+1, j+1
		default:
			if j >= len(s) || s[j] != c {
				return false
			}
			i, j = i+1, j+1
		}
	}
	return j == len(s)
}

// set matches s[j] with the bracket expression at p[i] and returns where it
// ends. An unclosed one matches nothing.
func set(p string, i int, s string, j int) (ok bool, next int) {
	if j >= len(s) || s[j] == '/' {
		return false, 0
	}
	c := s[j]
	i++
	negate := i < len(p) && (p[i] == '!' || p[i] == '^')
	if negate {
		i++
	}
	hit := false
	for first := true; ; first = false {
		if i >= len(p) {
			return false, 0
		}
		if p[i] == ']' && !first {
			break
		}
		if strings.HasPrefix(p[i:], "[:") {
			if end := strings.Index(p[i:], ":]"); end > 0 {
				hit = hit || inClass(p[i+2:i+end], c)
				i += end + 2
				continue
			}
		}
		lo := p[i]
		if lo == '\\' {
			if i++; i >= len(p) {
				return false, 0
			}
			lo = p[i]
		}
		i++
		hi := lo
		if i+1 < len(p) && p[i] == '-' && p[i+1] != ']' {
			i++
			if hi = p[i]; hi == '\\' {
				if i++; i >= len(p) {
					return false, 0
				}
				hi = p[i]
			}
			i++
		}
		hit = hit || lo <= c && c <= hi
	}
	return hit != negate, i + 1
}

func inClass(name string, c byte) bool {
	lower, upper, digit := c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9'
	switch name {
	case "alpha":
		return lower || upper
	case "digit":
		return digit
	case "alnum":
		return lower || upper || digit
	case "lower":
		return lower
	case "upper":
		return upper
	case "space":
		return c == ' ' || c >= '\t' && c <= '\r'
	case "blank":
		return c == ' ' || c == '\t'
	case "xdigit":
		return digit || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
	case "cntrl":
		return c < 0x20 || c == 0x7f
	case "print":
		return c >= 0x20 && c < 0x7f
	case "graph":
		return c > 0x20 && c < 0x7f
	case "punct":
		return c > 0x20 && c < 0x7f && !(lower || upper || digit)
	}
	return false
}
