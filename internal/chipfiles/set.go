package chipfiles

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"espalier.dev/espalier/esp/image"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/store"
)

// ErrNotPinned is the cause when a lock has no pin of the wanted file.
var ErrNotPinned = errors.New("not pinned")

// largest bounds each file; the mask ROM has 0.55 MB.
const largest = 16 << 20

// Set is where the chip's files are pinned: one lock, or this version of
// espalier. It is a value.
type Set struct {
	path string // of the lock; "" for espalier's own pins
	pins []lock.Blob
}

// Own returns the pins of this version of espalier.
func Own() Set { return Set{pins: Pins()} }

// OfLock returns the pins of a lock. path is for messages.
func OfLock(f *lock.File, path string) Set { return Set{path: path, pins: f.Blobs} }

// Nearest returns the pins of the espalier.lock in dir or the nearest directory
// above it, or Own when there is none. Errors are those of lock.Read.
func Nearest(dir string) (Set, error) {
	path, err := NearestLock(dir)
	if err != nil || path == "" {
		return Own(), err
	}
	f, err := lock.Read(path)
	if err != nil {
		return Set{}, err
	}
	return OfLock(f, path), nil
}

// NearestLock returns the path of the espalier.lock in dir or the nearest directory
// above it, "" when there is none.
func NearestLock(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fault.Wrap(fault.Usage, err, "finding "+lock.FileName)
	}
	for {
		path := filepath.Join(dir, lock.FileName)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
		if filepath.Dir(dir) == dir {
			return "", nil
		}
		dir = filepath.Dir(dir)
	}
}

// Lock returns the path of the lock that the pins come from, "" for Own.
func (s Set) Lock() string { return s.path }

// EmulatedRevision is the revision of the emulated chip: v0.4, as major*100 +
// minor.
const EmulatedRevision = 4

// Revisions is one chip revision for each mask ROM.
var Revisions = [...]uint16{EmulatedRevision, 101, 0}

// ROM reads the mask ROM, an ELF, of a chip revision (major*100 + minor). There
// are three: before v0.3, v0.3 to v1.0, and from v1.1 on. Errors: ErrNotPinned
// and those of Store.ReadBlob, all of kind fault.Pins.
func (s Set) ROM(ctx context.Context, st *store.Store, revision uint16) ([]byte, error) {
	names := []string{"rom-rev0"}
	switch {
	case revision >= 101:
		names = []string{ROMRev101Name}
	case revision >= 3:
		names = []string{ROMName, "rom-rev3"}
	}
	return s.read(ctx, st, fmt.Sprintf("mask ROM of revision v%d.%d", revision/100, revision%100), func(b lock.Blob) bool {
		return slices.Contains(names, b.Name)
	})
}

// Bootloader reads the second-stage bootloader for a flash mode. Errors as for
// ROM.
func (s Set) Bootloader(ctx context.Context, st *store.Store, mode image.Mode) ([]byte, error) {
	want := BootloaderName
	if mode == image.QIO {
		want = BootloaderQIOName
	}
	if !slices.ContainsFunc(s.pins, func(b lock.Blob) bool { return b.Name == want }) {
		want = BootloaderName // it reads in dual mode, which every flash chip can
	}
	return s.read(ctx, st, "second-stage bootloader", func(b lock.Blob) bool { return b.Name == want })
}

// Stub reads the flasher stub, which flashing works without. Errors as for ROM.
func (s Set) Stub(ctx context.Context, st *store.Store) ([]byte, error) {
	return s.read(ctx, st, "flasher stub", func(b lock.Blob) bool { return b.Name == StubName })
}

func (s Set) read(ctx context.Context, st *store.Store, what string, is func(lock.Blob) bool) ([]byte, error) {
	i := slices.IndexFunc(s.pins, is)
	if i < 0 {
		return nil, fault.Wrap(fault.Pins, ErrNotPinned, strings.TrimPrefix(s.path+": ", ": ")+what, "espalier lock")
	}
	b, err := st.ReadBlob(ctx, s.pins[i].Digest, largest)
	if s.path == "" && errors.Is(err, store.ErrMissing) {
		return nil, fault.Wrap(fault.Pins, store.ErrMissing, what+", which no "+lock.FileName+" here or above pins",
			"with Rust's cargo installed and a network espalier brings it by itself",
			"espalier demo                    # brings it on Linux, for every later command anywhere",
			"espalier emulate FILE --rom esp32c3_rev300_rom.elf --bootloader esp32c3-bootloader.bin")
	}
	if err != nil {
		return nil, fault.Wrap(fault.KindOf(err), err, what, fault.Hints(err)...)
	}
	return b, nil
}
