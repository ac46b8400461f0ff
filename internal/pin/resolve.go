package pin

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"espalier.dev/espalier/internal/cargo"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/supply/git"
)

// resolve makes a Cargo.lock with the pinned cargo, or brings the existing one
// up to date. pinned are the commits of its git sources; those of others are
// the ones that their references name today.
func (s *Session) resolve(ctx context.Context, p *project.Project, pinned, heads []lock.Git, tc lock.Toolchain) ([]byte, error) {
	var old []byte
	if p.CargoLock != nil {
		old = p.CargoLock.Bytes
	}
	gits := slices.Concat(pinned, heads)
	job, err := s.job(ctx, p, &lock.File{Git: gits}, seed(old, heads, lockVersion(tc.Rustc)))
	if err != nil {
		return nil, err
	}
	if p.CargoLock != nil {
		if job.All, err = union(p.CargoLock, &cargo.Lock{}); err != nil {
			return nil, err
		}
	}
	return s.crates(tc.Rootfs).Resolve(ctx, job)
}

// seed is the Cargo.lock that cargo starts from: the old one, if any, and the
// packages of git commits that it does not have. Cargo accepts a replacement
// of a git source only when the lock names the commit; packages that are not
// used are removed by its resolution.
func seed(old []byte, gits []lock.Git, version int) []byte {
	if len(gits) == 0 {
		return old
	}
	b := bytes.NewBuffer(bytes.Clone(old))
	if len(old) == 0 {
		fmt.Fprintf(b, "version = %d\n", version)
	}
	for _, g := range gits {
		source := "git+" + g.URL
		if kind, value, ok := strings.Cut(g.Ref, "="); ok {
			source += "?" + kind + "=" + url.QueryEscape(value)
		}
		for _, m := range members(g) {
			fmt.Fprintf(b, "\n[[package]]\nname = %q\nversion = %q\nsource = %q\n", m.Name, m.Version, source+"#"+g.Commit)
		}
	}
	return b.Bytes()
}

// lockVersion is the newest version of a Cargo.lock that a compiler's cargo
// reads: an older one refuses version 4.
func lockVersion(rustc string) int {
	version, _, _ := strings.Cut(rustc, " ")
	if cargo.OlderThan(version, "1.78") {
		return 3
	}
	return 4
}

// heads finds today's commits of the git dependencies that own manifests name,
// and of those that the packages there name, and so on. All packages of such a
// commit are offered to cargo, which chooses. Sources that are pinned already
// are left out. Every repository that cannot be read is reported.
func (s *Session) heads(ctx context.Context, p *project.Project, pinned []lock.Git) ([]lock.Git, error) {
	type need struct {
		source  cargo.GitSource
		name    string
		by      string // "" for an own manifest
		mayLack bool
	}
	var queue []need
	depends := slices.Clone(p.Patches)
	for _, own := range p.Own {
		depends = append(depends, own.Depends...)
	}
	for _, d := range depends {
		if d.Git != "" {
			queue = append(queue, need{source: cargo.GitSource{URL: d.Git, Ref: d.Ref}, name: d.Package})
		}
	}
	var gits []lock.Git
	var failed []error
	known := map[cargo.GitSource]git.Packages{}
	done := map[[3]string]bool{}
	for len(queue) > 0 {
		n := queue[0]
		queue = queue[1:]
		key := [3]string{n.source.URL, n.source.Ref, n.name}
		if done[key] || slices.ContainsFunc(pinned, func(g lock.Git) bool { return g.URL == n.source.URL && g.Ref == n.source.Ref }) {
			continue
		}
		done[key] = true
		packages, ok := known[n.source]
		if !ok {
			pin, found, err := s.head(ctx, n.source)
			switch {
			case err != nil && n.mayLack && ctx.Err() == nil:
				s.Report.Note("%s, which %s can use, is left out: %v", n.name, n.by, err)
				delete(done, key) // another package may need it
				continue
			case err != nil && ctx.Err() != nil:
				return nil, err
			case err != nil:
				failed = append(failed, err)
				known[n.source] = git.Packages{}
				continue
			}
			known[n.source], packages = found, found
			gits = append(gits, pin)
		}
		for _, d := range packages.Needs(n.name) {
			queue = append(queue, need{cargo.GitSource{URL: d.URL, Ref: d.Ref}, d.Package, n.name, d.Optional || n.mayLack})
		}
	}
	return gits, all(failed...)
}

// head brings today's commit of a reference with all its packages.
func (s *Session) head(ctx context.Context, src cargo.GitSource) (lock.Git, git.Packages, error) {
	fetcher, err := s.git()
	if err != nil {
		return lock.Git{}, git.Packages{}, err
	}
	commit, err := fetcher.Head(ctx, src.URL, src.Ref)
	if err != nil {
		return lock.Git{}, git.Packages{}, err
	}
	return fetcher.FetchAll(ctx, git.Source{URL: src.URL, Ref: src.Ref, Commit: commit})
}
