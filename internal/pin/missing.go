package pin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"espalier.dev/espalier/internal/atomicfile"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/store"
)

// Absent is what a lock names for one host and the store does not have.
type Absent struct {
	Files int   // packages, crates, git commits and blobs
	Bytes int64 // as far as the lock knows their sizes

	Packages, Crates, Commits, Blobs int // of Files
	Unsized                          int // of Files: of unknown size
}

// Kinds lists the numbers that are not zero: "90 packages, 218 crates".
func (a Absent) Kinds() string {
	var out []string
	for _, k := range []struct {
		n         int
		one, many string
	}{{a.Packages, "package", "packages"}, {a.Crates, "crate", "crates"}, {a.Commits, "git commit", "git commits"}, {a.Blobs, "file of the chip", "files of the chip"}} {
		switch {
		case k.n == 1:
			out = append(out, "1 "+k.one)
		case k.n > 1:
			out = append(out, fmt.Sprintf("%d %s", k.n, k.many))
		}
	}
	return strings.Join(out, ", ")
}

// Missing returns what f names for host and the store does not have. It looks
// files up and hashes none. A toolchain whose tree is in the store needs no
// packages.
func Missing(ctx context.Context, st *store.Store, f *lock.File, host string) Absent {
	var a Absent
	blob := func(d store.Digest, kind *int) {
		if !st.Has(d) {
			a.Files++
			*kind++
			if d.Size < 0 {
				a.Unsized++
			}
			a.Bytes += max(d.Size, 0)
		}
	}
	tree := func(d store.Digest) bool { return st.HasContent(ctx, d) == nil }
	if tc, ok := f.Toolchain(host); ok && (tc.Rootfs.IsZero() || !tree(tc.Rootfs)) {
		for _, p := range tc.Packages {
			blob(p.Digest, &a.Packages)
		}
		if a.Files == 0 { // all packages are there: the tree is made of them
			a.Files++
		}
	}
	for _, c := range f.Crates {
		blob(c.Digest, &a.Crates)
	}
	for _, g := range f.Git {
		if !tree(g.Tree) {
			a.Files++
			a.Commits++
			a.Unsized++
		}
	}
	for _, b := range f.Blobs {
		blob(b.Digest, &a.Blobs)
	}
	return a
}

// Policy says what Pins may do.
type Policy struct {
	Lock   bool // make a lock that is missing or stale
	Locked bool // with Lock: the lock must exist and fit; CI
}

// Pins returns the pins of a project with everything that they name in the
// store. What the store lacks is fetched unless the session is offline. When
// the policy allows it, a lock that is missing, or that no longer matches the
// project, is made; write then receives it, before anything else happens.
func (s *Session) Pins(ctx context.Context, p *project.Project, policy Policy, write func(old *lock.File, made Locked) error) (*lock.File, error) {
	old, err := lock.Read(lock.Path(p))
	missing := errors.Is(err, fs.ErrNotExist)
	if err != nil && !missing {
		return nil, err
	}
	var stale error
	if !missing {
		stale = lock.Fault(lock.Check(p, old))
	}
	switch {
	case missing && (!policy.Lock || policy.Locked):
		return nil, err
	case stale != nil && (!policy.Lock || policy.Locked):
		return nil, stale
	case missing || stale != nil:
		if err := all(p.CheckEnv(), p.CheckEnvValues()); err != nil {
			return nil, err // known now, not after the download
		}
		made, err := s.Lock(ctx, p, Request{Old: old})
		if err != nil {
			return nil, err
		}
		return made.File, write(old, made)
	}
	if s.Offline || Missing(ctx, s.Store, old, s.Host) == (Absent{}) {
		return old, nil
	}
	if err := s.Fetch(ctx, p, old); err != nil {
		return nil, err
	}
	return old, nil
}

// Write writes what Lock made: Cargo.lock, when it was made or changed, and
// espalier.lock beside it. Each is replaced in one step.
func (made Locked) Write(p *project.Project) error {
	if made.CargoLock != nil {
		path := filepath.Join(p.Workspace, "Cargo.lock")
		if err := atomicfile.Write(path, made.CargoLock, 0o644); err != nil {
			return fault.Wrap(fault.Usage, err, "writing Cargo.lock")
		}
	}
	return lock.Write(lock.Path(p), made.File)
}
