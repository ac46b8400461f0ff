package debian

import (
	"archive/tar"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/progress"
	"espalier.dev/espalier/internal/store"
)

// A blob that was damaged earlier is fetched again without an error.
func TestDamagedBlobIsFetchedAgain(t *testing.T) {
	m := newMirror(t)
	m.publish("testing-suite", rustPackages("1.96.0-1")...)
	ctx, st := context.Background(), testStore(t)
	s := m.discover(Config{})
	tc, err := s.Lock(ctx, st, Request{}, progress.Discard)
	if err != nil {
		t.Fatal(err)
	}
	first, err := s.Assemble(ctx, st, tc, progress.Discard)
	if err != nil {
		t.Fatal(err)
	}
	path, err := st.TreePath(ctx, first.Digest)
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	// The tree is deleted and one package has a flipped byte.
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
	blob := filepath.Join(st.Dir(), "blobs", "sha256", tc.Packages[0].Digest.Hash)
	b, err := os.ReadFile(blob)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.Chmod(blob, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(blob, b, 0o644); err != nil {
		t.Fatal(err)
	}
	again, err := store.Open(ctx, st.Dir())
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	m.asked = nil
	tc.Rootfs = first.Digest
	if got, err := s.Assemble(ctx, again, tc, progress.Discard); err != nil || got != first {
		t.Errorf("%+v, %v", got, err)
	}
	if !slices.ContainsFunc(m.asked, func(p string) bool { return strings.HasSuffix(p, tc.Packages[0].Path) }) {
		t.Errorf("asked for %v", m.asked)
	}
}

// A new lock of the same packages does not unpack them again.
func TestSamePackagesAreUnpackedOnce(t *testing.T) {
	m := newMirror(t)
	m.publish("testing-suite", rustPackages("1.96.0-1")...)
	ctx, st := context.Background(), testStore(t)
	s := m.discover(Config{})
	tc, err := s.Lock(ctx, st, Request{}, progress.Discard)
	if err != nil {
		t.Fatal(err)
	}
	first, err := s.Assemble(ctx, st, tc, progress.Discard)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range tc.Packages { // without the blobs unpacking would fail
		if err := os.Remove(filepath.Join(st.Dir(), "blobs", "sha256", p.Digest.Hash)); err != nil {
			t.Fatal(err)
		}
	}
	clear(m.files)
	slices.Reverse(tc.Packages)
	if got, err := s.Assemble(ctx, st, tc, progress.Discard); err != nil || got != first {
		t.Errorf("%+v, %v", got, err)
	}
}

// In suites with several compilers, each has a separate directory.
func TestVersionedFamily(t *testing.T) {
	const v = "1.97.1+dfsg0-0ubuntu1"
	file := func(name, extra string, paths ...string) testPkg {
		p := testPkg{control: control(name, v, extra), content: map[string]string{}, ext: ".zst"}
		for _, f := range paths {
			p.entries = append(p.entries, tar.Header{Name: "./" + f, Mode: 0o755})
			p.content["./"+f] = f
		}
		return p
	}
	src := file("rust-1.97-src", "", "usr/src/rustc-1.97.1/library/Cargo.lock")
	src.entries = append(src.entries, tar.Header{Name: "./usr/lib/rust-1.97/lib/rustlib/src/rust", Typeflag: tar.TypeSymlink, Linkname: "/usr/src/rustc-1.97.1"})
	m := newMirror(t)
	m.publish("testing-suite", file("rustc-1.97", "", "usr/lib/rust-1.97/bin/rustc"), file("cargo-1.97", "", "usr/lib/rust-1.97/bin/cargo"), src,
		file("lld", "", "usr/bin/lld", "usr/bin/ld.lld"))
	ctx, st := context.Background(), testStore(t)
	s := m.discover(Config{})
	tc, err := s.Lock(ctx, st, Request{Channel: "1.97"}, progress.Discard)
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Assemble(ctx, st, tc, progress.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if r.Rustc != "1.97.1" || r.StdSource != "/usr/src/rustc-1.97.1/library" || r.StdLock.IsZero() {
		t.Errorf("%+v", r)
	}
	for name, target := range map[string]string{"usr/bin/rustc": "../lib/rust-1.97/bin/rustc", "usr/bin/cargo": "../lib/rust-1.97/bin/cargo", "usr/bin/rust-lld": "lld"} {
		if e, err := st.Lookup(ctx, r.Digest, name); err != nil || e.Target != target {
			t.Errorf("%s -> %q, %v", name, e.Target, err)
		}
	}
	if _, err := st.Lookup(ctx, r.Digest, "usr/bin/cc"); err == nil {
		t.Error("cc without a gcc")
	}
}
