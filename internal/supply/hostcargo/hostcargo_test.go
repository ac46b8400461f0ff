package hostcargo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/internal/devtest/registry"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/progress"
	"espalier.dev/espalier/internal/store"
)

// bench is an empty store and an empty CARGO_HOME whose default registry is one on
// the loopback interface.
func bench(t *testing.T) (*Fetcher, *registry.Registry) {
	st, err := store.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	reg := registry.Serve(t)
	home := t.TempDir()
	config := fmt.Sprintf("[source.crates-io]\nreplace-with = 'local'\n[source.local]\nregistry = %q\n", reg.URL)
	if err := os.WriteFile(filepath.Join(home, "config.toml"), []byte(config), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, v := range []string{"http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY", "CARGO_HTTP_PROXY"} {
		t.Setenv(v, "")
	}
	return &Fetcher{Store: st, Home: home, Report: progress.Discard, Program: devtest.Tool(t, "cargo")}, reg
}

func published(reg *registry.Registry, name, version string) lock.Crate {
	return lock.Crate{Name: name, Version: version, Digest: store.DigestOf(reg.Archive(name, version))}
}

// A crate comes alone, without what it depends on, whatever compiler it wants, and
// is found in cargo's cache afterwards.
func TestOne(t *testing.T) {
	f, reg := bench(t)
	reg.Publish(t, registry.Crate{Name: "below", Version: "1.0.0"})
	reg.Publish(t, registry.Crate{Name: "carrier", Version: "4.7.0", Depends: map[string]string{"below": "1"}})
	reg.Publish(t, registry.Crate{Name: "newer", Version: "1.0.0", Rust: "9.9"})
	for _, c := range []lock.Crate{published(reg, "carrier", "4.7.0"), published(reg, "newer", "1.0.0")} {
		if err := f.One(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		if !f.Store.Has(c.Digest) {
			t.Fatalf("%s is not in the store", c.Name)
		}
	}
	if found, _ := filepath.Glob(filepath.Join(f.Home, "registry", "cache", "*", "below-*")); len(found) > 0 {
		t.Errorf("downloaded, too: %s", found)
	}
	again, err := store.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	cached := &Fetcher{Store: again, Home: f.Home, Report: progress.Discard, Program: "/nonexistent"}
	if err := cached.One(t.Context(), published(reg, "carrier", "4.7.0")); err != nil {
		t.Errorf("from cargo's cache: %v", err)
	}
}

func TestOneFaults(t *testing.T) {
	f, reg := bench(t)
	reg.Publish(t, registry.Crate{Name: "carrier", Version: "4.7.0"})
	right := published(reg, "carrier", "4.7.0")

	missing := right
	missing.Version = "4.8.0"
	if err := f.One(t.Context(), missing); fault.KindOf(err) != fault.Pins || !strings.Contains(err.Error(), "crate carrier 4.8.0: cargo did not download it: ") ||
		!strings.Contains(err.Error(), "4.8.0`") {
		t.Errorf("a version that does not exist: %v", err)
	}
	other := right
	other.Digest = store.DigestOf([]byte("other bytes"))
	err := f.One(t.Context(), other)
	var mismatch *store.MismatchError
	if !errors.As(err, &mismatch) || fault.KindOf(err) != fault.Pins || f.Store.Has(other.Digest) {
		t.Errorf("other bytes than the pinned ones: %v", err)
	}
	if _, ok := os.LookupEnv("PATH"); ok {
		t.Setenv("PATH", t.TempDir())
		none := &Fetcher{Store: f.Store, Home: t.TempDir(), Report: progress.Discard}
		if err := none.One(t.Context(), right); !errors.Is(err, ErrNoCargo) || fault.KindOf(err) != fault.Pins {
			t.Errorf("without cargo: %v", err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.One(ctx, missing); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}

func TestReason(t *testing.T) {
	for log, want := range map[string]string{
		"    Updating index\nerror: could not find `x` in registry\n":             "could not find `x` in registry",
		"error: failed to download\n\nCaused by:\n  [6] Could not resolve host\n": "failed to download: [6] Could not resolve host",
		"":                         "exit status 101",
		"thread 'main' panicked\n": "thread 'main' panicked",
	} {
		if got := reason(log, errors.New("exit status 101")); got != want {
			t.Errorf("%q: %q, want %q", log, got, want)
		}
	}
}
