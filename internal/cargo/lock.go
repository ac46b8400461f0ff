package cargo

import (
	"strings"

	"espalier.dev/espalier/internal/config"
	"espalier.dev/espalier/internal/store"
)

// Lock is a parsed Cargo.lock (format versions 1 to 4).
type Lock struct {
	Path     string // relative to Root
	Bytes    []byte
	Version  int
	Packages []LockedPackage // in file order
	Unused   []LockedPackage // [[patch.unused]]
}

// LockedPackage is one [[package]] of a Cargo.lock.
type LockedPackage struct {
	Name         string
	Version      string
	Source       string // "registry+…", "sparse+…", "git+…?rev=…#<commit>" as written; empty for path packages
	Checksum     string // SHA-256 of the .crate, hex; registry packages only
	Dependencies []string
	Origin       config.Origin
}

// GitSource is a decoded git source of a Cargo.lock.
type GitSource struct {
	URL    string // without query and fragment
	Ref    string // "rev=…", "tag=…", "branch=…", percent-decoded; empty for the default branch
	Commit string // full object id; empty when the lock does not say
}

// IsDefaultRegistry recognises the index that cargo calls crates-io, by the
// path that it has in every lock whatever protocol or mirror serves it.
func IsDefaultRegistry(index string) bool {
	return strings.HasSuffix(strings.TrimSuffix(index, "/"), "crates.io-index")
}

// Digest names the bytes of the lock file.
func (l *Lock) Digest() store.Digest { return store.DigestOf(l.Bytes) }

// IsRegistry reports whether the package comes from a registry, and which:
// the index URL without its "registry+" or "sparse+" prefix.
func (p LockedPackage) IsRegistry() (index string, ok bool) { return registryIndex(p.Source) }

// Git returns the decoded git source, ok when the package has one.
func (p LockedPackage) Git() (GitSource, bool) { return parseGitSource(p.Source) }

// Reachable lists, in file order, the packages that the named packages of the
// workspace reach, those included. Names that the lock does not have are
// skipped.
func (l *Lock) Reachable(names ...string) []LockedPackage {
	byName := map[string][]int{}
	for i, p := range l.Packages {
		byName[p.Name] = append(byName[p.Name], i)
	}
	seen := make([]bool, len(l.Packages))
	var queue []int
	visit := func(i int) {
		if !seen[i] {
			seen[i] = true
			queue = append(queue, i)
		}
	}
	for _, n := range names {
		for _, i := range byName[n] {
			if l.Packages[i].Source == "" {
				visit(i)
			}
		}
	}
	for len(queue) > 0 {
		p := l.Packages[queue[0]]
		queue = queue[1:]
		for _, dep := range p.Dependencies {
			// "name", or "name version" and "name version (source)" when there are several.
			name, rest, _ := strings.Cut(dep, " ")
			version, _, _ := strings.Cut(rest, " ")
			for _, i := range byName[name] {
				if version == "" || l.Packages[i].Version == version {
					visit(i)
				}
			}
		}
	}
	var out []LockedPackage
	for i, p := range l.Packages {
		if seen[i] {
			out = append(out, p)
		}
	}
	return out
}
