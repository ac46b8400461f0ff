// Package devtest says what a test needs of its surroundings and decides what
// happens when that is missing: on a developer's machine the test is skipped
// with the reason, in CI (CI=true) a missing oracle is a failure. peers.txt
// lists the programs that tests compare espalier with. Only tests import this
// package.
package devtest

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// CI reports whether a missing oracle must fail.
func CI() bool { return os.Getenv("CI") == "true" }

// Missing ends the test because something that it needs is not there: a skip
// with the reason, a failure in CI.
func Missing(t testing.TB, what string) {
	t.Helper()
	if CI() {
		t.Fatalf("required in CI and missing: %s", what)
	}
	t.Skipf("needs %s", what)
}

// Long skips the test under -short: it needs the network, a toolchain, or
// more than a few seconds.
func Long(t testing.TB, why string) {
	t.Helper()
	if testing.Short() {
		t.Skipf("-short: %s", why)
	}
}

// Store returns the directory of the store that all tests share, so that a
// toolchain is fetched and a firmware built once: $ESPALIER_TEST_STORE, else
// espalier-test in the user's cache directory.
func Store(t testing.TB) string {
	t.Helper()
	dir := cacheDir(t, "ESPALIER_TEST_STORE", "espalier-test")
	if err := os.MkdirAll(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	return dir
}

func cacheDir(t testing.TB, env, name string) string {
	t.Helper()
	if dir := os.Getenv(env); dir != "" {
		return dir
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(cache, name)
}

// Examples runs the tests of a package whose examples boot firmware of
// scripts/firmware, by its TestMain, and returns the exit code. An example cannot
// skip: without the firmware the examples that match pattern are left out, with a
// note, and in CI that is a failure. ESPALIER_STORE is set to the store of the tests.
func Examples(m *testing.M, pattern string, firmware ...string) int {
	dir := os.Getenv("ESPALIER_TEST_STORE")
	if dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		dir = filepath.Join(cache, "espalier-test")
	}
	flag.Parse()
	for _, name := range firmware {
		if _, err := os.Stat(filepath.Join(dir, "firmware", name)); err == nil {
			continue
		}
		if CI() {
			fmt.Fprintf(os.Stderr, "required in CI and missing: %s (scripts/firmware)\n", name)
			return 1
		}
		fmt.Fprintf(os.Stderr, "examples left out: they need %s (scripts/firmware)\n", name)
		if skip := flag.Lookup("test.skip"); skip.Value.String() != "" {
			pattern = "(" + skip.Value.String() + ")|" + pattern
		}
		flag.Set("test.skip", pattern)
		return m.Run()
	}
	os.Setenv("ESPALIER_STORE", dir)
	return m.Run()
}
