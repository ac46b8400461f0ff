package pin

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"espalier.dev/espalier/internal/cargo"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/order"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/supply/git"
)

// lockGit pins the commits that Cargo.lock names, by content.
func (s *Session) lockGit(ctx context.Context, p *project.Project, old *lock.File) ([]lock.Git, error) {
	used := map[cargo.GitSource][]git.Member{}
	commits := map[cargo.GitSource]string{}
	var sources []cargo.GitSource
	for _, pkg := range p.CargoLock.Packages {
		src, ok := pkg.Git()
		if !ok {
			continue
		}
		if src.Commit == "" {
			return nil, fault.New(fault.Pins, fmt.Sprintf("Cargo.lock names no commit for %s of git %s", pkg.Name, src.URL),
				"cargo generate-lockfile   # or remove Cargo.lock, then: espalier lock")
		}
		name := cargo.GitSource{URL: src.URL, Ref: src.Ref}
		if other := cmp.Or(commits[name], src.Commit); other != src.Commit {
			// Cargo knows a replaced source by its name alone.
			return nil, fault.New(fault.Pins, fmt.Sprintf("Cargo.lock has two commits of git %s: %s and %s", src.URL, short(other), short(src.Commit)),
				"cargo update "+pkg.Name+"   # brings all its crates to one commit")
		}
		commits[name] = src.Commit
		if used[src] == nil {
			sources = append(sources, src)
		}
		used[src] = append(used[src], git.Member{Name: pkg.Name, Version: pkg.Version})
	}
	var out []lock.Git
	var failed []error // of every repository: all are reported at once
	for _, src := range sources {
		pin, ok := oldGit(old, src, used[src])
		var err error
		if ok {
			err = s.fetchGit(ctx, pin)
		} else {
			fetcher, ferr := s.git()
			if ferr != nil {
				return nil, ferr
			}
			pin, err = fetcher.Fetch(ctx, git.Source{URL: src.URL, Ref: src.Ref, Commit: src.Commit}, used[src])
		}
		if ctx.Err() != nil {
			return nil, err
		}
		failed = append(failed, err)
		out = append(out, pin)
	}
	if err := all(failed...); err != nil {
		return nil, err
	}
	order.Sort(out, func(a, b lock.Git) int {
		return cmp.Or(cmp.Compare(a.URL, b.URL), cmp.Compare(a.Ref, b.Ref), cmp.Compare(a.Commit, b.Commit))
	})
	return out, nil
}

func oldGit(old *lock.File, src cargo.GitSource, m []git.Member) (lock.Git, bool) {
	if old == nil {
		return lock.Git{}, false
	}
	for _, g := range old.Git {
		if g.URL == src.URL && g.Ref == src.Ref && g.Commit == src.Commit && slices.Equal(members(g), m) {
			return g, true
		}
	}
	return lock.Git{}, false
}

func sameTree(want, got lock.Git) error {
	if want.Tree.Hash == got.Tree.Hash {
		return nil
	}
	return fault.New(fault.Pins, fmt.Sprintf("git %s at %s: content differs: the lock says %s, the repository sent %s", want.URL, short(want.Commit), want.Tree, got.Tree),
		"the commit's name is the same but its files are not; do not use the repository before you know why")
}
