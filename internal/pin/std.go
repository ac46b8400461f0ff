package pin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"espalier.dev/espalier/internal/cargo"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/store"
	"espalier.dev/espalier/internal/supply/debian"
)

// stdRoots are the packages from which cargo reaches all that a library needs.
var stdRoots = []string{"std", "core", "alloc", "test", "sysroot", "proc_macro"}

// stdCrates reads the standard library's lock out of the toolchain. Before
// rustc 1.82 the library was a part of the compiler's workspace: its crates are
// those that the library's packages reach in that lock, of some 600.
func (s *Session) stdCrates(ctx context.Context, f *lock.File, root debian.Rootfs) (*cargo.Lock, error) {
	e, err := s.Store.Lookup(ctx, root.Digest, root.StdLockPath)
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
	if root.StdLockOwn() {
		return cargo.ParseLock("library/Cargo.lock", text)
	}
	l, err := cargo.ParseLock("Cargo.lock of the library's sources", text)
	if err != nil {
		return nil, err
	}
	l.Packages = l.Reachable(stdRoots...)
	return l, nil
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
