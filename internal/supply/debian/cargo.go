package debian

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/progress"
	"espalier.dev/espalier/internal/store"
)

var (
	cargoPackage = regexp.MustCompile(`^cargo(-web|-[0-9]+\.[0-9]+)?$`)
	// Packages that cargo depends on because it starts their programs, not
	// because it is linked with them.
	started = regexp.MustCompile(`^(rustc.*|libstd-rust.*|binutils.*|gcc.*|clang.*|c-compiler)$`)
)

// Cargo returns the part of a toolchain, just chosen by Lock, that its cargo
// needs to download crates: the package and the libraries that it is linked
// with, a tenth of the whole. ok is false when the indexes have been dropped.
func (s *Supplier) Cargo(tc lock.Toolchain) (part lock.Toolchain, ok bool) {
	s.mu.Lock()
	u := s.universe
	s.mu.Unlock()
	if u == nil {
		return lock.Toolchain{}, false
	}
	chosen := &closure{u: u, chosen: map[string]*pkg{}}
	var queue []*pkg
	for _, l := range tc.Packages {
		for _, p := range u.byName[l.Name] {
			if p.Digest == l.Digest {
				chosen.chosen[p.Name] = p
				if cargoPackage.MatchString(p.Name) {
					queue = append(queue, p)
				}
			}
		}
	}
	if len(queue) != 1 {
		return lock.Toolchain{}, false
	}
	needed := map[string]bool{queue[0].Name: true}
	for len(queue) > 0 {
		p := queue[0]
		queue = queue[1:]
		groups, err := ParseRelations(strings.Trim(p.PreDepends+", "+p.Depends, ", "))
		if err != nil {
			return lock.Toolchain{}, false
		}
		for _, group := range groups {
			if slices.ContainsFunc(group, func(r Relation) bool { return started.MatchString(r.Name) }) {
				continue
			}
			for _, q := range chosen.chosenFor(group) {
				if !needed[q.Name] {
					needed[q.Name] = true
					queue = append(queue, q)
				}
			}
		}
	}
	part = lock.Toolchain{Host: tc.Host, Supplier: tc.Supplier, Prune: tc.Prune}
	for _, l := range tc.Packages {
		if needed[l.Name] {
			part.Packages = append(part.Packages, l)
		}
	}
	return part, true
}

// chosenFor returns the chosen packages that satisfy a clause.
func (c *closure) chosenFor(group []Relation) []*pkg {
	var out []*pkg
	for _, r := range group {
		if p := c.chosen[r.Name]; p != nil && r.matches(p.Version) {
			out = append(out, p)
		}
		for _, v := range c.u.virtual[r.Name] {
			if c.chosen[v.by.Name] == v.by && v.satisfies(r) {
				out = append(out, v.by)
			}
		}
	}
	return out
}

// AssembleCargo makes the tree of the result of Cargo, without standard library
// and compiler.
func (s *Supplier) AssembleCargo(ctx context.Context, st *store.Store, part lock.Toolchain, rep progress.Reporter) (store.Digest, error) {
	key := memoKey(part, s.formats)
	if root, err := st.Memo(ctx, store.DigestOf(key)); err == nil {
		if _, err := st.TreePath(ctx, root); err == nil {
			return root, nil
		}
	}
	root, err := assemble(ctx, st, s.client, part, "cargo", s.prefixes, s.formats, rep)
	if err != nil {
		return store.Digest{}, err
	}
	return root, st.PutMemo(ctx, key, root)
}
