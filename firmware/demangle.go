package firmware

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxDemangled bounds the length of a demangled name, in bytes: names with back references
// can be exponentially longer than what they are made from.
const maxDemangled = 1 << 14

// Demangle returns the Rust name of a linker symbol, of both manglings (the compiler
// uses the old one for user crates while its own core and std already use the new
// one). A name that is not mangled, or not correctly, is returned as it is, and so is
// a C++ name: Espressif's libraries are C.
//
// The hash of an old Rust name is left out, and so are the hashes of crates and the
// types of constants in a new one. Suffixes that the compiler appends are kept
// (".cold"), except ".llvm.<number>", which says nothing.
//
//	Demangle("_RNvCs1234_7mycrate3foo") // mycrate::foo
func Demangle(linker string) string {
	if len(linker) < 3 || len(linker) > 1<<12 || linker[0] != '_' {
		return linker
	}
	name, suffix := splitSuffix(linker)
	var out string
	var ok bool
	switch {
	case strings.HasPrefix(name, "_R"):
		out, ok = demangleV0(name[len("_R"):])
	case isLegacyRust(name):
		out, ok = demangleLegacy(name)
	}
	if !ok || out == "" {
		return linker
	}
	return out + suffix
}

// splitSuffix splits what the compiler appended to a mangled name. Mangled
// names hold no dot, except the "..", "." and "$" escapes of old Rust names,
// which all come before the final "E".
func splitSuffix(s string) (name, suffix string) {
	from := 0
	if strings.HasPrefix(s, "_ZN") {
		i := strings.LastIndex(s, "17h")
		if i < 0 || len(s) < i+20 {
			return s, ""
		}
		from = i + 20
	}
	i := strings.IndexByte(s[from:], '.')
	if i < 0 {
		return s, ""
	}
	name, suffix = s[:from+i], s[from+i:]
	if strings.HasPrefix(suffix, ".llvm.") {
		suffix = strings.TrimLeft(suffix[len(".llvm."):], "0123456789ABCDEFabcdef")
	}
	return name, suffix
}

// isLegacyRust reports whether s is an old Rust name: _ZN, elements of a decimal
// length and as many bytes, the last of which is a hash, then E.
func isLegacyRust(s string) bool {
	if !strings.HasPrefix(s, "_ZN") || len(s) <= 23 || s[len(s)-1] != 'E' ||
		s[len(s)-20:len(s)-17] != "17h" || !isHex(s[len(s)-17:len(s)-1], 16) {
		return false
	}
	for s = s[3 : len(s)-1]; len(s) > 0; {
		_, rest, ok := legacyElement(s)
		if !ok {
			return false
		}
		s = rest
	}
	return true
}

// legacyElement takes the first element of the rest of an old Rust name.
func legacyElement(s string) (element, rest string, ok bool) {
	n, i := 0, 0
	for i < len(s) && s[i] >= '0' && s[i] <= '9' {
		if n = n*10 + int(s[i]-'0'); n > len(s) {
			return "", "", false
		}
		i++
	}
	if i == 0 || n == 0 || i+n > len(s) {
		return "", "", false
	}
	return s[i : i+n], s[i+n:], true
}

// demangleLegacy returns the name for an old Rust name, for which isLegacyRust holds.
func demangleLegacy(s string) (string, bool) {
	var b strings.Builder
	for s = s[3 : len(s)-1]; len(s) > 0; {
		element, rest, _ := legacyElement(s)
		if rest == "" {
			break // the hash
		}
		if b.Len() > 0 {
			b.WriteString("::")
		}
		unescapeLegacy(&b, element)
		s = rest
	}
	return b.String(), b.Len() <= maxDemangled
}

// legacyEscapes are the characters that an old Rust name has between dollars; others
// are written as u and their hexadecimal number.
var legacyEscapes = map[string]string{
	"SP": "@", "BP": "*", "RF": "&", "LT": "<", "GT": ">", "LP": "(", "RP": ")", "C": ",",
}

// unescapeLegacy writes an element of an old Rust name. What is not an escape is
// written as it is.
func unescapeLegacy(b *strings.Builder, s string) {
	if strings.HasPrefix(s, "_$") {
		s = s[1:] // so that the element does not begin with a dollar
	}
	for s != "" {
		switch {
		case strings.HasPrefix(s, ".."):
			b.WriteString("::")
			s = s[2:]
			continue
		case s[0] == '$':
			if name, rest, ok := strings.Cut(s[1:], "$"); ok {
				if c, known := legacyEscapes[name]; known {
					b.WriteString(c)
					s = rest
					continue
				}
				if r, err := strconv.ParseUint(strings.TrimPrefix(name, "u"), 16, 21); err == nil && name[0] == 'u' && printable(rune(r)) {
					b.WriteRune(rune(r))
					s = rest
					continue
				}
			}
		}
		b.WriteByte(s[0])
		s = s[1:]
	}
}

// printable reports whether r is a valid character that is not a control character.
func printable(r rune) bool { return utf8.ValidRune(r) && !unicode.IsControl(r) }
