package chipfiles

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"espalier.dev/espalier/esp/image"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/store"
)

// Paths names files that replace pinned ones; "" is the pinned file.
type Paths struct {
	ROM        string
	Bootloader string
	Stub       string
}

// WithEnvironment fills what p leaves open from ESPALIER_ROM,
// ESPALIER_BOOTLOADER and ESPALIER_STUB.
func (p Paths) WithEnvironment(lookup func(string) (string, bool)) Paths {
	for _, v := range []struct {
		to   *string
		name string
	}{{&p.ROM, "ESPALIER_ROM"}, {&p.Bootloader, "ESPALIER_BOOTLOADER"}, {&p.Stub, "ESPALIER_STUB"}} {
		if *v.to == "" {
			*v.to, _ = lookup(v.name)
		}
	}
	return p
}

// Finder reads the chip's files: a named file, else what the nearest lock pins,
// else what this version of espalier pins. Neither lock nor store is opened for a
// file that is named.
type Finder struct {
	Paths Paths
	Dir   string // the nearest lock is here or above; "" is the working directory
	// OpenStore opens the store; the Finder closes it after each file.
	OpenStore func(context.Context) (*store.Store, error)
	// Bring stores the files of a set of pins that the store lacks; nil is offline.
	Bring func(context.Context, *store.Store, []lock.Blob) error
	// ReadFile reads a file of Paths; nil is ReadFile of this package.
	ReadFile func(ctx context.Context, name string) ([]byte, error)
}

// ROM is Set.ROM, or the file Paths.ROM for every revision.
func (f Finder) ROM(ctx context.Context, revision uint16) ([]byte, error) {
	return f.find(ctx, f.Paths.ROM, func(s Set, st *store.Store) ([]byte, error) { return s.ROM(ctx, st, revision) })
}

// ROMs returns the mask ROMs of all revisions that are at hand, that of revision
// first; or the file Paths.ROM alone. It fails when there is none, and brings none.
func (f Finder) ROMs(ctx context.Context, revision uint16) (all [][]byte, err error) {
	f.Bring = nil
	first, err := f.ROM(ctx, revision)
	if err == nil {
		all = append(all, first)
	}
	if f.Paths.ROM != "" {
		return all, err
	}
	for _, r := range Revisions {
		rom, other := f.ROM(ctx, r)
		if other == nil && !slices.ContainsFunc(all, func(b []byte) bool { return bytes.Equal(b, rom) }) {
			all = append(all, rom)
		}
	}
	if len(all) > 0 {
		return all, nil
	}
	return nil, err
}

// Bootloader is Set.Bootloader, or the file Paths.Bootloader for every mode.
func (f Finder) Bootloader(ctx context.Context, mode image.Mode) ([]byte, error) {
	return f.find(ctx, f.Paths.Bootloader, func(s Set, st *store.Store) ([]byte, error) { return s.Bootloader(ctx, st, mode) })
}

// Stub is Set.Stub, or the file Paths.Stub.
func (f Finder) Stub(ctx context.Context) ([]byte, error) {
	return f.find(ctx, f.Paths.Stub, func(s Set, st *store.Store) ([]byte, error) { return s.Stub(ctx, st) })
}

func (f Finder) find(ctx context.Context, named string, pinned func(Set, *store.Store) ([]byte, error)) ([]byte, error) {
	if named != "" {
		if f.ReadFile != nil {
			return f.ReadFile(ctx, named)
		}
		return ReadFile(ctx, named)
	}
	dir := f.Dir
	if dir == "" {
		dir = "."
	}
	set, err := Nearest(dir)
	if err != nil {
		return nil, err
	}
	st, err := f.OpenStore(ctx)
	if err != nil {
		return nil, err
	}
	defer st.Close()
	b, err := pinned(set, st)
	if f.Bring == nil || !errors.Is(err, store.ErrMissing) {
		return b, err
	}
	if cause := f.Bring(ctx, st, set.pins); cause != nil {
		if ctx.Err() != nil {
			return nil, cause
		}
		return nil, fault.Wrap(fault.KindOf(err), fmt.Errorf("%w, and %v", err, cause), "", append(fault.Hints(cause), fault.Hints(err)...)...)
	}
	return pinned(set, st)
}

// ReadFile reads one of the chip's files from a path.
func ReadFile(_ context.Context, name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fault.Wrap(fault.Usage, err, "")
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, largest+1))
	if err == nil && len(b) > largest {
		return nil, fault.New(fault.Usage, "reading "+name+": too large for a file of the ESP32-C3")
	}
	return b, fault.Wrap(fault.Usage, err, "")
}
