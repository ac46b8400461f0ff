package firmware

import (
	"strings"

	"github.com/ianlancetaylor/demangle"
)

// Demangle returns the name that a person wrote: Rust names of both manglings
// (the compiler uses the old one for user crates while its own core and std
// already use the new one), then C++. A name that is not mangled, or not
// correctly, is returned as it is.
//
// The hash of an old Rust name is left out. Suffixes that the compiler
// appends are kept (".cold"), except ".llvm.<number>", which says nothing.
func Demangle(linker string) string {
	// The library's C++ half accepts a Rust name with a wrong length and
	// returns a plausible, wrong name. So what looks like Rust is never
	// given to it.
	if len(linker) < 3 || len(linker) > 1<<12 || linker[0] != '_' {
		return linker
	}
	name, suffix := splitSuffix(linker)
	var out string
	var err error
	switch {
	case strings.HasPrefix(name, "_R"):
		out, err = demangle.ToString(name, demangle.MaxLength(14))
	case looksLegacyRust(name):
		if !isLegacyRust(name) {
			return linker
		}
		out, err = demangle.ToString(name, demangle.MaxLength(14))
	case strings.HasPrefix(name, "_Z"):
		out, err = demangle.ToString(name, demangle.NoClones, demangle.MaxLength(14))
	default:
		return linker
	}
	if err != nil || out == "" {
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

// looksLegacyRust reports whether s ends like an old Rust name.
func looksLegacyRust(s string) bool {
	return strings.HasPrefix(s, "_ZN") && len(s) > 23 && s[len(s)-1] == 'E' &&
		s[len(s)-20:len(s)-17] == "17h" && isHex(s[len(s)-17:len(s)-1], 16)
}

// isLegacyRust reports whether the lengths in s add up: _ZN, then elements of
// a decimal length and as many bytes, then E.
func isLegacyRust(s string) bool {
	s = s[3 : len(s)-1]
	for len(s) > 0 {
		n, i := 0, 0
		for i < len(s) && s[i] >= '0' && s[i] <= '9' {
			if n = n*10 + int(s[i]-'0'); n > len(s) {
				return false
			}
			i++
		}
		if i == 0 || n == 0 || i+n > len(s) {
			return false
		}
		s = s[i+n:]
	}
	return true
}
