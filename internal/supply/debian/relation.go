package debian

import (
	"fmt"
	"strings"
)

// Relation is one alternative of a dependency: "name:qual (op version) [arch] <profile>".
type Relation struct {
	Name    string
	Qual    string // "", "any", "native" or an architecture
	Op      string // "", "<<", "<=", "=", ">=", ">>"
	Version string
}

// String formats the relation as in a control file.
func (r Relation) String() string {
	s := r.Name
	if r.Qual != "" {
		s += ":" + r.Qual
	}
	if r.Op != "" {
		s += " (" + r.Op + " " + r.Version + ")"
	}
	return s
}

// matches reports whether version satisfies the constraint.
func (r Relation) matches(version string) bool {
	if r.Op == "" {
		return true
	}
	c := CompareVersions(version, r.Version)
	switch r.Op {
	case "<<":
		return c < 0
	case "<=":
		return c <= 0
	case "=":
		return c == 0
	case ">=":
		return c >= 0
	default: // ">>"
		return c > 0
	}
}

// ParseRelations parses a Depends-like field: comma means and, the bar means
// or. Binary packages have no architecture or profile restrictions (Policy
// 7.1); such restrictions are errors.
func ParseRelations(v string) ([][]Relation, error) {
	var all [][]Relation
	for _, clause := range strings.Split(v, ",") {
		if strings.TrimSpace(clause) == "" {
			continue // apt ignores empty clauses
		}
		var group []Relation
		for _, alt := range strings.Split(clause, "|") {
			r, err := parseRelation(strings.TrimSpace(alt))
			if err != nil {
				return nil, err
			}
			group = append(group, r)
		}
		all = append(all, group)
	}
	return all, nil
}

func parseRelation(s string) (Relation, error) {
	bad := func(why string) (Relation, error) {
		return Relation{}, fmt.Errorf("relation %q: %s", clip([]byte(s)), why)
	}
	name, rest := s, ""
	if i := strings.IndexAny(s, " \t\n("); i >= 0 {
		name, rest = s[:i], strings.TrimSpace(s[i:])
	}
	var r Relation
	r.Name, r.Qual, _ = strings.Cut(name, ":")
	if !validName(r.Name) {
		return bad("not a package name")
	}
	if rest == "" {
		return r, nil
	}
	inner, ok := strings.CutPrefix(rest, "(")
	if !ok {
		return bad("want a version in parentheses")
	}
	inner, ok = strings.CutSuffix(inner, ")")
	if !ok || strings.ContainsAny(inner, "()") {
		return bad("unbalanced parentheses")
	}
	inner = strings.TrimSpace(inner)
	n := 0
	for n < len(inner) && strings.IndexByte("<=>", inner[n]) >= 0 {
		n++
	}
	switch op := inner[:n]; op {
	case "<<", "<=", "=", ">=", ">>":
		r.Op = op
	case "<": // old spelling of <=, as dpkg reads it
		r.Op = "<="
	case ">":
		r.Op = ">="
	default:
		return bad("unknown operator")
	}
	r.Version = strings.TrimSpace(inner[n:])
	if r.Version == "" || strings.ContainsAny(r.Version, " \t\n") {
		return bad("bad version")
	}
	return r, nil
}

func validName(s string) bool {
	if s == "" {
		return false
	}
	for i := 0; i < len(s); i++ {
		if c := s[i]; !isDigit(c) && !isAlpha(c) && (i == 0 || strings.IndexByte("+-.", c) < 0) {
			return false
		}
	}
	return true
}
