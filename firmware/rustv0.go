package firmware

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// demangleV0 returns the name for a Rust name of the v0 mangling (RFC 2603 and "v0
// Symbol Format" of the rustc book), without its prefix "_R". The text has the form
// of the standard library's backtraces: {closure#0} for closures, no hashes of crates,
// no types of constants. ok is false for what is not such a name, for one of a later
// version of the mangling, and for one longer than maxDemangled.
func demangleV0(s string) (name string, ok bool) {
	for i := range len(s) {
		if c := s[i]; c != '_' && (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') {
			return "", false
		}
	}
	d := v0{in: s}
	defer func() {
		if r := recover(); r != nil {
			if _, ours := r.(v0Error); !ours {
				panic(r)
			}
			name, ok = "", false
		}
	}()
	if c := d.peek(); c >= '0' && c <= '9' { // a later version
		return "", false
	}
	d.path(true)
	if d.at < len(d.in) { // the crate that has the instance of a generic function
		d.quiet++
		d.path(false)
		d.quiet--
	}
	return d.out.String(), d.at == len(d.in)
}

// v0Error is the value of a panic by which the methods of v0 give up; it does not
// leave demangleV0.
type v0Error struct{}

// maxV0Depth bounds the recursion, in elements of the grammar.
const maxV0Depth = 300

// v0 reads a mangled name and writes its text. Its methods are the productions of the
// grammar: each reads one element at in[at:].
type v0 struct {
	in    string
	at    int
	out   strings.Builder
	quiet int // above 0: the text is not wanted
	bound int // lifetimes of the enclosing binders
	depth int
}

func (d *v0) fail() { panic(v0Error{}) }

func (d *v0) enter() {
	if d.depth++; d.depth > maxV0Depth {
		d.fail()
	}
}

func (d *v0) write(s string) {
	if d.quiet > 0 {
		return
	}
	if d.out.Len()+len(s) > maxDemangled {
		d.fail()
	}
	d.out.WriteString(s)
}

// peek returns the next byte, 0 at the end.
func (d *v0) peek() byte {
	if d.at == len(d.in) {
		return 0
	}
	return d.in[d.at]
}

func (d *v0) next() byte {
	c := d.peek()
	if c == 0 {
		d.fail()
	}
	d.at++
	return c
}

// has takes the next byte if it is c.
func (d *v0) has(c byte) bool {
	if d.peek() != c {
		return false
	}
	d.at++
	return true
}

// base62 is a number: "_" is 0, digits and "_" are one more than their value.
func (d *v0) base62() int {
	if d.has('_') {
		return 0
	}
	n := int64(0)
	for {
		c := d.next()
		switch {
		case c == '_':
			return int(n + 1)
		case c >= '0' && c <= '9':
			n = n*62 + int64(c-'0')
		case c >= 'a' && c <= 'z':
			n = n*62 + int64(c-'a') + 10
		case c >= 'A' && c <= 'Z':
			n = n*62 + int64(c-'A') + 36
		default:
			d.fail()
		}
		// A hash of a crate has up to 64 bits, but its value is not shown; a
		// position in a name or an index is much less.
		n = min(n, 1<<30)
	}
}

// optional is a number after a tag, 0 without the tag and one more with it.
func (d *v0) optional(tag byte) int {
	if !d.has(tag) {
		return 0
	}
	return d.base62() + 1
}

// identifier is a name without its disambiguator.
func (d *v0) identifier() string {
	encoded := d.has('u')
	start := d.at
	n := 0
	for c := d.peek(); c >= '0' && c <= '9'; c = d.peek() {
		if n = n*10 + int(c-'0'); n > len(d.in) {
			d.fail()
		}
		if d.at++; n == 0 {
			break // no leading zeros: what follows is another number
		}
	}
	if d.at == start {
		d.fail()
	}
	d.has('_')
	if n > len(d.in)-d.at {
		d.fail()
	}
	name := d.in[d.at : d.at+n]
	d.at += n
	if encoded {
		text, ok := punycode(name)
		if !ok {
			d.fail()
		}
		name = text
	}
	return name
}

// backref reads an element again that is at an earlier place.
func (d *v0) backref(element func()) {
	start := d.at - 1 // of the B
	to := d.base62()
	if to >= start {
		d.fail()
	}
	if d.quiet > 0 {
		return // it was read before
	}
	back := d.at
	d.at = to
	element()
	d.at = back
}

// path is the name of an item. In a value, generic arguments have a double colon
// before them.
func (d *v0) path(value bool) {
	d.enter()
	defer func() { d.depth-- }()
	switch tag := d.next(); tag {
	case 'C':
		d.optional('s')
		d.write(d.identifier())
	case 'M', 'X', 'Y':
		if tag != 'Y' { // where the impl is
			d.optional('s')
			d.quiet++
			d.path(false)
			d.quiet--
		}
		d.write("<")
		d.typ()
		if tag != 'M' {
			d.write(" as ")
			d.path(false)
		}
		d.write(">")
	case 'N':
		d.nested(value)
	case 'I':
		d.path(value)
		if value {
			d.write("::")
		}
		d.write("<")
		d.arguments()
		d.write(">")
	case 'B':
		d.backref(func() { d.path(value) })
	default:
		d.fail()
	}
}

// nested is an item in another one.
func (d *v0) nested(value bool) {
	space := d.next()
	d.path(value)
	number := d.optional('s')
	name := d.identifier()
	switch {
	case space >= 'A' && space <= 'Z': // made by the compiler
		d.write("::{")
		switch space {
		case 'C':
			d.write("closure")
		case 'S':
			d.write("shim")
		default:
			d.write(string(rune(space)))
		}
		if name != "" {
			d.write(":" + name)
		}
		d.write("#" + strconv.Itoa(number) + "}")
	case space >= 'a' && space <= 'z':
		if name != "" {
			d.write("::" + name)
		}
	default:
		d.fail()
	}
}

// list reads elements up to an E.
func (d *v0) list(separator string, element func()) (n int) {
	for ; !d.has('E'); n++ {
		if n > 0 {
			d.write(separator)
		}
		element()
	}
	return n
}

func (d *v0) arguments() {
	d.list(", ", func() {
		switch {
		case d.has('L'):
			d.lifetime(d.base62())
		case d.has('K'):
			d.constant()
		default:
			d.typ()
		}
	})
}

// lifetime writes the lifetime with an index: 0 is erased, 1 is that of the innermost
// binder.
func (d *v0) lifetime(index int) {
	depth := d.bound - index
	switch {
	case index == 0:
		d.write("'_")
	case depth < 0:
		d.fail()
	case depth < 26:
		d.write("'" + string(rune('a'+depth)))
	default:
		d.write("'z" + strconv.Itoa(depth-25))
	}
}

// binder writes "for<'a, 'b> " where lifetimes are bound, and reads what they are
// bound in.
func (d *v0) binder(in func()) {
	n := d.optional('G')
	if n > len(d.in) {
		d.fail()
	}
	for i := range n {
		d.write(cond(i == 0, "for<", ", "))
		d.bound++
		d.lifetime(1)
	}
	d.write(cond(n > 0, "> ", ""))
	in()
	d.bound -= n
}

func cond(c bool, yes, no string) string {
	if c {
		return yes
	}
	return no
}

var basicTypes = map[byte]string{
	'a': "i8", 'b': "bool", 'c': "char", 'd': "f64", 'e': "str", 'f': "f32", 'h': "u8", 'i': "isize", 'j': "usize",
	'l': "i32", 'm': "u32", 'n': "i128", 'o': "u128", 's': "i16", 't': "u16", 'u': "()", 'v': "...", 'x': "i64",
	'y': "u64", 'z': "!", 'p': "_",
}

// typ is a type.
func (d *v0) typ() {
	d.enter()
	defer func() { d.depth-- }()
	tag := d.next()
	if basic := basicTypes[tag]; basic != "" {
		d.write(basic)
		return
	}
	switch tag {
	case 'R', 'Q':
		d.write("&")
		if d.has('L') {
			if index := d.base62(); index > 0 {
				d.lifetime(index)
				d.write(" ")
			}
		}
		d.write(cond(tag == 'Q', "mut ", ""))
		d.typ()
	case 'P', 'O':
		d.write(cond(tag == 'P', "*const ", "*mut "))
		d.typ()
	case 'A', 'S':
		d.write("[")
		d.typ()
		if tag == 'A' {
			d.write("; ")
			d.constant()
		}
		d.write("]")
	case 'T':
		d.write("(")
		n := d.list(", ", d.typ)
		d.write(cond(n == 1, ",)", ")"))
	case 'F':
		d.binder(d.function)
	case 'D':
		d.write("dyn ")
		some := 0
		d.binder(func() { some = d.list(" + ", d.bounds) })
		if !d.has('L') {
			d.fail()
		}
		if index := d.base62(); index > 0 {
			d.write(cond(some > 0, " + ", "+ "))
			d.lifetime(index)
		}
	case 'B':
		d.backref(d.typ)
	default:
		d.at--
		d.path(false)
	}
}

// function is the type of a function.
func (d *v0) function() {
	d.write(cond(d.has('U'), "unsafe ", ""))
	if d.has('K') {
		abi := "C"
		if !d.has('C') {
			if d.peek() == 'u' {
				d.fail() // no calling convention has such a name
			}
			abi = strings.ReplaceAll(d.identifier(), "_", "-")
		}
		d.write(`extern "` + abi + `" `)
	}
	d.write("fn(")
	d.list(", ", d.typ)
	d.write(")")
	if !d.has('u') {
		d.write(" -> ")
		d.typ()
	}
}

// bounds is a trait of a trait object with its associated types, which are written
// with the generic arguments of the trait.
func (d *v0) bounds() {
	open := d.openPath()
	for d.has('p') {
		d.write(cond(open, ", ", "<"))
		open = true
		d.write(d.identifier() + " = ")
		d.typ()
	}
	d.write(cond(open, ">", ""))
}

// openPath is a path whose last ">" is not written, and reports whether one is due.
func (d *v0) openPath() (open bool) {
	d.enter()
	defer func() { d.depth-- }()
	switch {
	case d.has('B'):
		d.backref(func() { open = d.openPath() })
	case d.has('I'):
		d.path(false)
		d.write("<")
		d.arguments()
		return true
	default:
		d.path(false)
	}
	return open
}

// constant is the value of a constant argument.
func (d *v0) constant() {
	d.enter()
	defer func() { d.depth-- }()
	switch tag := d.next(); tag {
	case 'B':
		d.backref(d.constant)
	case 'p':
		d.write("_")
	case 'a', 's', 'l', 'x', 'n', 'i':
		d.write(cond(d.has('n'), "-", ""))
		d.write(d.integer())
	case 'h', 't', 'm', 'y', 'o', 'j':
		d.write(d.integer())
	case 'b':
		switch d.integer() {
		case "0":
			d.write("false")
		case "1":
			d.write("true")
		default:
			d.fail()
		}
	case 'c':
		n, err := strconv.ParseUint(d.integer(), 10, 21)
		if err != nil || !utf8.ValidRune(rune(n)) {
			d.fail()
		}
		d.write(quoteChar(rune(n)))
	default:
		d.fail()
	}
}

// integer reads hexadecimal digits up to an underscore, and returns the number:
// decimal, or hexadecimal if it has more than 64 bits.
func (d *v0) integer() string {
	digits, _, ok := strings.Cut(d.in[d.at:], "_")
	if !ok || digits == "" || !isHex(digits, len(digits)) || digits[0] == '0' && len(digits) > 1 {
		d.fail()
	}
	d.at += len(digits) + 1
	if n, err := strconv.ParseUint(digits, 16, 64); err == nil {
		return strconv.FormatUint(n, 10)
	}
	return "0x" + digits
}

// quoteChar writes a character as Rust does.
func quoteChar(r rune) string {
	switch r {
	case '\t':
		return `'\t'`
	case '\r':
		return `'\r'`
	case '\n':
		return `'\n'`
	case '\\', '\'':
		return `'\` + string(r) + `'`
	}
	if r >= ' ' && r <= '~' {
		return "'" + string(r) + "'"
	}
	return `'\u{` + strconv.FormatInt(int64(r), 16) + `}'`
}

// punycode decodes a name with characters outside of ASCII: RFC 3492, with an
// underscore for the hyphen before the encoded part.
func punycode(s string) (string, bool) {
	const (
		base, low, high, skew, damp = 36, 1, 26, 38, 700 // section 5
		most                        = 1 << 12
	)
	var out []rune
	if i := strings.LastIndexByte(s, '_'); i >= 0 {
		out, s = []rune(s[:i]), s[i+1:]
	}
	if s == "" {
		return "", false
	}
	n, index, bias := rune(0x80), int64(0), int64(72)
	for first := true; s != ""; first = false {
		before, weight := index, int64(1)
		for k := int64(base); ; k += base {
			if s == "" {
				return "", false
			}
			c := s[0]
			s = s[1:]
			var digit int64
			switch {
			case c >= 'a' && c <= 'z':
				digit = int64(c - 'a')
			case c >= '0' && c <= '9':
				digit = int64(c-'0') + 26
			default:
				return "", false
			}
			index += digit * weight
			limit := min(max(k-bias, low), high)
			if digit < limit {
				break
			}
			if weight *= base - limit; weight > most<<21 || index > most<<21 {
				return "", false
			}
		}
		size := int64(len(out)) + 1
		delta := index - before
		if delta /= 2; first {
			delta = (index - before) / damp
		}
		delta += delta / size
		bias = 0
		for delta > (base-low)*high/2 {
			delta /= base - low
			bias += base
		}
		bias += (base - low + 1) * delta / (delta + skew)
		if index/size > utf8.MaxRune {
			return "", false
		}
		n += rune(index / size)
		index %= size
		if !utf8.ValidRune(n) || size > most {
			return "", false
		}
		out = slices.Insert(out, int(index), n)
		index++
	}
	return string(out), true
}
