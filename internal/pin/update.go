package pin

import (
	"context"

	"espalier.dev/espalier/internal/cargo"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/supply/crates"
)

// indexSince is the first cargo whose registries are not git repositories.
const indexSince = "1.70"

// Versions changes versions of the project's Cargo.lock with the cargo that f
// pins. f names the git crates of that Cargo.lock. No file of the project is
// written.
func (s *Session) Versions(ctx context.Context, p *project.Project, f *lock.File, ch crates.Change) (crates.Updated, error) {
	tc, err := f.ToolchainFor(s.Host)
	if err != nil {
		return crates.Updated{}, err
	}
	if _, err := s.rootfs(ctx, tc); err != nil {
		return crates.Updated{}, err
	}
	job, err := s.jobOf(ctx, p, f)
	if err != nil {
		return crates.Updated{}, err
	}
	job.Index = !cargo.OlderThan(compilerVersion(tc), indexSince)
	return s.crates(tc.Rootfs).Update(ctx, job, ch)
}

// Crates fetches the registry crates of the project's Cargo.lock with the cargo
// that f pins, and returns them with their sizes.
func (s *Session) Crates(ctx context.Context, p *project.Project, f *lock.File) ([]lock.Crate, error) {
	tc, err := f.ToolchainFor(s.Host)
	if err != nil {
		return nil, err
	}
	job, err := s.jobOf(ctx, p, f)
	if err != nil {
		return nil, err
	}
	job.Want = job.All
	if err := s.crates(tc.Rootfs).Project(ctx, job); err != nil {
		return nil, err
	}
	s.sizes(job.All)
	return job.All, nil
}

func (s *Session) jobOf(ctx context.Context, p *project.Project, f *lock.File) (crates.Job, error) {
	for _, g := range f.Git {
		if err := s.fetchGit(ctx, g); err != nil {
			return crates.Job{}, err
		}
	}
	job, err := s.job(ctx, p, f, nil)
	if err != nil {
		return job, err
	}
	job.All, err = union(p.CargoLock, &cargo.Lock{})
	return job, err
}

// Compiler chooses a compiler for a project without downloading it: Rustc is
// empty unless the supplier's index has it.
func (s *Session) Compiler(ctx context.Context, p *project.Project, f *lock.File, req Request) (tc lock.Toolchain, version string, err error) {
	want := request(p)
	if req.Version != "" {
		want.Channel, want.Where = req.Version, "--to"
	}
	if err := s.demand(ctx, p, &want); err != nil {
		return tc, "", err
	}
	tc, err = s.chooseCompiler(ctx, nil, f, req, want)
	if err == nil {
		err = checkFlags(p, tc)
	}
	return tc, compilerVersion(tc), err
}

// Keep registers what a lock of the project needs with the store, so that gc
// keeps it.
func (s *Session) Keep(ctx context.Context, p *project.Project, f *lock.File) error {
	return s.keep(ctx, p, f)
}

// GitState is what a repository says today about a pinned commit.
type GitState struct {
	Head string   // the commit that the reference means today
	Tips []string // branches and tags whose tip the pinned commit is
}

// GitState asks the repository of a pin.
func (s *Session) GitState(ctx context.Context, g lock.Git) (GitState, error) {
	fetcher, err := s.git()
	if err != nil {
		return GitState{}, err
	}
	var out GitState
	if out.Tips, err = fetcher.Tips(ctx, g.URL, g.Commit); err != nil {
		return out, err
	}
	out.Head, err = fetcher.Head(ctx, g.URL, g.Ref)
	return out, err
}
