package debian

import (
	"context"
	"fmt"
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
)

// needArchive skips unless this machine has apt sources and a network.
func needArchive(t *testing.T) *Supplier {
	t.Helper()
	devtest.Long(t, "asks a Debian archive")
	if runtime.GOOS != "linux" {
		devtest.Missing(t, "a Debian machine")
	}
	devtest.Tool(t, "apt-get")
	sup, err := Discover("/", Config{})
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

// The closure is that of apt's own resolver for the same index: for this
// machine's sources, and for other releases on the same mirrors, which use
// other package names.
func TestClosureEqualsApt(t *testing.T) {
	sup := needArchive(t)
	releases := []string{codename("/"), "trixie", "forky"}
	for i, release := range releases {
		t.Run(release, func(t *testing.T) {
			var lines []string
			for _, src := range sup.sources {
				if sup.essential(&src) && len(src.SignedBy) > 0 {
					lines = append(lines, fmt.Sprintf("deb [signed-by=%s check-valid-until=no] %s %s main", src.SignedBy[0], src.URI, strings.Replace(src.Suite, releases[0], release, 1)))
				}
			}
			ctx, st := context.Background(), testStore(t)
			other, err := Discover("/", Config{})
			if err != nil {
				t.Fatal(err)
			}
			other.release, other.sources = "", nil
			for _, line := range lines {
				src, _, err := parseSourceLine(line)
				if err != nil {
					t.Fatal(err)
				}
				other.sources = append(other.sources, src)
			}
			tc, err := other.Lock(ctx, st, Request{}, progress.Discard)
			switch {
			case err != nil && i > 0:
				t.Skipf("the mirrors do not have it: %v", err)
			case err != nil:
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
			theirs := aptClosure(t, lines, names)
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
		})
	}
}

// aptClosure returns what apt would install on a machine without packages, as
// file names at the ends of the pool paths. Its index must be as new as ours,
// so it reads the same sources into a private directory.
func aptClosure(t *testing.T, lines, names []string) []string {
	t.Helper()
	apt := devtest.Tool(t, "apt-get")
	dir := t.TempDir()
	for _, d := range []string{"lists/partial", "cache/archives/partial", "parts"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "sources.list"), []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	var common []string
	for _, o := range []string{"Dir::State::status=/dev/null", "Dir::State::lists=" + dir + "/lists", "Dir::Cache=" + dir + "/cache",
		"Dir::Etc::sourcelist=" + dir + "/sources.list", "Dir::Etc::sourceparts=" + dir + "/parts", "APT::Sandbox::User=root", "Debug::NoLocking=1"} {
		common = append(common, "-o", o)
	}
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
	tc, err := sup.Lock(ctx, st, Request{}, progress.Discard)
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
	// The rootfs is known now: nothing has to be done, and assembling it again
	// gives the same digest.
	tc.Rootfs = got.Digest
	if again, err := sup.Assemble(ctx, st, tc, progress.Discard); err != nil || again != got {
		t.Errorf("with a known tree: %+v, %v", again, err)
	}
}
