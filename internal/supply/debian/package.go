package debian

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"espalier.dev/espalier/internal/order"
	"espalier.dev/espalier/internal/store"
)

// pkg is one version of a binary package in a suite.
type pkg struct {
	Name, Version, Arch string
	MultiArch           string
	Depends, PreDepends string // parsed on demand: most packages are never used
	Provides            string
	Conflicts, Breaks   string
	Section, Priority   string
	Path                string
	Digest              store.Digest
	from                *suite
}

// String is "name version".
func (p *pkg) String() string { return p.Name + " " + p.Version }

// provided is one name that a package provides.
type provided struct {
	by      *pkg
	version string // "" satisfies no versioned dependency
}

// universe has all packages of the suites for one architecture.
type universe struct {
	arch    string
	byName  map[string][]*pkg // each list by descending preference, see sortPkgs
	virtual map[string][]provided
}

func newUniverse(arch string) *universe {
	return &universe{arch: arch, byName: map[string][]*pkg{}, virtual: map[string][]provided{}}
}

// wanted reports whether a field of a Packages stanza is stored.
func wanted(name []byte) bool {
	switch string(name) {
	case "package", "version", "architecture", "multi-arch", "depends", "pre-depends", "provides",
		"conflicts", "breaks", "priority", "filename", "size", "sha256":
		return true
	}
	return false
}

// add reads a Packages file. file is its name for errors.
func (u *universe) add(r io.Reader, file string, from *suite) error {
	in := NewStanzaReader(r, file, wanted)
	share := map[string]string{} // the same few strings occur in sixty thousand stanzas
	one := func(s string) string {
		if v, ok := share[s]; ok {
			return v
		}
		share[s] = s
		return s
	}
	for {
		st, err := in.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		p := &pkg{
			Name: st.Get("package"), Version: st.Get("version"), Arch: one(st.Get("architecture")),
			MultiArch: one(st.Get("multi-arch")), Depends: st.Get("depends"), PreDepends: st.Get("pre-depends"),
			Provides: st.Get("provides"), Conflicts: st.Get("conflicts"), Breaks: st.Get("breaks"),
			Priority: one(st.Get("priority")), Path: st.Get("filename"), from: from,
		}
		if p.Arch != u.arch && p.Arch != "all" {
			continue
		}
		if err := p.check(st); err != nil {
			return &SyntaxError{file, st.Line, err.Error()}
		}
		u.put(p)
	}
}

// check returns an error for a stanza that could not be used later.
func (p *pkg) check(st *Stanza) error {
	if !validName(p.Name) {
		return fmt.Errorf("package name %q", p.Name)
	}
	if err := checkVersion(p.Version); err != nil {
		return fmt.Errorf("%s: %w", p.Name, err)
	}
	size, err := strconv.ParseInt(st.Get("size"), 10, 64)
	if err != nil || size < 0 {
		return fmt.Errorf("%s: size %q", p.Name, st.Get("size"))
	}
	d, err := store.ParseDigest("sha256:" + strings.ToLower(st.Get("sha256")))
	if err != nil {
		return fmt.Errorf("%s: SHA256 is missing or damaged", p.Name)
	}
	p.Digest = store.Digest{Hash: d.Hash, Size: size}
	p.Path = strings.TrimPrefix(p.Path, "./")
	if p.Path == "" || strings.HasPrefix(p.Path, "/") || slices.Contains(strings.Split(p.Path, "/"), "..") {
		return fmt.Errorf("%s: file name %q", p.Name, p.Path)
	}
	return nil
}

func (u *universe) put(p *pkg) {
	for _, q := range u.byName[p.Name] {
		if q.Version == p.Version && q.Arch == p.Arch {
			return // the same package from another suite; the first source wins, as in apt
		}
	}
	u.byName[p.Name] = append(u.byName[p.Name], p)
	if p.Provides == "" {
		return
	}
	groups, err := ParseRelations(p.Provides)
	if err != nil {
		return // not a valid name in a dependency
	}
	for _, g := range groups {
		v := ""
		if g[0].Op == "=" {
			v = g[0].Version
		}
		u.virtual[g[0].Name] = append(u.virtual[g[0].Name], provided{p, v})
	}
}

// seal sorts the packages: by pin, then version, newest first; equal ones by
// architecture and position, so that the order does not depend on the order of
// the indexes.
func (u *universe) seal() {
	for _, list := range u.byName {
		slices.SortStableFunc(list, comparePkgs)
	}
	for _, list := range u.virtual {
		order.Sort(list, func(a, b provided) int {
			if c := priorityRank(a.by.Priority) - priorityRank(b.by.Priority); c != 0 {
				return c
			}
			if c := strings.Compare(a.by.Name, b.by.Name); c != 0 {
				return c
			}
			return comparePkgs(a.by, b.by)
		})
	}
}

func comparePkgs(a, b *pkg) int {
	if c := b.from.rel.priority() - a.from.rel.priority(); c != 0 {
		return c
	}
	if c := CompareVersions(b.Version, a.Version); c != 0 {
		return c
	}
	if c := strings.Compare(a.Arch, b.Arch); c != 0 {
		return c
	}
	return a.from.order - b.from.order
}

// priorityRank orders Debian priorities, most important first (Policy 2.5).
func priorityRank(p string) int {
	if i := slices.Index([]string{"required", "important", "standard", "optional", "extra"}, p); i >= 0 {
		return i
	}
	return 5
}

// candidate is the version that apt would install, nil when there is none.
func (u *universe) candidate(name string) *pkg {
	if list := u.byName[name]; len(list) > 0 {
		return list[0]
	}
	return nil
}
