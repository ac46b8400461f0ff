package pin

import (
	"context"
	"errors"

	"espalier.dev/espalier/internal/cargo"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/supply/crates"
	"espalier.dev/espalier/internal/supply/debian"
)

// prefetch fetches the crates of a Cargo.lock before the compiler, so that a
// compiler that is too old for them is refused before it is downloaded: only
// their manifests name the version that they need, and only cargo knows where
// they are. It uses cargo's own package and the libraries that it links with.
//
// It does nothing when the compiler or the crates are in the store.
func (s *Session) prefetch(ctx context.Context, p *project.Project, f *lock.File, sup *debian.Supplier, tc lock.Toolchain) error {
	if p.CargoLock == nil || s.Offline || len(lock.Manifests(p)) > 0 {
		return nil
	}
	own, err := union(p.CargoLock, &cargo.Lock{})
	if err != nil {
		return err
	}
	direct, unknown := directCrates(p), false
	for _, c := range own {
		unknown = unknown || direct[c.Name+" "+c.Version] && !s.Store.Has(c.Digest)
	}
	part, ok := sup.Cargo(tc)
	if !unknown || !ok || s.absent(tc) <= 2*s.absent(part) {
		return nil
	}
	rootfs, err := sup.AssembleCargo(ctx, s.Store, part, s.Report)
	if err != nil {
		return err
	}
	job, err := s.job(ctx, p, f, nil)
	if err != nil {
		return err
	}
	job.Want, job.All = own, own
	if err := s.crates(rootfs).Prefetch(ctx, job); errors.Is(err, crates.ErrStale) {
		return nil // it is updated when the compiler is here
	} else if errors.Is(err, crates.ErrRetryWithCompiler) {
		s.Report.Note("%v", err)
	} else if err != nil {
		return err
	}
	return nil
}

// absent is how many bytes of a toolchain's packages are not in the store.
func (s *Session) absent(tc lock.Toolchain) int64 {
	var n int64
	for _, p := range tc.Packages {
		if !s.Store.Has(p.Digest) {
			n += max(p.Digest.Size, 0)
		}
	}
	return n
}
