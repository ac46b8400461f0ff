package pin

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"

	"espalier.dev/espalier/internal/action"
	"espalier.dev/espalier/internal/cargo"
	"espalier.dev/espalier/internal/chipfiles"
	"espalier.dev/espalier/internal/config"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/layout"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/store"
	"espalier.dev/espalier/internal/supply/debian"
	"espalier.dev/espalier/internal/supply/git"
)

// Values of lock.Crate.For.
const (
	forProject = "project"
	forStd     = "std"
)

// Request says which pins may move.
type Request struct {
	Old       *lock.File // nil: there is none
	Toolchain bool       // choose the compiler anew although the old one would do
}

// Locked is a new lock with what came to light on the way.
type Locked struct {
	File      *lock.File
	CargoLock []byte // written by the pinned cargo because there was none; nil otherwise
}

// Lock asks what the project's names mean. Pins of the old lock that still fit
// stay where they are. Everything that the lock names is in the store
// afterwards.
func (s *Session) Lock(ctx context.Context, p *project.Project, req Request) (Locked, error) {
	if err := errors.Join(p.CheckEnv(), checkRegistries(p)); err != nil {
		return Locked{}, err
	}
	f := &lock.File{Version: lock.Version, Tool: s.Tool, Blobs: chipfiles.Pins()}
	f.Project = lock.Project{
		SourceDateEpoch: s.epoch(p, req.Old),
		Target:          p.Target(),
		Layout:          layout.Version,
	}
	if f.Project.Target != cargo.DefaultTarget && !p.Cargo.TargetIsFile {
		s.Report.Note("the target %s is not the ESP32-C3's (%s); the firmware will not boot on it", f.Project.Target, cargo.DefaultTarget)
	}

	var err error
	if p.CargoLock != nil {
		if f.Git, err = s.lockGit(ctx, p, req.Old); err != nil {
			return Locked{}, err
		}
	}
	tc, library, err := s.toolchain(ctx, p, f, req)
	if err != nil {
		return Locked{}, err
	}
	f.Toolchains = []lock.Toolchain{tc}
	if req.Old != nil {
		for _, other := range req.Old.Toolchains {
			if other.Host != s.Host {
				f.Toolchains = append(f.Toolchains, other)
			}
		}
		slices.SortFunc(f.Toolchains, func(a, b lock.Toolchain) int { return cmp.Compare(a.Host, b.Host) })
	}

	var made []byte
	if p.CargoLock == nil {
		if made, err = s.resolve(ctx, p, tc.Rootfs); err != nil {
			return Locked{}, err
		}
		if p.CargoLock, err = cargo.ParseLock("Cargo.lock", made); err != nil {
			return Locked{}, fault.Wrap(fault.Bug, err, "reading the Cargo.lock that cargo made")
		}
		if f.Git, err = s.lockGit(ctx, p, req.Old); err != nil {
			return Locked{}, err
		}
	}
	f.Project.CargoLock = p.CargoLock.Digest()
	std, err := s.stdCrates(ctx, f, tc.Rootfs, library)
	if err != nil {
		return Locked{}, err
	}
	if f.Crates, err = union(p.CargoLock, std); err != nil {
		return Locked{}, err
	}
	if err := s.fetchCrates(ctx, p, f, tc.Rootfs, made); err != nil {
		return Locked{}, err
	}
	s.sizes(f.Crates)
	if err := s.crates(tc.Rootfs).Blobs(ctx, f.Blobs); err != nil {
		return Locked{}, err
	}
	if err := s.checkRustVersions(ctx, p, f, tc); err != nil {
		return Locked{}, err
	}
	if req.Old != nil && req.Old.Golden != nil {
		if f.Golden = req.Old.Golden; f.Project.CargoLock != req.Old.Project.CargoLock || !lock.Compare(req.Old, f).Empty() {
			f.Golden = nil
			s.Report.Note("the golden results of the old lock are dropped: the pins moved; espalier verify --record makes new ones")
		}
	}
	return Locked{File: f, CargoLock: made}, s.keep(ctx, p, f)
}

// checkRegistries wants every registry that a manifest names in the project's
// own configuration: a build sees no other.
func checkRegistries(p *project.Project) error {
	known := map[string]bool{"": true, "crates-io": true}
	for _, r := range p.Cargo.Registries {
		known[r.Name] = true
	}
	for _, own := range p.Own {
		for _, d := range own.Depends {
			if !known[d.Registry] {
				return fault.New(fault.Usage, fmt.Sprintf("%s: registry %q is not in the project's .cargo/config.toml, and a build does not see your own", place(d.Origin), d.Registry),
					fmt.Sprintf("printf '[registries.%s]\\nindex = \"...\"\\n' >> .cargo/config.toml", d.Registry))
			}
		}
	}
	return nil
}

// epoch is the date that firmware may carry: it stays once it is locked, and
// starts as the time of the checked-out commit.
func (s *Session) epoch(p *project.Project, old *lock.File) int64 {
	switch {
	case old != nil && old.Project.SourceDateEpoch > 0:
		return old.Project.SourceDateEpoch
	case !p.Head.Time.IsZero():
		return p.Head.Time.Unix()
	}
	return s.Now().Unix()
}

// toolchain chooses and assembles the compiler. f has the git crates. The
// string is the folder of the standard library's workspace.
func (s *Session) toolchain(ctx context.Context, p *project.Project, f *lock.File, req Request) (lock.Toolchain, string, error) {
	want := debian.Request{
		Channel:       p.Toolchain.Channel.V,
		ChannelOrigin: place(p.Toolchain.Channel.Origin),
		Components:    p.Toolchain.Components,
	}
	for _, m := range p.MSRV {
		if cargo.OlderThan(want.MinRustc, m.Version) {
			want.MinRustc, want.MinFor = m.Version, m.Package
		}
	}
	if err := s.demand(ctx, p, &want); err != nil {
		return lock.Toolchain{}, "", err
	}
	var tc lock.Toolchain
	if old, ok := reusable(req, s.Host, want); ok {
		tc = old
	} else {
		sup, err := s.supplier()
		if err != nil {
			return tc, "", err
		}
		if tc, err = sup.Lock(ctx, s.Store, want, s.Report); err != nil {
			return tc, "", err
		}
		if err := s.ahead(ctx, p, f, sup, tc); err != nil {
			return tc, "", err
		}
		least := want.MinRustc
		if err := s.demand(ctx, p, &want); err != nil {
			return tc, "", err
		}
		if want.MinRustc != least {
			if tc, err = sup.Lock(ctx, s.Store, want, s.Report); err != nil {
				return tc, "", err
			}
		}
	}
	root, err := s.rootfs(ctx, tc)
	if err != nil {
		return tc, "", err
	}
	tc.Rootfs = root.Digest
	if tc.Rustc == "" {
		if tc.Rustc, err = s.rustcVersion(ctx, root.Digest); err != nil {
			return tc, "", err
		}
	}
	if tc.Channel == "" {
		tc.Channel = want.Channel
	}
	return tc, root.StdSource, nil
}

// reusable returns the old pin of this host when it still answers the request.
func reusable(req Request, host string, want debian.Request) (lock.Toolchain, bool) {
	if req.Old == nil || req.Toolchain {
		return lock.Toolchain{}, false
	}
	for _, tc := range req.Old.Toolchains {
		version, _, _ := strings.Cut(tc.Rustc, " ")
		if tc.Host == host && tc.Channel == want.Channel && tc.Prune == debian.PruneVersion &&
			!cargo.OlderThan(version, want.MinRustc) && debian.Covers(tc, want.Components) {
			return tc, true
		}
	}
	return lock.Toolchain{}, false
}

// rustcVersion asks the compiler itself: "1.96.0 (ac68faa20 2026-05-25)".
func (s *Session) rustcVersion(ctx context.Context, rootfs store.Digest) (string, error) {
	var out bytes.Buffer
	step := action.Step{
		Name:   "rustc version",
		Argv:   []string{"/usr/bin/rustc", "--version"},
		Env:    map[string]string{"PATH": "/usr/bin"},
		Dir:    "/",
		Inputs: []action.Input{{Path: "rootfs", Tree: rootfs}},
	}
	res, err := s.Executor.Run(ctx, s.Store, step, action.RunOptions{Stdout: &out})
	if err != nil {
		return "", err
	}
	// "rustc 1.96.0 (ac68faa20 2026-05-25) (built from a source tarball)"
	text, ok := strings.CutPrefix(strings.TrimSpace(out.String()), "rustc ")
	if res.ExitCode != 0 || !ok {
		return "", fault.Newf(fault.Pins, "the locked compiler does not run: exit status %d, it said %q", res.ExitCode, strings.TrimSpace(out.String()))
	}
	if i := strings.IndexByte(text, ')'); i >= 0 {
		text = text[:i+1]
	}
	return text, nil
}

// resolve makes the first Cargo.lock.
func (s *Session) resolve(ctx context.Context, p *project.Project, rootfs store.Digest) ([]byte, error) {
	gits, err := s.heads(ctx, p)
	if err != nil {
		return nil, err
	}
	job, err := s.job(ctx, p, &lock.File{Git: gits}, seed(gits))
	if err != nil {
		return nil, err
	}
	return s.crates(rootfs).Resolve(ctx, job)
}

// seed is a Cargo.lock that knows nothing but the packages of git commits:
// cargo takes a replacement of a git source only when the lock names the
// commit. Those that nobody uses do not outlive cargo's resolution.
func seed(gits []lock.Git) []byte {
	if len(gits) == 0 {
		return nil
	}
	var b bytes.Buffer
	b.WriteString("version = 4\n")
	for _, g := range gits {
		source := "git+" + g.URL
		if kind, value, ok := strings.Cut(g.Ref, "="); ok {
			source += "?" + kind + "=" + url.QueryEscape(value)
		}
		for _, m := range members(g) {
			fmt.Fprintf(&b, "\n[[package]]\nname = %q\nversion = %q\nsource = %q\n", m.Name, m.Version, source+"#"+g.Commit)
		}
	}
	return b.Bytes()
}

// heads finds today's commits of the git dependencies that own manifests name,
// and of those that the packages there name, and so on. All packages of such a
// commit are offered to cargo, which chooses.
func (s *Session) heads(ctx context.Context, p *project.Project) ([]lock.Git, error) {
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
	known := map[cargo.GitSource]git.Packages{}
	done := map[[3]string]bool{}
	for len(queue) > 0 {
		n := queue[0]
		queue = queue[1:]
		key := [3]string{n.source.URL, n.source.Ref, n.name}
		if done[key] {
			continue
		}
		done[key] = true
		packages, ok := known[n.source]
		if !ok {
			pin, found, err := s.head(ctx, n.source)
			switch {
			case err != nil && n.mayLack && ctx.Err() == nil:
				s.Report.Note("%s, which %s can use, is left out: %v", n.name, n.by, err)
				delete(done, key) // somebody else may need it
				continue
			case err != nil:
				return nil, err
			}
			known[n.source], packages = found, found
			gits = append(gits, pin)
		}
		for _, d := range packages.Needs(n.name) {
			queue = append(queue, need{cargo.GitSource{URL: d.URL, Ref: d.Ref}, d.Package, n.name, d.Optional || n.mayLack})
		}
	}
	return gits, nil
}

// head brings today's commit of a reference with all its packages.
func (s *Session) head(ctx context.Context, src cargo.GitSource) (lock.Git, git.Packages, error) {
	commit, err := s.git().Head(ctx, src.URL, src.Ref)
	if err != nil {
		return lock.Git{}, git.Packages{}, err
	}
	return s.git().FetchAll(ctx, git.Source{URL: src.URL, Ref: src.Ref, Commit: commit})
}

// lockGit pins the commits that Cargo.lock names, by content.
func (s *Session) lockGit(ctx context.Context, p *project.Project, old *lock.File) ([]lock.Git, error) {
	used := map[cargo.GitSource][]git.Member{}
	commits := map[cargo.GitSource]string{}
	var order []cargo.GitSource
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
			order = append(order, src)
		}
		used[src] = append(used[src], git.Member{Name: pkg.Name, Version: pkg.Version})
	}
	var out []lock.Git
	for _, src := range order {
		pin, ok := oldGit(old, src, used[src])
		if ok {
			if err := s.fetchGit(ctx, pin); err != nil {
				return nil, err
			}
		} else {
			var err error
			if pin, err = s.git().Fetch(ctx, git.Source{URL: src.URL, Ref: src.Ref, Commit: src.Commit}, used[src]); err != nil {
				return nil, err
			}
		}
		out = append(out, pin)
	}
	slices.SortFunc(out, func(a, b lock.Git) int {
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

// stdCrates reads the standard library's own lock out of the toolchain.
// library is the folder of its workspace, absolute inside the rootfs.
func (s *Session) stdCrates(ctx context.Context, f *lock.File, rootfs store.Digest, library string) (*cargo.Lock, error) {
	e, err := s.Store.Lookup(ctx, rootfs, strings.TrimPrefix(library, "/")+"/Cargo.lock")
	if err != nil {
		return nil, err
	}
	r, err := s.Store.Open(ctx, e)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(r)
	if err = errors.Join(err, r.Close()); err != nil {
		return nil, err
	}
	f.Std.Lock = e.Digest
	return cargo.ParseLock("library/Cargo.lock", text)
}

// union merges the registry packages of the project's and the library's locks.
func union(own, std *cargo.Lock) ([]lock.Crate, error) {
	byKey := map[string]*lock.Crate{}
	var keys []string
	add := func(l *cargo.Lock, why string) error {
		for _, pkg := range l.Packages {
			if _, ok := pkg.IsRegistry(); !ok {
				continue
			}
			if pkg.Checksum == "" {
				return fault.New(fault.Pins, fmt.Sprintf("%s has no checksum for %s %s", l.Path, pkg.Name, pkg.Version))
			}
			source := lock.SourceOf(pkg)
			key := pkg.Name + " " + pkg.Version + " " + source
			c := byKey[key]
			if c == nil {
				c = &lock.Crate{Name: pkg.Name, Version: pkg.Version, Source: source, Digest: store.Digest{Hash: pkg.Checksum, Size: -1}}
				byKey[key] = c
				keys = append(keys, key)
			}
			if c.Digest.Hash != pkg.Checksum {
				return fault.New(fault.Pins, fmt.Sprintf("%s %s has two checksums: %s in Cargo.lock, %s in the standard library's", pkg.Name, pkg.Version, c.Digest.Hash, pkg.Checksum))
			}
			if !slices.Contains(c.For, why) {
				c.For = append(c.For, why)
			}
		}
		return nil
	}
	if err := add(own, forProject); err != nil {
		return nil, err
	}
	if err := add(std, forStd); err != nil {
		return nil, err
	}
	slices.Sort(keys)
	out := make([]lock.Crate, len(keys))
	for i, k := range keys {
		out[i] = *byKey[k]
	}
	return out, nil
}

// sizes fills in what Cargo.lock does not tell.
func (s *Session) sizes(list []lock.Crate) {
	for i := range list {
		if d, err := s.Store.Complete(list[i].Digest); err == nil {
			list[i].Digest = d
		}
	}
}

func place(o config.Origin) string {
	if o.Line > 0 {
		return fmt.Sprintf("%s:%d", o.File, o.Line)
	}
	return o.File
}
