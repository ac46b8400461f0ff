package cargo

import (
	"cmp"
	"strconv"
	"strings"
)

// Version is a semantic version (semver.org 2.0.0) without build metadata.
type Version struct {
	Major, Minor, Patch uint64
	Pre                 string // "beta.1"; empty for a release
}

// ParseVersion reads "1", "1.96", "1.96.0" and "1.96.0-beta.1+build"; missing
// numbers are 0. ok is false for everything else.
func ParseVersion(s string) (v Version, ok bool) {
	s, _, _ = strings.Cut(s, "+")
	numbers, pre, hasPre := strings.Cut(s, "-")
	parts := strings.Split(numbers, ".")
	if len(parts) > 3 || hasPre && pre == "" {
		return Version{}, false
	}
	v.Pre = pre
	for i, p := range parts {
		n, err := strconv.ParseUint(p, 10, 64)
		if err != nil || len(p) > 1 && p[0] == '0' {
			return Version{}, false
		}
		*[]*uint64{&v.Major, &v.Minor, &v.Patch}[i] = n
	}
	return v, true
}

// Compare orders versions by semver's precedence: a pre-release is before its
// release, and its identifiers are compared one by one.
func (v Version) Compare(w Version) int {
	return cmp.Or(v.compareRelease(w), comparePre(v.Pre, w.Pre))
}

func (v Version) compareRelease(w Version) int {
	return cmp.Or(cmp.Compare(v.Major, w.Major), cmp.Compare(v.Minor, w.Minor), cmp.Compare(v.Patch, w.Patch))
}

func comparePre(a, b string) int {
	switch {
	case a == b:
		return 0
	case a == "":
		return 1
	case b == "":
		return -1
	}
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	for i := range min(len(x), len(y)) {
		m, errM := strconv.ParseUint(x[i], 10, 64)
		n, errN := strconv.ParseUint(y[i], 10, 64)
		c := 0
		switch {
		case errM == nil && errN == nil:
			c = cmp.Compare(m, n)
		case errM == nil: // numeric identifiers are before others
			c = -1
		case errN == nil:
			c = 1
		default:
			c = cmp.Compare(x[i], y[i])
		}
		if c != 0 {
			return c
		}
	}
	return cmp.Compare(len(x), len(y))
}

// CompareVersions compares two versions as text. Text that is not a version is
// before every version and compared as text.
func CompareVersions(a, b string) int {
	v, okV := ParseVersion(a)
	w, okW := ParseVersion(b)
	switch {
	case okV && okW:
		return cmp.Or(v.Compare(w), cmp.Compare(a, b))
	case okV:
		return 1
	case okW:
		return -1
	}
	return cmp.Compare(a, b)
}

// OlderThan reports whether the compiler version have does not satisfy the
// rust-version want. A pre-release of the compiler satisfies what its release
// does. An empty want is satisfied by every compiler, an empty have satisfies
// no other want; a want that is not a version is ignored, as cargo ignores one
// in a published manifest.
func OlderThan(have, want string) bool {
	w, ok := ParseVersion(want)
	if !ok {
		return false
	}
	h, ok := ParseVersion(have)
	return !ok || h.compareRelease(w) < 0
}
