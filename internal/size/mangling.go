package size

import "strings"

// crateOf returns the crate of a mangled Rust name, "" if the name is not Rust's
// or does not say.
func crateOf(linker string) string {
	switch {
	case strings.HasPrefix(linker, "_R"):
		p := v0{s: linker[2:]}
		c := p.path(0)
		if p.bad {
			return ""
		}
		return c
	case strings.HasPrefix(linker, "_ZN"):
		return legacyCrate(linker)
	}
	return ""
}

// v0 reads as much of a name in Rust's v0 mangling (RFC 2603) as it takes to
// find the crate of its path.
type v0 struct {
	s     string
	i     int
	bad   bool
	steps int
}

// maxSteps bounds back references, which can multiply.
const maxSteps = 1 << 12

func (p *v0) next() byte {
	if p.steps++; p.i >= len(p.s) || p.steps > maxSteps {
		p.bad = true
		return 0
	}
	p.i++
	return p.s[p.i-1]
}

func (p *v0) peek() byte {
	if p.i >= len(p.s) {
		return 0
	}
	return p.s[p.i]
}

// path reads a path and returns its crate: of an impl, the crate with the impl;
// of a trait's default method, the crate of the trait.
func (p *v0) path(depth int) string {
	if depth > 64 || p.bad {
		p.bad = true
		return ""
	}
	switch p.next() {
	case 'C':
		p.disambiguator()
		return p.identifier()
	case 'M':
		p.disambiguator()
		c := p.path(depth + 1)
		p.typ(depth + 1)
		return c
	case 'X':
		p.disambiguator()
		c := p.path(depth + 1)
		p.typ(depth + 1)
		p.path(depth + 1)
		return c
	case 'Y':
		p.typ(depth + 1)
		return p.path(depth + 1)
	case 'N':
		p.next()
		c := p.path(depth + 1)
		p.disambiguator()
		p.identifier()
		return c
	case 'I':
		c := p.path(depth + 1)
		for p.peek() != 'E' && !p.bad {
			p.genericArg(depth + 1)
		}
		p.next()
		return c
	case 'B':
		return p.backref(func() string { return p.path(depth + 1) })
	}
	p.bad = true
	return ""
}

func (p *v0) backref(read func() string) string {
	target := p.base62()
	if p.bad || target >= uint64(p.i) {
		p.bad = true
		return ""
	}
	back := p.i
	p.i = int(target)
	out := read()
	p.i = back
	return out
}

func (p *v0) genericArg(depth int) {
	switch p.peek() {
	case 'L':
		p.next()
		p.base62()
	case 'K':
		p.next()
		p.constant(depth + 1)
	default:
		p.typ(depth + 1)
	}
}

func (p *v0) typ(depth int) {
	if depth > 64 || p.bad {
		p.bad = true
		return
	}
	switch c := p.peek(); c {
	case 'A':
		p.next()
		p.typ(depth + 1)
		p.constant(depth + 1)
	case 'S', 'P', 'O':
		p.next()
		p.typ(depth + 1)
	case 'R', 'Q':
		p.next()
		if p.peek() == 'L' {
			p.next()
			p.base62()
		}
		p.typ(depth + 1)
	case 'T':
		p.next()
		for p.peek() != 'E' && !p.bad {
			p.typ(depth + 1)
		}
		p.next()
	case 'F':
		p.next()
		p.binder()
		if p.peek() == 'U' {
			p.next()
		}
		if p.peek() == 'K' {
			p.next()
			if p.peek() == 'C' {
				p.next()
			} else {
				p.identifier()
			}
		}
		for p.peek() != 'E' && !p.bad {
			p.typ(depth + 1)
		}
		p.next()
		p.typ(depth + 1)
	case 'D':
		p.next()
		p.binder()
		for p.peek() != 'E' && !p.bad {
			p.path(depth + 1)
			for p.peek() == 'p' {
				p.next()
				p.identifier()
				p.typ(depth + 1)
			}
		}
		p.next()
		if p.next() != 'L' {
			p.bad = true
			return
		}
		p.base62()
	case 'B':
		p.next()
		p.backref(func() string { p.typ(depth + 1); return "" })
	case 'C', 'M', 'X', 'Y', 'N', 'I':
		p.path(depth + 1)
	default:
		if c < 'a' || c > 'z' {
			p.bad = true
			return
		}
		p.next() // a basic type
	}
}

func (p *v0) binder() {
	if p.peek() == 'G' {
		p.next()
		p.base62()
	}
}

func (p *v0) constant(depth int) {
	switch c := p.next(); c {
	case 'p':
	case 'B':
		p.backref(func() string { p.constant(depth + 1); return "" })
	default:
		if c < 'a' || c > 'z' {
			p.bad = true
			return
		}
		for c := p.next(); c != '_' && !p.bad; c = p.next() {
		}
	}
}

func (p *v0) disambiguator() {
	if p.peek() == 's' {
		p.next()
		p.base62()
	}
}

func (p *v0) base62() (v uint64) {
	if p.peek() == '_' {
		p.next()
		return 0
	}
	for !p.bad {
		c := p.next()
		var d byte
		switch {
		case c == '_':
			return v + 1
		case c >= '0' && c <= '9':
			d = c - '0'
		case c >= 'a' && c <= 'z':
			d = c - 'a' + 10
		case c >= 'A' && c <= 'Z':
			d = c - 'A' + 36
		default:
			p.bad = true
			return 0
		}
		v = v*62 + uint64(d)
	}
	return 0
}

func (p *v0) identifier() string {
	if p.peek() == 'u' {
		p.next()
	}
	n := 0
	if c := p.peek(); c < '0' || c > '9' {
		p.bad = true
		return ""
	}
	for c := p.peek(); c >= '0' && c <= '9' && n < 1<<16; c = p.peek() {
		n = n*10 + int(c-'0')
		p.next()
	}
	if p.peek() == '_' {
		p.next()
	}
	if p.bad || p.i+n > len(p.s) {
		p.bad = true
		return ""
	}
	p.i += n
	return p.s[p.i-n : p.i]
}

// legacyCrate reads the crate of a name in Rust's old mangling, which has no
// word for the crate of an impl: there it is the first crate in the type, or in
// the trait when the type is one of the language.
func legacyCrate(linker string) string {
	s, n, i := linker[3:], 0, 0
	for i < len(s) && s[i] >= '0' && s[i] <= '9' && n < 1<<16 {
		n = n*10 + int(s[i]-'0')
		i++
	}
	if n == 0 || i+n > len(s) || !strings.Contains(linker, "17h") {
		return ""
	}
	first := s[i : i+n]
	if !strings.HasPrefix(first, "_$LT$") {
		return first
	}
	best := ""
	for _, part := range strings.FieldsFunc(first, func(r rune) bool { return r == '$' || r == ' ' }) {
		name, _, path := strings.Cut(part, "..")
		if !path || name == "" || strings.ContainsFunc(name, notIdentifier) {
			continue
		}
		if name != "core" && name != "alloc" {
			return name
		}
		if best == "" {
			best = name
		}
	}
	return best
}

func notIdentifier(r rune) bool {
	return r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
}

// packageOf finds the package and version in the path of a source file: of a
// registry's crate (…/NAME-VERSION/src/…), of the standard library
// (…/library/NAME/…), of a git checkout (…/checkouts/REPOSITORY-HASH/COMMIT/…).
func packageOf(path string) (name, version string) {
	if _, rest, ok := strings.Cut(path, "/registry/src/"); ok {
		parts := strings.SplitN(rest, "/", 3)
		if len(parts) >= 2 {
			return splitVersion(parts[1])
		}
	}
	if _, rest, ok := strings.Cut(path, "/library/"); ok && strings.Contains(path, "/rust") {
		name, _, _ = strings.Cut(rest, "/")
		return name, ""
	}
	return "", ""
}

// splitVersion splits "esp-hal-1.0.0-rc.0" before its version.
func splitVersion(s string) (name, version string) {
	for i := 1; i+1 < len(s); i++ {
		if s[i] == '-' && s[i+1] >= '0' && s[i+1] <= '9' && strings.Contains(s[i+1:], ".") {
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}
