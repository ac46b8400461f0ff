package cargo

import (
	"strings"
	"unicode/utf8"
)

// token is what the scans need of Rust source: names, punctuation and
// string literals with their places. Comments, characters, lifetimes and
// numbers are passed over.
type token struct {
	kind tokenKind
	text string // name, punctuation, or the literal's value
	line int
	col  int // in characters
}

// tokenKind is the class of a token.
type tokenKind byte

const (
	tokenIdent tokenKind = iota
	tokenPunct
	tokenString // "…", r"…", b"…", c"…" alike
)

// lexer walks source text; it never fails: an unclosed literal or comment
// ends at the end of the file, because nothing after it can be trusted.
type lexer struct {
	src       string
	i         int
	line      int
	lineStart int
}

func newLexer(src []byte) *lexer {
	s := strings.TrimPrefix(string(src), "\ufeff")
	x := &lexer{src: s, line: 1}
	if strings.HasPrefix(s, "#!") && !strings.HasPrefix(strings.TrimLeft(s[2:], " \t\r\n"), "[") {
		x.i = strings.IndexByte(s+"\n", '\n') // a shebang is no attribute
	}
	return x
}

// next returns the next token; ok is false at the end.
func (x *lexer) next() (t token, ok bool) {
	for x.i < len(x.src) {
		c := x.src[x.i]
		switch {
		case c == '\n':
			x.newline(x.i)
			x.i++
		case c == ' ' || c == '\t' || c == '\r':
			x.i++
		case strings.HasPrefix(x.src[x.i:], "//"):
			x.skipTo(x.i + strings.IndexByte(x.src[x.i:]+"\n", '\n'))
		case strings.HasPrefix(x.src[x.i:], "/*"):
			x.blockComment()
		case c == '"':
			return x.quoted(x.i, 1), true
		case c == '\'':
			x.charOrLifetime()
		case c == '_' || c >= 0x80 || isLetter(c):
			if t, ok := x.prefixed(); ok {
				return t, true
			}
			if t, ok := x.ident(); ok {
				return t, true
			}
		case c >= '0' && c <= '9':
			x.number()
		default:
			t := x.token(tokenPunct, x.i, string(rune(c)))
			x.i++
			return t, true
		}
	}
	return token{}, false
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

func isWord(c byte) bool { return c == '_' || c >= 0x80 || isLetter(c) || c >= '0' && c <= '9' }

func (x *lexer) newline(at int) { x.line, x.lineStart = x.line+1, at+1 }

func (x *lexer) token(k tokenKind, start int, text string) token {
	return token{k, text, x.line, utf8.RuneCountInString(x.src[x.lineStart:start]) + 1}
}

// skipTo moves to end and counts the lines on the way.
func (x *lexer) skipTo(end int) {
	end = min(end, len(x.src))
	for x.i < end {
		if x.src[x.i] == '\n' {
			x.newline(x.i)
		}
		x.i++
	}
}

// blockComment skips a comment; they nest in Rust.
func (x *lexer) blockComment() {
	depth, i := 0, x.i
	for i < len(x.src) {
		switch {
		case strings.HasPrefix(x.src[i:], "/*"):
			depth, i = depth+1, i+2
		case strings.HasPrefix(x.src[i:], "*/"):
			depth, i = depth-1, i+2
		default:
			i++
		}
		if depth == 0 {
			break
		}
	}
	x.skipTo(i)
}

// quoted reads a literal whose opening quote is at start+skip-1.
func (x *lexer) quoted(start, skip int) token {
	t := x.token(tokenString, start, "")
	i := start + skip
	var b strings.Builder
	for i < len(x.src) && x.src[i] != '"' {
		if x.src[i] != '\\' || i+1 >= len(x.src) {
			b.WriteByte(x.src[i])
			i++
			continue
		}
		i++
		switch e := x.src[i]; e {
		case 'n':
			b.WriteByte('\n')
		case 't':
			b.WriteByte('\t')
		case 'r':
			b.WriteByte('\r')
		case '0':
			b.WriteByte(0)
		case '\n', '\r': // the literal continues after the following white space
			for i+1 < len(x.src) && strings.IndexByte(" \t\r\n", x.src[i+1]) >= 0 {
				i++
			}
		case 'x':
			if i+2 < len(x.src) {
				b.WriteByte(hexByte(x.src[i+1])<<4 | hexByte(x.src[i+2]))
				i += 2
			}
		case 'u':
			if end := strings.IndexByte(x.src[i:], '}'); end > 1 && x.src[i+1] == '{' && end < 12 {
				var r rune
				for _, h := range []byte(strings.ReplaceAll(x.src[i+2:i+end], "_", "")) {
					r = r<<4 | rune(hexByte(h))
				}
				b.WriteRune(r)
				i += end
			}
		default:
			b.WriteByte(e)
		}
		i++
	}
	t.text = b.String()
	x.skipTo(i + 1)
	return t
}

func hexByte(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10
	}
	return 0
}

// prefixed reads r"…", r#"…"#, b"…", br"…", c"…", cr"…", b'…' and the raw
// name r#name.
func (x *lexer) prefixed() (token, bool) {
	rest := x.src[x.i:]
	n := 0
	for n < 2 && n < len(rest) && strings.IndexByte("rbc", rest[n]) >= 0 {
		n++
	}
	prefix := rest[:n]
	if n == 0 || n >= len(rest) {
		return token{}, false
	}
	raw := prefix == "r" || prefix == "br" || prefix == "cr"
	switch {
	case rest[n] == '"' && (prefix == "b" || prefix == "c"):
		return x.quoted(x.i, n+1), true
	case rest[n] == '\'' && prefix == "b":
		x.i += n
		x.charOrLifetime()
		return x.next()
	case raw && (rest[n] == '"' || rest[n] == '#'):
		hashes := 0
		for n+hashes < len(rest) && rest[n+hashes] == '#' {
			hashes++
		}
		if n+hashes >= len(rest) || rest[n+hashes] != '"' {
			if prefix == "r" && hashes == 1 { // r#name
				x.i += 2
				return x.ident()
			}
			return token{}, false
		}
		body := rest[n+hashes+1:]
		end := strings.Index(body, `"`+strings.Repeat("#", hashes))
		if end < 0 {
			end = len(body)
		}
		t := x.token(tokenString, x.i, body[:end])
		x.skipTo(x.i + n + hashes + 1 + end + 1 + hashes)
		return t, true
	}
	return token{}, false
}

func (x *lexer) ident() (token, bool) {
	start := x.i
	for x.i < len(x.src) && isWord(x.src[x.i]) {
		x.i++
	}
	if x.i == start {
		return token{}, false
	}
	return x.token(tokenIdent, start, x.src[start:x.i]), true
}

// charOrLifetime skips 'c', '\n' and 'lifetime.
func (x *lexer) charOrLifetime() {
	i := x.i + 1
	if i >= len(x.src) {
		x.i = i
		return
	}
	if x.src[i] == '\\' {
		i += 2
		for i < len(x.src) && x.src[i] != '\'' && x.src[i] != '\n' {
			i++
		}
		x.skipTo(i + 1)
		return
	}
	_, n := utf8.DecodeRuneInString(x.src[i:])
	if i+n < len(x.src) && x.src[i+n] == '\'' {
		x.skipTo(i + n + 1)
		return
	}
	for i < len(x.src) && isWord(x.src[i]) {
		i++
	}
	x.skipTo(max(i, x.i+1))
}

// number skips a literal with its suffix; the sign of an exponent and a range
// after it (0..n) become punctuation, which the scans ignore.
func (x *lexer) number() {
	for x.i < len(x.src) && isWord(x.src[x.i]) {
		x.i++
	}
}
