package pin

import (
	"bytes"
	"context"
	"strings"

	"espalier.dev/espalier/internal/action"
	"espalier.dev/espalier/internal/cargo"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/store"
	"espalier.dev/espalier/internal/supply/debian"
)

// checkToolchain refuses a request that no supplier can answer.
func checkToolchain(p *project.Project) error {
	if t := p.Toolchain; t.Path != "" {
		return fault.New(fault.Usage, t.File+": [toolchain] path = \""+t.Path+"\": a directory of this machine cannot be pinned",
			"write channel = \"stable\" instead of path")
	}
	return nil
}

// supplierFor chooses the supplier of the compiler for a request. It is the one
// place that decides: what the project asks for comes first, then the old lock.
func (s *Session) supplierFor(debian.Request) (*debian.Supplier, error) { return s.supplier() }

// toolchain chooses and assembles the compiler. f has the git crates. The
// string is the directory of the standard library's workspace.
func (s *Session) toolchain(ctx context.Context, p *project.Project, f *lock.File, req Request) (lock.Toolchain, string, error) {
	want := debian.Request{
		Channel:       p.Toolchain.Channel.V,
		ChannelOrigin: p.Toolchain.Channel.Origin.Short(),
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
		sup, err := s.supplierFor(want)
		if err != nil {
			return tc, "", err
		}
		if tc, err = sup.Lock(ctx, s.Store, want, s.Report); err != nil {
			return tc, "", err
		}
		if err := s.prefetch(ctx, p, f, sup, tc); err != nil {
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
