package pin

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"espalier.dev/espalier/internal/action"
	"espalier.dev/espalier/internal/cargo"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/store"
	"espalier.dev/espalier/internal/supply/debian"
	"espalier.dev/espalier/internal/supply/rustdist"
)

// Suppliers of compilers.
const (
	Debian = "debian" // a Debian archive: stable compilers, signed indexes
	Rust   = "rust"   // the official distribution: every channel, ready-made libraries
)

// checkToolchain refuses a request that no supplier can answer.
func checkToolchain(p *project.Project) error {
	if t := p.Toolchain; t.Path != "" {
		return fault.New(fault.Usage, t.File+": [toolchain] path = \""+t.Path+"\": a directory of this machine cannot be pinned",
			"write channel = \"stable\" instead of path")
	}
	return nil
}

// compilerRequest is what a project asks of a compiler, for any supplier.
type compilerRequest struct {
	Channel    string // "stable", "1.96", "nightly-2026-05-20"
	Where      string // place of the channel: "rust-toolchain.toml:2"
	Profile    string
	Components []string
	Target     string
	BuildStd   bool   // the project asks cargo to build the standard library
	MinRustc   string // lowest version that the locked crates accept: "1.95"
	MinFor     string // which crate asks for it: "esp-hal 1.2.2"
	Accept     string // "stable": a stable compiler will do for a nightly channel
}

// request collects what a project asks for.
func request(p *project.Project) compilerRequest {
	tc := p.Toolchain
	want := compilerRequest{
		Channel: cmp.Or(tc.Channel.V, "stable"), Where: tc.Channel.Origin.Short(), Profile: tc.Profile, Components: tc.Components,
		Target: p.Target(), BuildStd: len(p.Cargo.BuildStd.V) > 0, Accept: p.Espalier.Toolchain.Accept.V,
	}
	for _, m := range p.MSRV {
		if cargo.OlderThan(want.MinRustc, m.Version) {
			want.MinRustc, want.MinFor = m.Version, m.Package
		}
	}
	return want
}

// nightly reports whether the channel is one that only the official
// distribution has: nightly and beta compilers, and those of a date.
func (r compilerRequest) nightly() bool {
	return r.Channel != "stable" && !isVersion(r.Channel)
}

// isVersion reports whether a channel is a version of a stable compiler.
func isVersion(channel string) bool {
	return strings.Trim(channel, "0123456789.") == "" && strings.Contains(channel, ".")
}

// debian is the request in that supplier's terms.
func (r compilerRequest) debian() debian.Request {
	channel := r.Channel
	if r.Accept == "stable" && r.nightly() {
		channel = "stable"
	}
	return debian.Request{Channel: channel, ChannelOrigin: r.Where, Components: r.Components, MinRustc: r.MinRustc, MinFor: r.MinFor}
}

// rust is the request in that supplier's terms. A project that does not ask
// for [unstable] build-std gets the library ready-made, as with rustup.
func (r compilerRequest) rust(host string) rustdist.Request {
	out := rustdist.Request{Host: host, Channel: r.Channel, Where: r.Where, Profile: r.Profile, Components: r.Components,
		MinRustc: r.MinRustc, MinFor: r.MinFor}
	if r.BuildStd {
		out.Source = true
	} else {
		out.Targets = []string{r.Target}
	}
	return out
}

// toolchain chooses and assembles the compiler. f has the git crates. The tree
// has no StdSource when the library is used ready-made.
func (s *Session) toolchain(ctx context.Context, p *project.Project, f *lock.File, req Request) (lock.Toolchain, debian.Rootfs, error) {
	var none lock.Toolchain
	var noRoot debian.Rootfs
	want := request(p)
	channel := want.Channel
	if req.Version != "" {
		want.Channel, want.Where = req.Version, "--to"
	}
	if err := s.demand(ctx, p, &want); err != nil {
		return none, noRoot, err
	}
	var err error
	tc, ok := reusable(req, s.Host, want)
	if !ok {
		if tc, err = s.chooseCompiler(ctx, p, f, req, want); err != nil {
			return none, noRoot, err
		}
	}
	if err := checkFlags(p, tc); err != nil {
		return none, noRoot, err
	}
	root, err := s.rootfs(ctx, tc)
	if err != nil {
		return none, noRoot, err
	}
	tc.Rootfs = root.Digest
	s.packageSizes(tc.Packages)
	if tc.Rustc == "" {
		if tc.Rustc, err = s.rustcVersion(ctx, root.Digest); err != nil {
			return none, noRoot, err
		}
		if err := checkVersion(tc); err != nil {
			return none, noRoot, err
		}
	}
	tc.Channel = channel
	if fromRust(tc) && !want.BuildStd && rustdist.ReadyMade(tc, want.Target) {
		root.StdSource = "" // rust-src was asked for, but not by cargo's configuration
	}
	if root.StdSource != "" && root.StdLock.IsZero() {
		return none, noRoot, fault.New(fault.Pins, "the sources of the standard library of rustc "+tc.Rustc+" have no Cargo.lock", "espalier lock --toolchain=rust")
	}
	return tc, root, nil
}

// checkCompiler is the error that choosing a compiler would have, for a project
// that cannot be locked for another reason, too. Only indexes are downloaded:
// f has no crates, so no compiler is needed to fetch them.
func (s *Session) checkCompiler(ctx context.Context, p *project.Project, f *lock.File, req Request) error {
	if ctx.Err() != nil {
		return nil
	}
	want := request(p)
	if err := s.demand(ctx, p, &want); err != nil {
		return err
	}
	if _, ok := reusable(req, s.Host, want); ok {
		return nil
	}
	_, err := s.chooseCompiler(ctx, nil, f, req, want)
	return err
}

// chooseCompiler asks the suppliers that can have what is asked for: the
// official distribution for nightly and beta channels, a Debian archive and
// then the distribution for the rest. req.Supplier names one of them. Without a
// project, its crates are not fetched to see which compiler they need.
func (s *Session) chooseCompiler(ctx context.Context, p *project.Project, f *lock.File, req Request, want compilerRequest) (lock.Toolchain, error) {
	accepted := want.nightly() && want.Accept == "stable"
	switch {
	case req.Supplier == Rust, req.Supplier == "" && want.nightly() && !accepted:
		return s.rustCompiler(ctx, want)
	}
	tc, err := s.debianCompiler(ctx, p, f, want)
	var lacks *debian.NotOfferedError
	if errors.As(err, &lacks) && req.Supplier == "" && !accepted && len(s.rustServers()) > 0 {
		s.Report.Note("%v; asking the Rust distribution", lacks.Err)
		other, rerr := s.rustCompiler(ctx, want)
		if rerr == nil {
			return other, nil
		}
		return tc, fault.Wrap(fault.KindOf(rerr), rerr, lacks.Err.Error()+"; the Rust distribution", fault.Hints(lacks.Err)...)
	}
	if err == nil && accepted {
		tc.Accept = want.Accept
		s.Report.Note("channel %s (%s): a stable compiler is accepted for it ([toolchain] accept)", want.Channel, want.Where)
	}
	return tc, err
}

// debianCompiler chooses from a Debian archive. The crates of a Cargo.lock are
// brought before the compiler, so that one that is too old for them is
// replaced, or refused, before it is downloaded.
func (s *Session) debianCompiler(ctx context.Context, p *project.Project, f *lock.File, want compilerRequest) (lock.Toolchain, error) {
	sup, err := s.supplier()
	if err != nil {
		return lock.Toolchain{}, err
	}
	tc, err := sup.Lock(ctx, s.Store, want.debian(), s.Report)
	if err != nil {
		return tc, err
	}
	if p == nil {
		return tc, nil
	}
	if err := s.prefetch(ctx, p, f, sup, tc); err != nil {
		return tc, err
	}
	least := want.MinRustc
	if err := s.demand(ctx, p, &want); err != nil {
		return tc, err
	}
	if want.MinRustc != least {
		return sup.Lock(ctx, s.Store, want.debian(), s.Report)
	}
	return tc, nil
}

// rustCompiler takes compiler and library from the official distribution, and
// the C library, compiler driver and linker of the host from a Debian archive.
func (s *Session) rustCompiler(ctx context.Context, want compilerRequest) (lock.Toolchain, error) {
	sup, err := s.rust()
	if err != nil {
		return lock.Toolchain{}, err
	}
	tc, err := sup.Lock(ctx, s.Store, want.rust(s.Host), s.Report)
	if err != nil {
		if want.nightly() && want.Accept == "" {
			err = fault.Wrap(fault.KindOf(err), err, "", `[toolchain] accept = "stable" in espalier.toml   # if the project builds with a stable compiler, too`)
		}
		return tc, err
	}
	deb, err := s.supplier()
	if err != nil {
		return tc, err
	}
	host, err := deb.LockHost(ctx, s.Store, s.Report)
	if err != nil {
		return tc, err
	}
	tc.Supplier += " " + host.Supplier
	tc.Prune = host.Prune
	tc.Index = append(tc.Index, host.Index...)
	tc.Packages = append(tc.Packages, host.Packages...)
	return tc, nil
}

// packageSizes completes the digests of packages, whose sizes a channel
// manifest does not tell, once they are in the store.
func (s *Session) packageSizes(list []lock.Package) {
	for i := range list {
		if d, err := s.Store.Complete(list[i].Digest); err == nil {
			list[i].Digest = d
		}
	}
}

// checkVersion compares what the compiler says of itself with what was pinned.
func checkVersion(tc lock.Toolchain) error {
	for _, p := range tc.Packages {
		if p.Format == rustdist.Format && p.Name == "rustc" && p.Version != tc.Rustc {
			return fault.New(fault.Pins, fmt.Sprintf("the channel manifest lists rustc %s, and the compiler that was fetched is %s", p.Version, tc.Rustc),
				"another server: export RUSTUP_DIST_SERVER=…")
		}
	}
	return nil
}

// reusable returns the old pin of this host when it still answers the request.
func reusable(req Request, host string, want compilerRequest) (lock.Toolchain, bool) {
	if req.Old == nil || req.Toolchain {
		return lock.Toolchain{}, false
	}
	for _, tc := range req.Old.Toolchains {
		version, _, _ := strings.Cut(tc.Rustc, " ")
		if tc.Host != host || tc.Channel != want.Channel || tc.Prune != debian.PruneVersion || cargo.OlderThan(version, want.MinRustc) {
			continue
		}
		if req.Supplier != "" && fromRust(tc) != (req.Supplier == Rust) || tc.Accept != "" && tc.Accept != want.Accept {
			continue
		}
		if fromRust(tc) && rustdist.Covers(tc, want.rust(host)) || !fromRust(tc) && debian.Covers(tc, want.Components) {
			return tc, true
		}
	}
	return lock.Toolchain{}, false
}

// fromRust reports whether a toolchain's compiler is of the official
// distribution.
func fromRust(tc lock.Toolchain) bool { return strings.HasPrefix(tc.Supplier, Rust+":") }

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
