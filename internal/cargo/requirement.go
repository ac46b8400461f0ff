package cargo

import "strings"

// Requirement is a version requirement of a manifest or of a registry's index,
// such as "1.2", "~1.1", "=0.5.0", ">=1, <1.3" or "0.*" (The Cargo Book,
// Specifying Dependencies). The zero value is "*".
type Requirement struct {
	Text        string
	comparators []comparator
}

// comparator is one condition; parts is how many numbers were written.
type comparator struct {
	op    string // "^", "~", "=", ">", ">=", "<", "<=", "*"
	v     Version
	parts int
}

// ParseRequirement reads a requirement. ok is false for text that cargo refuses.
func ParseRequirement(s string) (r Requirement, ok bool) {
	r.Text = s
	if t := strings.TrimSpace(s); t == "" || t == "*" {
		return r, true
	}
	for _, part := range strings.Split(s, ",") {
		c, ok := parseComparator(strings.TrimSpace(part))
		if !ok {
			return r, false
		}
		r.comparators = append(r.comparators, c)
	}
	return r, true
}

func parseComparator(s string) (c comparator, ok bool) {
	c.op = "^"
	for _, op := range []string{">=", "<=", ">", "<", "=", "^", "~"} {
		if rest, found := strings.CutPrefix(s, op); found {
			c.op, s = op, strings.TrimSpace(rest)
			break
		}
	}
	numbers, _, _ := strings.Cut(s, "+")
	numbers, _, _ = strings.Cut(numbers, "-")
	fields := strings.Split(numbers, ".")
	for i, f := range fields {
		if f == "*" || f == "x" || f == "X" {
			if i == 0 || len(fields) > 3 {
				return c, i == 0 && len(fields) == 1
			}
			c.op = "*" // the numbers before it are as they are
			c.v, ok = ParseVersion(strings.Join(fields[:i], "."))
			c.parts = i
			return c, ok
		}
	}
	c.parts = len(fields)
	c.v, ok = ParseVersion(s)
	return c, ok && (c.v.Pre == "" || c.parts == 3)
}

// Match reports whether a version satisfies the requirement. As in cargo, a
// pre-release satisfies it only if a comparator names a pre-release of the same
// version.
func (r Requirement) Match(v Version) bool {
	pre := v.Pre == ""
	for _, c := range r.comparators {
		if !c.match(v) {
			return false
		}
		pre = pre || c.v.Pre != "" && c.v.compareRelease(v) == 0
	}
	return pre
}

func (c comparator) match(v Version) bool {
	switch c.op {
	case "=", "*":
		return c.same(v, c.parts) && (c.parts < 3 || c.op == "*" || v.Pre == c.v.Pre)
	case ">":
		if c.parts < 3 {
			return v.Compare(c.v) > 0 && !c.same(v, c.parts)
		}
		return v.Compare(c.v) > 0
	case ">=":
		return v.Compare(c.v) >= 0
	case "<":
		return v.Compare(c.v) < 0
	case "<=":
		return v.Compare(c.v) <= 0 || c.parts < 3 && c.same(v, c.parts)
	case "~":
		return v.Compare(c.v) >= 0 && c.same(v, min(c.parts, 2))
	}
	if v.Compare(c.v) < 0 {
		return false
	}
	// The first number that is not 0 is fixed; of 0 and 0.0, all that is written.
	switch {
	case c.v.Major > 0 || c.parts == 1:
		return c.same(v, 1)
	case c.v.Minor > 0 || c.parts == 2:
		return c.same(v, 2)
	}
	return c.same(v, 3)
}

// same compares the first n numbers.
func (c comparator) same(v Version, n int) bool {
	return (n < 1 || v.Major == c.v.Major) && (n < 2 || v.Minor == c.v.Minor) && (n < 3 || v.Patch == c.v.Patch)
}

// For returns a requirement in the same form that a version satisfies: of one
// comparator the operator and the number of its parts stay, of any other
// requirement nothing. ~1.1 for 1.2.2 is ~1.2.
func (r Requirement) For(version string) string {
	v, ok := ParseVersion(version)
	if !ok || len(r.comparators) != 1 || v.Pre != "" {
		return version
	}
	c := r.comparators[0]
	numbers, _, _ := strings.Cut(version, "+")
	fields := strings.Split(numbers, ".")
	short := strings.Join(fields[:min(len(fields), max(1, c.parts))], ".")
	written := strings.HasPrefix(strings.TrimSpace(r.Text), "^")
	switch {
	case c.op == "=":
		return "=" + short
	case c.op == "~":
		return "~" + short
	case c.op == "^" && written:
		return "^" + short
	case c.op == "^":
		return short
	case c.op == ">=":
		return ">=" + short
	}
	return numbers
}

// Overlaps reports whether some version that begins with the given numbers
// ("1", "1.2") can satisfy the requirement.
func (r Requirement) Overlaps(numbers string) bool {
	for _, end := range []string{".0.0", ".0", ".999999.999999", ".999999"} {
		if v, ok := ParseVersion(numbers + end); ok && r.Match(v) {
			return true
		}
	}
	for _, c := range r.comparators {
		v, ok := ParseVersion(numbers)
		if ok && (comparator{v: v}).same(c.v, strings.Count(numbers, ".")+1) && r.Match(c.v) {
			return true
		}
	}
	return false
}
