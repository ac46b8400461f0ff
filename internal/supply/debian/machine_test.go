package debian_test

import (
	"context"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/internal/progress"
	"espalier.dev/espalier/internal/store"
	"espalier.dev/espalier/internal/supply/debian"
)

// needArchive skips unless this machine has apt sources and a network.
func needArchive(t *testing.T) *debian.Supplier {
	t.Helper()
	devtest.Long(t, "asks a Debian archive")
	if runtime.GOOS != "linux" {
		devtest.Missing(t, "a Debian machine")
	}
	devtest.Tool(t, "apt-get")
	sup, err := debian.Discover("/", debian.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return sup
}

func openStore(t *testing.T, dir string) *store.Store {
	t.Helper()
	st, err := store.Open(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return st
}

// The same closure as apt's own resolver, for the same index.
func TestClosureEqualsApt(t *testing.T) {
	sup := needArchive(t)
	st := openStore(t, devtest.Store(t))
	ctx := context.Background()
	tc, err := sup.Lock(ctx, st, debian.Request{}, progress.Discard)
	if err != nil {
		devtest.Missing(t, "an archive that answers: "+err.Error())
	}
	var names, ours []string
	for _, p := range tc.Packages {
		ours = append(ours, filepath.Base(p.Path))
		if slices.Contains([]string{"gcc", "libc6-dev", "rustc", "cargo", "rust-src", "rustc-web", "cargo-web", "rust-web-src"}, p.Name) || strings.HasPrefix(p.Name, "lld") {
			names = append(names, p.Name)
		}
	}
	t.Logf("%s: %d packages; asked for %v", tc.Supplier, len(tc.Packages), names)
	theirs := aptClosure(t, names)
	slices.Sort(ours)
	slices.Sort(theirs)
	if !slices.Equal(ours, theirs) {
		for _, n := range ours {
			if !slices.Contains(theirs, n) {
				t.Errorf("only we take %s", n)
			}
		}
		for _, n := range theirs {
			if !slices.Contains(ours, n) {
				t.Errorf("only apt takes %s", n)
			}
		}
	}
}

// aptClosure asks apt for what it would install on a machine without
// packages: the file names at the ends of the pool paths. Its own index must
// be as new as ours, so the test refreshes a private one.
func aptClosure(t *testing.T, names []string) []string {
	t.Helper()
	apt := devtest.Tool(t, "apt-get")
	dir := t.TempDir()
	for _, d := range []string{"lists/partial", "cache/archives/partial"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	common := []string{"-o", "Dir::State::status=/dev/null", "-o", "Dir::State::lists=" + dir + "/lists", "-o", "Dir::Cache=" + dir + "/cache", "-o", "APT::Sandbox::User=root", "-o", "Debug::NoLocking=1"}
	if out, err := exec.Command(apt, append(common, "update")...).CombinedOutput(); err != nil {
		t.Fatalf("apt-get update: %v\n%s", err, out)
	}
	args := append(common, "--print-uris", "-y", "--no-install-recommends", "install")
	out, err := exec.Command(apt, append(args, names...)...).Output()
	if err != nil {
		t.Fatalf("apt-get: %v\n%s", err, out)
	}
	var files []string
	for _, line := range strings.Split(string(out), "\n") {
		if uri, ok := strings.CutPrefix(line, "'"); ok {
			uri, _, _ = strings.Cut(uri, "'")
			name, err := url.PathUnescape(filepath.Base(uri))
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, name)
		}
	}
	return files
}

// A whole toolchain from this machine's sources.
func TestAssembleFromMachine(t *testing.T) {
	sup := needArchive(t)
	st := openStore(t, devtest.Store(t))
	ctx := context.Background()
	tc, err := sup.Lock(ctx, st, debian.Request{}, progress.Discard)
	if err != nil {
		devtest.Missing(t, "an archive that answers: "+err.Error())
	}
	got, err := sup.Assemble(ctx, st, tc, progress.Discard)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", got)
	var files, bytes int64
	err = st.Walk(ctx, got.Digest, func(e store.Entry) error {
		if e.Type == store.TypeFile {
			files++
			bytes += e.Digest.Size
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d files, %d MB", files, bytes/1e6)
	for _, name := range []string{"usr/bin/rustc", "usr/bin/cargo", "usr/bin/rust-lld", "usr/bin/cc", strings.TrimPrefix(got.StdSource, "/") + "/core/src/lib.rs"} {
		if _, err := st.Lookup(ctx, got.Digest, name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got.StdLock.IsZero() {
		t.Error("no Cargo.lock of the standard library")
	}
	// Known now: nothing to do, and the digest is the same when done again.
	tc.Rootfs = got.Digest
	if again, err := sup.Assemble(ctx, st, tc, progress.Discard); err != nil || again != got {
		t.Errorf("with a known tree: %+v, %v", again, err)
	}
}
