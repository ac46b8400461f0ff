package pin

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"espalier.dev/espalier/internal/action"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/gitconfig"
	"espalier.dev/espalier/internal/layout"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/progress"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/source"
	"espalier.dev/espalier/internal/store"
	"espalier.dev/espalier/internal/supply/crates"
	"espalier.dev/espalier/internal/supply/debian"
	"espalier.dev/espalier/internal/supply/fetch"
	"espalier.dev/espalier/internal/supply/git"
	"espalier.dev/espalier/internal/supply/rustdist"
)

// Session is what locking and fetching need besides the project.
type Session struct {
	Store    *store.Store
	Executor action.Executor
	Report   progress.Reporter
	Host     string // "linux/amd64"
	Offline  bool
	Tool     string // espalier's version, for the lock
	Root     string // of the machine whose apt configuration is read; "/" but in tests
	Lookup   func(string) (string, bool)
	Now      func() time.Time // the clock that signatures and expiry are checked with

	Prefixes []string // configured places of packages
	RustDist []string // configured servers of the Rust distribution
	RustKeys []string // files with OpenPGP keys that may sign its manifests
	Home     string   // the user's home directory: git's configuration, netrc, rustup; "" for none
	GitDir   string   // of the project's repository, for conditions of git's configuration; "" for none
	Sources  []string // configured sources, one-line style
	CargoEnv crates.HostCargo

	// One brings a crate of the default registry where the pinned cargo cannot run;
	// nil where it can.
	One func(context.Context, lock.Crate) error
}

// SourcesOf writes the configured archives of a project in apt's one-line
// style.
func SourcesOf(c project.SupplyConfig) []string {
	var out []string
	for _, s := range c.Sources {
		opt := ""
		if s.SignedBy != "" {
			opt = "[signed-by=" + s.SignedBy + "] "
		}
		for _, suite := range s.Suites {
			out = append(out, strings.TrimSpace("deb "+opt+s.URI+" "+suite+" "+strings.Join(s.Components, " ")))
		}
	}
	return out
}

func (s *Session) env(name string) string {
	v, _ := s.Lookup(name)
	return v
}

func (s *Session) network() fetch.Config {
	return fetch.Config{Environ: s.env, Offline: s.Offline, Command: "espalier fetch"}
}

func (s *Session) supplier() (*debian.Supplier, error) {
	return debian.Discover(s.Root, debian.Config{
		Host:     s.Host,
		Sources:  s.Sources,
		Prefixes: s.Prefixes,
		Fetch:    s.network(),
		Now:      s.Now,
		Formats:  s.formats(),
	})
}

// rust is the official distribution, from the servers that this machine knows.
func (s *Session) rust() (*rustdist.Supplier, error) {
	cfg := rustdist.Config{Servers: s.rustServers(), Client: fetch.New(s.network()), Now: s.Now}
	for _, name := range s.RustKeys {
		b, err := os.ReadFile(name)
		if err != nil {
			return nil, fault.Wrap(fault.Usage, err, "[supply] rust-keys")
		}
		cfg.Keys = append(cfg.Keys, b)
	}
	return rustdist.New(cfg)
}

func (s *Session) rustServers() []string { return rustdist.Servers(s.Lookup, s.Home, s.RustDist) }

// formats are the kinds of packages that a toolchain can have besides
// Debian's.
func (s *Session) formats() map[string]debian.Unpacker {
	return map[string]debian.Unpacker{rustdist.Format: {
		Unpack: func(ctx context.Context, name string, open func() (io.ReadCloser, error), to debian.Sink) error {
			return rustdist.Unpack(ctx, name, open, to)
		},
		Rule:     rustdist.Rule,
		Prefixes: append(s.rustServers(), s.Prefixes...),
		Hint:     rustdist.NoServerHint,
	}}
}

func (s *Session) crates(rootfs store.Digest) *crates.Fetcher {
	return &crates.Fetcher{
		Store:   s.Store,
		Rootfs:  rootfs,
		Offline: s.Offline,
		Host:    s.CargoEnv,
		Report:  s.Report,
		Run: func(ctx context.Context, step action.Step, opts action.RunOptions) (action.Result, error) {
			return s.Executor.Run(ctx, s.Store, step, opts)
		},
	}
}

// git fetches commits with the user's own git configuration: replaced
// addresses, HTTP settings and logins. What they are does not reach the lock.
func (s *Session) git() (*git.Fetcher, error) {
	f := &git.Fetcher{Store: s.Store, Offline: s.Offline, Report: s.Report}
	if s.Offline {
		return f, nil
	}
	c, err := gitconfig.Read(gitconfig.Source{Lookup: s.Lookup, Home: s.Home, GitDir: s.GitDir})
	f.Access = git.Access{Config: c, Lookup: s.Lookup, Home: s.Home}
	return f, err
}

// Fetch brings everything that f names into the store. What is there already
// is not asked for again.
func (s *Session) Fetch(ctx context.Context, p *project.Project, f *lock.File) error {
	tc, err := f.ToolchainFor(s.Host)
	if err != nil {
		return err
	}
	root, err := s.rootfs(ctx, tc)
	if err != nil {
		return err
	}
	for _, g := range f.Git {
		if err := s.fetchGit(ctx, g); err != nil {
			return err
		}
	}
	if err := s.fetchCrates(ctx, p, f, root, nil); err != nil {
		return err
	}
	one := s.crates(tc.Rootfs).One
	if s.One != nil {
		one = s.One
	}
	if err := crates.Blobs(ctx, s.Store, f.Blobs, one); err != nil {
		return err
	}
	return s.keep(ctx, p, f)
}

// rootfs assembles the toolchain's tree; without a network when all packages
// are in the store.
func (s *Session) rootfs(ctx context.Context, tc lock.Toolchain) (debian.Rootfs, error) {
	if sup, err := s.supplier(); err == nil {
		return sup.Assemble(ctx, s.Store, tc, s.Report)
	}
	// A machine without any source can still unpack what it has.
	return debian.Assemble(ctx, s.Store, fetch.New(s.network()), tc, func(string) []string { return s.Prefixes }, s.formats(), s.Report)
}

func (s *Session) fetchGit(ctx context.Context, g lock.Git) error {
	if _, err := s.Store.TreePath(ctx, g.Tree); err == nil {
		return nil
	}
	fetcher, err := s.git()
	if err != nil {
		return err
	}
	got, err := fetcher.Fetch(ctx, git.Source{URL: g.URL, Ref: g.Ref, Commit: g.Commit}, members(g))
	if err != nil {
		return err
	}
	return sameTree(g, got)
}

func members(g lock.Git) []git.Member {
	var out []git.Member
	for _, c := range g.Crates {
		name, version, _ := strings.Cut(c, " ")
		out = append(out, git.Member{Name: name, Version: version})
	}
	return out
}

// fetchCrates brings the crates of both locks.
func (s *Session) fetchCrates(ctx context.Context, p *project.Project, f *lock.File, root debian.Rootfs, cargoLock []byte) error {
	var own, std []lock.Crate
	for _, c := range f.Crates {
		for _, w := range c.For {
			if w == forProject {
				own = append(own, c)
			} else if w == forStd {
				std = append(std, c)
			}
		}
	}
	fetcher := s.crates(root.Digest)
	if s.One != nil {
		return s.oneByOne(ctx, fetcher.Missing(slices.Concat(own, std)))
	}
	if len(fetcher.Missing(own)) > 0 {
		job, err := s.job(ctx, p, f, cargoLock)
		if err != nil {
			return err
		}
		job.Want, job.All = own, f.Crates
		if err := fetcher.Project(ctx, job); err != nil {
			return err
		}
	}
	if root.StdLockOwn() || len(fetcher.Missing(std)) == 0 {
		return fetcher.Std(ctx, std)
	}
	l, err := s.stdCrates(ctx, f, root)
	if err != nil {
		return err
	}
	index := ""
	for _, pkg := range l.Packages {
		index = cmp.Or(index, pkg.Source)
	}
	return fetcher.List(ctx, std, index)
}

// oneByOne brings crates without the pinned cargo.
func (s *Session) oneByOne(ctx context.Context, missing []lock.Crate) error {
	if s.Offline && len(missing) > 0 {
		return fault.New(fault.Pins, fmt.Sprintf("offline, and not in the store: %d crates", len(missing)), "espalier fetch   # on a machine with a network")
	}
	for _, c := range missing {
		if c.Source != "" {
			return fault.New(fault.Pins, fmt.Sprintf("crate %s %s: of %s, which only the pinned cargo can ask, on Linux", c.Name, c.Version, c.Source),
				"espalier archive on Linux, and espalier restore here")
		}
		if err := s.One(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// job describes the project to the fetching cargo.
func (s *Session) job(ctx context.Context, p *project.Project, f *lock.File, cargoLock []byte) (crates.Job, error) {
	src, err := source.Stubs(ctx, s.Store, p, cargoLock)
	if err != nil {
		return crates.Job{}, err
	}
	j := crates.Job{
		Inputs: []action.Input{{Path: "src", Tree: src}},
		Dir:    layout.Inside(p.Root, p.WorkDir),
		Lock:   layout.Inside(p.Root, p.Workspace) + "/Cargo.lock",
	}
	gitTree, err := git.Tree(ctx, s.Store, f.Git)
	if err != nil {
		return j, err
	}
	if !gitTree.IsZero() {
		j.Inputs = append(j.Inputs, action.Input{Path: "git", Tree: gitTree})
		j.ConfigText = git.Sources(f.Git, layout.Checkouts)
	}
	return j, nil
}

// keep registers what this lock needs as a root of the store, so that gc keeps it.
func (s *Session) keep(ctx context.Context, p *project.Project, f *lock.File) error {
	name := p.Workspace + "/" + lock.FileName
	r := store.Root{Name: name, Origin: name}
	for _, tc := range f.Toolchains {
		if tc.Host != s.Host {
			continue
		}
		r.Pins = append(r.Pins, store.Pin{Kind: store.PinTree, Digest: tc.Rootfs})
		for _, pkg := range tc.Packages {
			r.Pins = append(r.Pins, store.Pin{Kind: store.PinBlob, Digest: pkg.Digest})
		}
		for _, e := range tc.Index { // no build needs them, an archive keeps them as evidence
			if s.Store.Has(e.Digest) {
				r.Pins = append(r.Pins, store.Pin{Kind: store.PinBlob, Digest: e.Digest})
			}
		}
	}
	for _, c := range f.Crates {
		r.Pins = append(r.Pins, store.Pin{Kind: store.PinBlob, Digest: c.Digest})
	}
	for _, g := range f.Git {
		r.Pins = append(r.Pins, store.Pin{Kind: store.PinTree, Digest: g.Tree})
	}
	for _, b := range f.Blobs {
		r.Pins = append(r.Pins, store.Pin{Kind: store.PinBlob, Digest: b.Digest})
	}
	return s.Store.SetRoot(ctx, r)
}

func short(commit string) string { return fmt.Sprintf("%.9s", commit) }
