package debian

import (
	"fmt"
	"slices"
	"strings"
)

// want is a package that must be in the closure; Version "" means the
// candidate.
type want struct{ Name, Version string }

// closure is the result of resolving: the chosen packages and the reasons.
type closure struct {
	u      *universe
	chosen map[string]*pkg
	reason map[string]string // name -> "gcc-12 depends on it"
	order  []*pkg            // in the order of choice
}

// resolve computes what must be unpacked for the wanted packages: they and,
// transitively, their Depends and Pre-Depends. Recommends are left out and so
// is the essential set, which a tree that runs no maintainer script does not
// need. The rules, in the order in which apt's own installer applies them:
//
//   - a clause that a chosen package satisfies (itself or by what it provides)
//     needs nothing;
//   - otherwise the first alternative that can be satisfied is taken: the
//     package's candidate if its version fits, else the best version that
//     does, else a provider (Priority, then name);
//   - an alternative that conflicts with a chosen package is passed over when
//     another one can be had.
//
// There is no backtracking beyond that: a conflict that remains is an error
// that names both sides and their reasons. The result depends only on the set
// of packages offered and on the wanted list, never on the order of indexes.
func (u *universe) resolve(wants []want) (*closure, error) {
	c := &closure{u: u, chosen: map[string]*pkg{}, reason: map[string]string{}}
	// The wanted packages are chosen first, so that a dependency with
	// alternatives takes the one that the user requested.
	for _, w := range wants {
		p := u.exact(w)
		if p == nil {
			return nil, &unmetError{clause: w.Name + versionSuffix(w.Version), chain: "asked for", offered: u.offered(w.Name)}
		}
		c.take(p, "asked for")
	}
	for i := 0; i < len(c.order); i++ { // breadth first; cyclic dependencies end because a name is chosen once
		if err := c.follow(c.order[i]); err != nil {
			return nil, err
		}
	}
	if err := c.conflicts(); err != nil {
		return nil, err
	}
	return c, nil
}

func versionSuffix(v string) string {
	if v == "" {
		return ""
	}
	return " (= " + v + ")"
}

func (u *universe) exact(w want) *pkg {
	if w.Version == "" {
		return u.candidate(w.Name)
	}
	for _, p := range u.byName[w.Name] {
		if p.Version == w.Version {
			return p
		}
	}
	return nil
}

func (c *closure) take(p *pkg, reason string) {
	if _, ok := c.chosen[p.Name]; ok {
		return
	}
	c.chosen[p.Name], c.reason[p.Name] = p, reason
	c.order = append(c.order, p)
}

// follow satisfies the dependencies of one chosen package.
func (c *closure) follow(p *pkg) error {
	for _, field := range []struct{ name, value string }{{"Pre-Depends", p.PreDepends}, {"Depends", p.Depends}} {
		groups, err := ParseRelations(field.value)
		if err != nil {
			return fmt.Errorf("%s of %s: %w", field.name, p, err)
		}
		for _, group := range groups {
			if c.satisfied(group) {
				continue
			}
			q := c.pick(group)
			if q == nil {
				return c.unmet(p, group)
			}
			c.take(q, p.Name+" depends on it")
		}
	}
	return nil
}

func (c *closure) satisfied(group []Relation) bool {
	return slices.ContainsFunc(group, func(r Relation) bool {
		if !c.u.archFits(r) {
			return false
		}
		if p := c.chosen[r.Name]; p != nil && r.matches(p.Version) {
			return true
		}
		return slices.ContainsFunc(c.u.virtual[r.Name], func(v provided) bool {
			return c.chosen[v.by.Name] == v.by && v.satisfies(r)
		})
	})
}

// satisfies follows Policy 7.5: a versioned dependency needs a versioned
// Provides.
func (v provided) satisfies(r Relation) bool {
	return r.Op == "" || v.version != "" && r.matches(v.version)
}

// archFits checks the qualifier of a dependency: ":any", ":native" and the
// architecture itself are satisfied, since a closure has one architecture.
func (u *universe) archFits(r Relation) bool {
	switch r.Qual {
	case "", "any", "native", "all", u.arch:
		return true
	}
	return false
}

// pick chooses a package for a clause, nil when no package satisfies it.
func (c *closure) pick(group []Relation) *pkg {
	var fallback *pkg // satisfies the clause, but conflicts with a chosen package
	for _, r := range group {
		if !c.u.archFits(r) {
			continue
		}
		for _, p := range c.u.satisfying(r) {
			if other := c.chosen[p.Name]; other != nil {
				continue // another version is already chosen
			}
			if c.clash(p) == nil {
				return p
			}
			if fallback == nil {
				fallback = p
			}
		}
	}
	return fallback
}

// satisfying lists the packages for one alternative, best first: versions of
// the package itself, then providers.
func (u *universe) satisfying(r Relation) []*pkg {
	var list []*pkg
	for _, p := range u.byName[r.Name] {
		if r.matches(p.Version) {
			list = append(list, p)
		}
	}
	for _, v := range u.virtual[r.Name] {
		// Only the candidate of a provider has the name, as in apt.
		if v.satisfies(r) && u.candidate(v.by.Name) == v.by {
			list = append(list, v.by)
		}
	}
	return list
}

// clash returns a chosen package that conflicts with p, nil when there is none.
func (c *closure) clash(p *pkg) *pkg {
	for _, q := range c.order {
		if q != p && (excludes(p, q) || excludes(q, p)) {
			return q
		}
	}
	return nil
}

// excludes reports whether p's Conflicts or Breaks match q. A package never
// conflicts with itself by a name that it provides (Policy 7.6.2).
func excludes(p, q *pkg) bool {
	if p.Name == q.Name {
		return false
	}
	for _, field := range []string{p.Conflicts, p.Breaks} {
		if field == "" {
			continue
		}
		groups, err := ParseRelations(field)
		if err != nil {
			continue
		}
		for _, g := range groups {
			r := g[0]
			if r.Name == q.Name && r.matches(q.Version) {
				return true
			}
			if q.Provides == "" {
				continue
			}
			names, err := ParseRelations(q.Provides)
			if err != nil {
				continue
			}
			for _, n := range names {
				v := provided{q, ""}
				if n[0].Op == "=" {
					v.version = n[0].Version
				}
				if n[0].Name == r.Name && v.satisfies(r) {
					return true
				}
			}
		}
	}
	return false
}

func (c *closure) conflicts() error {
	for i, p := range c.order {
		for _, q := range c.order[i+1:] {
			a, b := p, q
			if !excludes(a, b) {
				if a, b = q, p; !excludes(a, b) {
					continue
				}
			}
			return &conflictError{a: a, b: b, why: c.chain(a), whyNot: c.chain(b)}
		}
	}
	return nil
}

// chain describes why a package is in the closure.
func (c *closure) chain(p *pkg) string {
	return p.String() + ": " + c.reason[p.Name]
}

// conflictError reports two packages of the closure that conflict.
type conflictError struct {
	a, b        *pkg
	why, whyNot string
}

func (e *conflictError) Error() string {
	return fmt.Sprintf("%s conflicts with %s (%s; %s)", e.a, e.b, e.why, e.whyNot)
}

func (c *closure) unmet(p *pkg, group []Relation) error {
	var alts, offered []string
	for _, r := range group {
		alts = append(alts, r.String())
		offered = append(offered, c.u.offered(r.Name)...)
		if q := c.chosen[r.Name]; q != nil {
			offered = append(offered, q.Version+" is chosen already: "+c.reason[q.Name])
		}
	}
	return &unmetError{clause: strings.Join(alts, " | "), chain: c.chain(p), of: p, offered: offered}
}

// offered lists the available versions of a name with their suites, for an
// error.
func (u *universe) offered(name string) []string {
	var list []string
	for _, p := range u.byName[name] {
		list = append(list, fmt.Sprintf("%s %s (%s)", p.Name, p.Version, p.from.src.Suite))
	}
	for _, v := range u.virtual[name] {
		list = append(list, fmt.Sprintf("%s provides %s", v.by, name))
	}
	return list
}

// unmetError is a dependency that nothing satisfies.
type unmetError struct {
	clause  string
	chain   string
	of      *pkg // nil for a wanted package
	offered []string
}

func (e *unmetError) Error() string {
	var b strings.Builder
	if e.of != nil {
		fmt.Fprintf(&b, "%s depends on %s, ", e.of, e.clause)
	} else {
		fmt.Fprintf(&b, "%s, ", e.clause)
	}
	if len(e.offered) == 0 {
		b.WriteString("which no configured suite has")
	} else {
		fmt.Fprintf(&b, "and the suites have only %s", strings.Join(e.offered, ", "))
	}
	return b.String()
}

// packages returns the closure sorted by name.
func (c *closure) packages() []*pkg {
	list := slices.Clone(c.order)
	slices.SortFunc(list, func(a, b *pkg) int { return strings.Compare(a.Name, b.Name) })
	return list
}
