package debian

import (
	"context"
	"fmt"
	"time"

	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/progress"
	"espalier.dev/espalier/internal/store"
)

// Lock turns a request into pins: the closure of the newest fitting compiler
// with the evidence for it. Rootfs and Rustc are left for the caller, who
// learns them by Assemble and by asking the compiler. Nothing but indexes is
// downloaded.
func (s *Supplier) Lock(ctx context.Context, st *store.Store, r Request, rep progress.Reporter) (lock.Toolchain, error) {
	u, suites, err := s.index(ctx, st, rep)
	if err != nil {
		return lock.Toolchain{}, err
	}
	c, err := choose(u.offers(), r)
	if err != nil {
		return lock.Toolchain{}, err
	}
	chosen, err := u.toolchain(c, r.Components)
	if err != nil {
		return lock.Toolchain{}, err
	}
	tc := lock.Toolchain{Host: s.host, Channel: r.Channel, Prune: PruneVersion}
	if tc.Channel == "" {
		tc.Channel = "stable"
	}
	used := map[*suite]bool{}
	for _, p := range chosen.packages() {
		used[p.from] = true
		tc.Packages = append(tc.Packages, lock.Package{Name: p.Name, Version: p.Version, Arch: p.Arch, Digest: p.Digest, Path: p.Path})
	}
	var names []string
	for _, su := range suites {
		if !used[su] {
			continue
		}
		names = append(names, su.src.Suite)
		date := su.rel.date.Format(time.RFC3339)
		tc.Index = append(tc.Index, lock.Evidence{File: su.src.Suite + " InRelease", Digest: su.rel.raw, Signer: su.rel.signer, Date: date, Verified: true})
		for _, ix := range su.indexes {
			tc.Index = append(tc.Index, lock.Evidence{File: fmt.Sprintf("%s %s", su.src.Suite, ix.path), Digest: ix.digest, Date: date, Verified: true})
		}
	}
	tc.Supplier = supplierName(names)
	return tc, nil
}
