package debian

import (
	"fmt"
	"strings"
)

// CompareVersions compares two Debian version strings
// ([epoch:]upstream[-revision], Debian Policy 5.6.12): negative when a sorts
// before b. A tilde sorts before everything, even before the end, so that
// 1.0~rc1 is older than 1.0. Invalid versions also have a total order.
func CompareVersions(a, b string) int {
	ea, ua, ra := splitVersion(a)
	eb, ub, rb := splitVersion(b)
	if c := compareNumbers(ea, eb); c != 0 {
		return c
	}
	if c := comparePart(ua, ub); c != 0 {
		return c
	}
	return comparePart(ra, rb)
}

func splitVersion(v string) (epoch, upstream, revision string) {
	if i := strings.IndexByte(v, ':'); i >= 0 && allDigits(v[:i]) {
		epoch, v = v[:i], v[i+1:]
	}
	if i := strings.LastIndexByte(v, '-'); i >= 0 {
		return epoch, v[:i], v[i+1:]
	}
	return epoch, v, ""
}

// checkVersion returns an error for a version that violates Policy.
func checkVersion(v string) error {
	_, upstream, revision := splitVersion(v)
	if upstream == "" {
		return fmt.Errorf("version %q: empty upstream part", v)
	}
	for i := 0; i < len(upstream); i++ {
		if c := upstream[i]; !isDigit(c) && !isAlpha(c) && strings.IndexByte(".+-~:", c) < 0 {
			return fmt.Errorf("version %q: character %q", v, c)
		}
	}
	for i := 0; i < len(revision); i++ {
		if c := revision[i]; !isDigit(c) && !isAlpha(c) && strings.IndexByte(".+~", c) < 0 {
			return fmt.Errorf("version %q: character %q in the revision", v, c)
		}
	}
	return nil
}

// upstreamOf returns the upstream part of a version, without the suffixes of
// repacked sources: "1.96.0+dfsg1-1~deb12u2" gives "1.96.0".
func upstreamOf(v string) string {
	_, upstream, _ := splitVersion(v)
	if i := strings.IndexAny(upstream, "+~"); i >= 0 {
		upstream = upstream[:i]
	}
	return upstream
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
func isAlpha(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }

func allDigits(s string) bool {
	for i := 0; i < len(s); i++ {
		if !isDigit(s[i]) {
			return false
		}
	}
	return s != ""
}

// weight is the position of a character in the order of non-digit parts: tilde,
// end of the part, letters, everything else.
func weight(s string, i int) int {
	switch {
	case i >= len(s) || isDigit(s[i]):
		return 0
	case s[i] == '~':
		return -1
	case isAlpha(s[i]):
		return int(s[i])
	}
	return int(s[i]) + 256
}

// comparePart compares alternating runs of non-digits and digits.
func comparePart(a, b string) int {
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		for i < len(a) && !isDigit(a[i]) || j < len(b) && !isDigit(b[j]) {
			if d := weight(a, i) - weight(b, j); d != 0 {
				return d
			}
			i, j = min(i+1, len(a)), min(j+1, len(b))
		}
		si, sj := i, j
		for i < len(a) && isDigit(a[i]) {
			i++
		}
		for j < len(b) && isDigit(b[j]) {
			j++
		}
		if c := compareNumbers(a[si:i], b[sj:j]); c != 0 {
			return c
		}
	}
	return 0
}

// compareNumbers compares decimal numbers of any length; empty is zero.
func compareNumbers(a, b string) int {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}
