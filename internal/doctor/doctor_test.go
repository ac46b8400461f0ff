package doctor

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/layout"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/sandbox"
	"espalier.dev/espalier/internal/store"
	"espalier.dev/espalier/internal/supply/debian"
)

// The sandbox runs the test program again.
func TestMain(m *testing.M) {
	sandbox.Init()
	os.Exit(m.Run())
}

func subject(t *testing.T) Subject {
	t.Helper()
	dir, cache := t.TempDir(), t.TempDir()
	o := project.Options{CacheDir: cache}
	return Subject{
		Dir: dir, Options: o,
		Settings:  func() (*project.Project, error) { return project.Settings(dir, o) },
		OpenStore: func(ctx context.Context, c project.Config) (*store.Store, error) { return store.Open(ctx, c.Store.V) },
	}
}

// A store that can be used is described; what keeps it from being opened is the
// finding, not an error of the checks.
func TestStore(t *testing.T) {
	s := subject(t)
	if f := s.checkStore(t.Context()); !f.OK || f.Err != nil || !strings.Contains(f.Text, s.Options.CacheDir) || !strings.Contains(f.Text, " used") {
		t.Errorf("%+v", f)
	}
	broken := errors.New("broken")
	s.OpenStore = func(context.Context, project.Config) (*store.Store, error) { return nil, broken }
	if f := s.checkStore(t.Context()); f.OK || !errors.Is(f.Err, broken) {
		t.Errorf("%+v", f)
	}
	s.Settings = func() (*project.Project, error) { return nil, broken }
	if f := s.checkStore(t.Context()); f.OK || !errors.Is(f.Err, broken) {
		t.Errorf("%+v", f)
	}
}

// A project without a lock is a finding with the command that makes one; a
// cancelled check is an error.
func TestCheck(t *testing.T) {
	s := subject(t)
	for name, text := range map[string]string{"Cargo.toml": "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2021\"\n", "src/main.rs": ""} {
		name = filepath.Join(s.Dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	f := s.checkProject(t.Context())
	if f.OK || f.Err == nil || !strings.Contains(f.Err.Error()+strings.Join(f.Hints, " "), "espalier lock") {
		t.Errorf("%+v", f)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Check(ctx, s); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled check: %v", err)
	}
}

const cargoLock = "version = 4\n\n[[package]]\nname = \"app\"\nversion = \"0.1.0\"\n"

// locked makes the subject's directory a project without dependencies and with a
// lock that fits, and returns the lock.
func locked(t *testing.T, s Subject) *lock.File {
	t.Helper()
	for name, text := range map[string]string{
		"Cargo.toml": "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2021\"\n", "src/main.rs": "", "Cargo.lock": cargoLock,
	} {
		name = filepath.Join(s.Dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	sized := func(name string, n int) store.Digest {
		return store.Digest{Hash: store.DigestOf([]byte(name)).Hash, Size: int64(n)}
	}
	f := &lock.File{
		Version: lock.Version, Tool: "test",
		Project: lock.Project{SourceDateEpoch: 1_700_000_000, Layout: layout.Version, CargoLock: store.DigestOf([]byte(cargoLock))},
		Toolchains: []lock.Toolchain{{
			Host: lock.Host(), Supplier: "debian:trixie", Channel: "stable", Rustc: "1.97.0", Prune: lock.DebianPrune, Rootfs: sized("rootfs", 1),
			Packages: []lock.Package{{Name: "rustc", Version: "1.97.0", Arch: "amd64", Digest: sized("rustc", 3<<20), Path: "pool/r.deb"}},
		}},
		Std: lock.Std{Lock: sized("std", 1)},
	}
	for _, name := range lock.RequiredBlobs() {
		f.Blobs = append(f.Blobs, lock.Blob{Name: name, Digest: store.DigestOf([]byte(name)), From: "espflash 4.7.0: " + name, Crate: sized("espflash", -1)})
	}
	p, err := project.Open(s.Dir, s.Options)
	if err != nil {
		t.Fatal(err)
	}
	if err := lock.Write(lock.Path(p), f); err != nil {
		t.Fatal(err)
	}
	return f
}

// What the lock names and the store lacks is said by kind and size; it is no
// failure, since other verbs fetch it. A stale lock is one.
func TestLockedProject(t *testing.T) {
	s := subject(t)
	f := locked(t, s)
	got := s.checkProject(t.Context())
	if !got.OK || !strings.HasPrefix(got.Text, "app, espalier.lock is up to date; not in the store: ") || !strings.HasSuffix(got.Text, ": espalier fetch") ||
		!strings.Contains(got.Text, "(3.0 MiB)") {
		t.Errorf("nothing is in the store: %+v", got)
	}

	st, err := store.Open(t.Context(), filepath.Join(s.Options.CacheDir, "espalier"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range lock.RequiredBlobs() {
		if _, err := st.PutBytes(t.Context(), []byte(name)); err != nil {
			t.Fatal(err)
		}
	}
	st.Close()
	less := s.checkProject(t.Context())
	if !less.OK || less.Text == got.Text || !strings.Contains(less.Text, "package") {
		t.Errorf("the blobs are in the store: %q, before %q", less.Text, got.Text)
	}

	f.Project.CargoLock = store.DigestOf([]byte("another"))
	if err := lock.Write(filepath.Join(s.Dir, lock.FileName), f); err != nil {
		t.Fatal(err)
	}
	if stale := s.checkProject(t.Context()); stale.OK || fault.KindOf(stale.Err) != fault.Pins {
		t.Errorf("a stale lock: %+v", stale)
	}
	if err := os.WriteFile(filepath.Join(s.Dir, "Cargo.toml"), []byte("[package\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if broken := s.checkProject(t.Context()); broken.OK || broken.Err == nil || !strings.Contains(broken.Err.Error(), "Cargo.toml:1") {
		t.Errorf("a broken manifest: %+v", broken)
	}
	s.Dir = t.TempDir()
	if none := s.checkProject(t.Context()); !none.OK || none.Text != "none here" {
		t.Errorf("outside of a project: %+v", none)
	}
}

// The space that a project still needs: what is missing, unpacked, and a first
// build.
func TestSpace(t *testing.T) {
	s := subject(t)
	st, err := store.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	if n := s.space(t.Context(), st); n != 0 {
		t.Errorf("without a project: %d", n)
	}
	locked(t, s)
	n := s.space(t.Context(), st)
	if blobs := int64(len("bootloader") + len("rom-rev300")); n != (3<<20+blobs)*(1+unpacked)+firstBuild {
		t.Errorf("nothing is in the store: %d", n)
	}
}

// A store over its limit works; the finding says what happens and the command.
func TestStoreOverLimit(t *testing.T) {
	s := subject(t)
	s.Options.UserFile = filepath.Join(t.TempDir(), "config.toml")
	if err := os.WriteFile(s.Options.UserFile, []byte("[store]\nlimit = \"1 MB\"\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	s.Settings = func() (*project.Project, error) { return project.Settings(s.Dir, s.Options) }
	if f := s.checkStore(t.Context()); !f.OK || f.Hints != nil || !strings.Contains(f.Text, " of at most ") {
		t.Errorf("an empty store: %+v", f)
	}
	st, err := store.Open(t.Context(), filepath.Join(s.Options.CacheDir, "espalier"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.PutBytes(t.Context(), make([]byte, 3<<20)); err != nil {
		t.Fatal(err)
	}
	st.Close()
	if f := s.checkStore(t.Context()); !f.OK || len(f.Hints) != 2 || !strings.HasPrefix(f.Hints[0], "espalier gc") {
		t.Errorf("over its limit: %+v", f)
	}
}

// The supplier is the one that locking would take; a broken configuration is the
// finding, with its place.
func TestSupplier(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("firmware is built on Linux")
	}
	s := subject(t)
	s.Options.UserFile = filepath.Join(t.TempDir(), "config.toml")
	s.Settings = func() (*project.Project, error) { return project.Settings(s.Dir, s.Options) }
	write := func(text string) {
		if err := os.WriteFile(s.Options.UserFile, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	write("[[supply.source]]\nuri = \"https://deb.example.invalid/debian\"\nsuites = [\"trixie\"]\ncomponents = [\"main\"]\n")
	want, err := debian.Discover("/", debian.Config{
		Host: runtime.GOOS + "/" + runtime.GOARCH, Sources: []string{"deb https://deb.example.invalid/debian trixie main"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if f := s.checkSupplier(t.Context()); !f.OK || f.Text != "from "+want.String() {
		t.Errorf("%+v, want %s", f, want)
	}
	write("[[supply.source]]\nsuites = [\"trixie\"]\n")
	if f := s.checkSupplier(t.Context()); f.OK || f.Err == nil || !strings.Contains(f.Err.Error(), "config.toml:1") {
		t.Errorf("%+v", f)
	}
}

// The finding about the sandbox is that of its own probe.
func TestSandbox(t *testing.T) {
	p, f := sandbox.Probe(t.Context()), subject(t).checkSandbox(t.Context())
	if f.OK != p.OK || f.OK != (f.Err == nil) {
		t.Fatalf("%+v, the probe %+v", f, p)
	}
	for _, c := range p.Checks {
		if (p.OK || !c.OK) && !strings.Contains(f.Text, c.Name) {
			t.Errorf("%q does not name %s", f.Text, c.Name)
		}
	}
}
