package chipfiles

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"espalier.dev/espalier/esp/image"
	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/store"
)

func openStore(t *testing.T, dir string) *store.Store {
	t.Helper()
	st, err := store.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return st
}

// pinned puts contents into a store under the names of pins.
func pinned(t *testing.T, st *store.Store, contents map[string]string) *lock.File {
	t.Helper()
	f := &lock.File{}
	for name, content := range contents {
		d, err := st.PutBytes(t.Context(), []byte(content))
		if err != nil {
			t.Fatal(err)
		}
		f.Blobs = append(f.Blobs, lock.Blob{Name: name, Digest: d})
	}
	slices.SortFunc(f.Blobs, func(a, b lock.Blob) int { return strings.Compare(a.Name, b.Name) })
	return f
}

func TestSet(t *testing.T) {
	st := openStore(t, t.TempDir())
	all := map[string]string{ROMName: "rom 3", ROMRev101Name: "rom 101", BootloaderName: "dio", BootloaderQIOName: "qio", StubName: "stub"}
	old := map[string]string{"rom-rev3": "rom 3", BootloaderName: "dio"}
	rom := func(revision uint16) func(Set) ([]byte, error) {
		return func(s Set) ([]byte, error) { return s.ROM(t.Context(), st, revision) }
	}
	boot := func(m image.Mode) func(Set) ([]byte, error) {
		return func(s Set) ([]byte, error) { return s.Bootloader(t.Context(), st, m) }
	}
	stub := func(s Set) ([]byte, error) { return s.Stub(t.Context(), st) }
	for _, tt := range []struct {
		name string
		pins map[string]string
		get  func(Set) ([]byte, error)
		want string // "": ErrNotPinned
	}{
		{"emulated chip", all, rom(EmulatedRevision), "rom 3"},
		{"v0.3", all, rom(3), "rom 3"},
		{"v1.0", all, rom(100), "rom 3"},
		{"v1.1", all, rom(101), "rom 101"},
		{"v0.2", all, rom(2), ""},
		{"older name", old, rom(4), "rom 3"},
		{"v1.1 without its ROM", old, rom(101), ""},
		{"kept mode", all, boot(image.ModeKeep), "dio"},
		{"dio", all, boot(image.DIO), "dio"},
		{"qio", all, boot(image.QIO), "qio"},
		{"qout", all, boot(image.QOUT), "dio"},
		{"qio, not pinned", old, boot(image.QIO), "dio"},
		{"no bootloader", nil, boot(image.DIO), ""},
		{"stub", all, stub, "stub"},
		{"no stub", old, stub, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b, err := tt.get(OfLock(pinned(t, st, tt.pins), "espalier.lock"))
			if string(b) != tt.want || tt.want != "" && err != nil {
				t.Errorf("got %q, %v; want %q", b, err, tt.want)
			}
			if tt.want == "" && (!errors.Is(err, ErrNotPinned) || fault.KindOf(err) != fault.Pins) {
				t.Errorf("error %v, want one of kind Pins about %v", err, ErrNotPinned)
			}
		})
	}
}

// A damaged blob is an error and never used.
func TestDamaged(t *testing.T) {
	dir := t.TempDir()
	st := openStore(t, dir)
	f := pinned(t, st, map[string]string{BootloaderName: "the bootloader"})
	path := filepath.Join(dir, "blobs", "sha256", f.Blobs[0].Digest.Hash)
	if err := errors.Join(os.Chmod(path, 0o644), os.WriteFile(path, []byte("The bootloader"), 0o644)); err != nil {
		t.Fatal(err)
	}
	b, err := OfLock(f, "").Bootloader(t.Context(), st, image.DIO)
	if b != nil || !errors.Is(err, store.ErrCorrupt) || fault.KindOf(err) != fault.Pins {
		t.Errorf("got %q, %v", b, err)
	}
}

func TestFinder(t *testing.T) {
	dir := t.TempDir()
	st := openStore(t, filepath.Join(dir, "store"))
	f := pinned(t, st, map[string]string{ROMName: "pinned rom"})
	f.Version, f.Tool = lock.Version, "test"
	f.Project.Layout = 1
	f.Project.CargoLock = f.Blobs[0].Digest
	f.Blobs[0].From, f.Blobs[0].Crate = "espflash 4.7.0: rom.elf", f.Blobs[0].Digest
	project := filepath.Join(dir, "project")
	below := filepath.Join(project, "src")
	if err := os.MkdirAll(below, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := lock.Write(filepath.Join(project, lock.FileName), f); err != nil {
		t.Fatal(err)
	}
	named := filepath.Join(dir, "rom.elf")
	if err := os.WriteFile(named, []byte("named rom"), 0o644); err != nil {
		t.Fatal(err)
	}
	opened := 0
	find := func(dir, rom string) ([]byte, error) {
		return Finder{Paths: Paths{ROM: rom}, Dir: dir, OpenStore: func(ctx context.Context) (*store.Store, error) {
			opened++
			return store.Open(ctx, filepath.Join(filepath.Dir(project), "store"))
		}}.ROM(t.Context(), EmulatedRevision)
	}
	if b, err := find(below, ""); string(b) != "pinned rom" {
		t.Errorf("of the lock above: %q, %v", b, err)
	}
	if b, err := find(below, named); string(b) != "named rom" || opened != 1 {
		t.Errorf("a named file: %q, %v; the store was opened %d times", b, err, opened)
	}
	all := func(dir, rom string, revision uint16) string {
		f := Finder{Paths: Paths{ROM: rom}, Dir: dir, OpenStore: func(ctx context.Context) (*store.Store, error) {
			return store.Open(ctx, filepath.Join(filepath.Dir(project), "store"))
		}}
		list, err := f.ROMs(t.Context(), revision)
		return fmt.Sprintf("%s %v", list, err != nil)
	}
	for got, want := range map[string]string{
		all(below, "", 4): "[pinned rom] false", all(below, "", 101): "[pinned rom] false", // the lock has no ROM of v1.1
		all(below, named, 101): "[named rom] false", all(dir, "", 4): "[] true",
	} {
		if got != want {
			t.Errorf("all ROMs: %s, want %s", got, want)
		}
	}
	if _, err := find(below, filepath.Join(dir, "missing")); fault.KindOf(err) != fault.Usage {
		t.Errorf("a missing file: %v", err)
	}
	// Without a lock espalier's own pins count, which this store lacks.
	_, err := find(dir, "")
	if !errors.Is(err, store.ErrMissing) || !strings.Contains(err.Error(), "no espalier.lock here or above pins") {
		t.Errorf("no lock: %v", err)
	}
	if h := strings.Join(fault.Hints(err), "\n"); !strings.Contains(h, "espalier demo") || !strings.Contains(h, "--rom") || strings.Contains(h, "fetch") {
		t.Errorf("hints without a lock:\n%s", h)
	}
	if err := os.WriteFile(filepath.Join(project, lock.FileName), []byte("damaged"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := find(below, ""); fault.KindOf(err) != fault.Pins {
		t.Errorf("a damaged lock: %v", err)
	}
}

// What the store lacks is brought, once, for files that a verb cannot do without.
func TestBring(t *testing.T) {
	dir := t.TempDir()
	brought := 0
	var failure error
	f := Finder{
		Dir:       dir,
		OpenStore: func(ctx context.Context) (*store.Store, error) { return store.Open(ctx, filepath.Join(dir, "store")) },
		Bring: func(ctx context.Context, st *store.Store, pins []lock.Blob) error {
			if !slices.EqualFunc(pins, Pins(), func(a, b lock.Blob) bool { return a == b }) {
				t.Errorf("asked for %v", pins)
			}
			brought++
			return failure
		},
	}
	failure = fault.Wrap(fault.Pins, errors.New("no network"), "crate espflash 4.7.0", "the first hint")
	_, err := f.ROM(t.Context(), EmulatedRevision)
	if !errors.Is(err, store.ErrMissing) || !strings.Contains(err.Error(), "not in the store, and crate espflash 4.7.0: no network") || fault.Hints(err)[0] != "the first hint" {
		t.Errorf("brought nothing: %v, hints %q", err, fault.Hints(err))
	}
	if brought != 1 {
		t.Errorf("asked %d times", brought)
	}
	if _, err := f.ROMs(t.Context(), EmulatedRevision); err == nil || brought != 1 {
		t.Errorf("names of the mask ROM are not worth a download: %v, asked %d times", err, brought)
	}
	f.Paths.ROM = filepath.Join(dir, "missing")
	if _, err := f.ROM(t.Context(), EmulatedRevision); err == nil || brought != 1 {
		t.Errorf("a named file: %v, asked %d times", err, brought)
	}
	f.Paths.ROM = ""

	// From a store that has them.
	devtest.Long(t, "needs the files of the chip")
	from := openStore(t, devtest.Store(t))
	f.Bring = func(ctx context.Context, st *store.Store, pins []lock.Blob) error {
		for _, b := range pins {
			text, err := from.ReadBlob(ctx, b.Digest, largest)
			if err == nil {
				_, err = st.PutBytes(ctx, text)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	rom, err := f.ROM(t.Context(), EmulatedRevision)
	if err != nil || image.Identify(rom) != image.ELF {
		t.Errorf("brought: %v, %v", image.Identify(rom), err)
	}
}

func TestEnvironment(t *testing.T) {
	env := map[string]string{"ESPALIER_ROM": "r", "ESPALIER_STUB": "s"}
	got := Paths{ROM: "flag"}.WithEnvironment(func(n string) (string, bool) { v, ok := env[n]; return v, ok })
	if want := (Paths{ROM: "flag", Stub: "s"}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// The pins of this version are what they say: sorted, complete, and, where the
// files are there, of the right kind.
func TestOwnPins(t *testing.T) {
	pins := Pins()
	if !slices.IsSortedFunc(pins, func(a, b lock.Blob) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("the pins are not sorted by name")
	}
	for _, name := range append(lock.RequiredBlobs(), BootloaderQIOName, ROMRev101Name, StubName) {
		if !slices.ContainsFunc(pins, func(b lock.Blob) bool {
			return b.Name == name && b.Digest.Size > 0 && len(b.Digest.Hash) == 64 && !b.Crate.IsZero()
		}) {
			t.Errorf("no pin of %s", name)
		}
	}
	devtest.Long(t, "needs the files of the chip")
	st := openStore(t, devtest.Store(t))
	for _, revision := range []uint16{EmulatedRevision, 101} {
		b, err := Own().ROM(t.Context(), st, revision)
		if errors.Is(err, store.ErrMissing) {
			devtest.Missing(t, "the chip's files in the store (scripts/firmware)")
		}
		if err != nil || image.Identify(b) != image.ELF {
			t.Errorf("mask ROM: %v, %v", image.Identify(b), err)
		}
	}
	for _, mode := range []image.Mode{image.DIO, image.QIO} {
		b, err := Own().Bootloader(t.Context(), st, mode)
		if err != nil {
			t.Fatal(err)
		}
		if img, err := image.Parse(b); err != nil || img.Problems() != nil {
			t.Errorf("bootloader for %v: %v", mode, err)
		}
	}
}
