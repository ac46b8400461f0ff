package debian

import (
	"context"
	"fmt"
	"time"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/progress"
	"espalier.dev/espalier/internal/store"
)

// Lock resolves a request to pins: the closure of the newest matching compiler
// with its evidence. It does not set Rootfs and Rustc, which are only known
// after Assemble and after running the compiler. Only indexes are downloaded.
func (s *Supplier) Lock(ctx context.Context, st *store.Store, r Request, rep progress.Reporter) (lock.Toolchain, error) {
	u, suites, err := s.index(ctx, st, rep)
	if err != nil {
		return lock.Toolchain{}, err
	}
	c, err := choose(u.offers(), r)
	if err != nil {
		return lock.Toolchain{}, &NotOfferedError{err}
	}
	for _, name := range r.Components {
		if _, ok := c.componentPackages(name); !ok {
			return lock.Toolchain{}, &NotOfferedError{noComponent(name)}
		}
	}
	chosen, err := u.toolchain(c, r.Components)
	if err != nil {
		return lock.Toolchain{}, err
	}
	tc := s.pins(chosen, suites)
	if tc.Channel = r.Channel; tc.Channel == "" {
		tc.Channel = "stable"
	}
	return tc, nil
}

// LockHost resolves the packages of the host that a compiler of another
// distribution needs to link build scripts and procedural macros: the C library
// with its start files, a compiler driver and a linker. Only indexes are
// downloaded.
func (s *Supplier) LockHost(ctx context.Context, st *store.Store, rep progress.Reporter) (lock.Toolchain, error) {
	u, suites, err := s.index(ctx, st, rep)
	if err != nil {
		return lock.Toolchain{}, err
	}
	chosen, err := u.resolve([]want{{Name: "gcc"}, {Name: "libc6-dev"}})
	if err != nil {
		return lock.Toolchain{}, fault.Wrap(fault.Pins, err, "the C compiler driver of the host",
			"the package sources do not fit together: all suites of one release are needed",
			"compare with: apt-get --simulate install gcc libc6-dev")
	}
	return s.pins(chosen, suites), nil
}

// pins returns a closure as pins, with their evidence.
func (s *Supplier) pins(chosen *closure, suites []*suite) lock.Toolchain {
	tc := lock.Toolchain{Host: s.host, Prune: PruneVersion}
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
	return tc
}
