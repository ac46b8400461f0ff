// Package devtest says what a test needs of its surroundings and decides what
// happens when it is missing: on a developer's machine the test is skipped
// with the reason, in CI (CI=true) a missing oracle is a failure. Only tests
// import it.
package devtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// CI reports whether a missing oracle must fail.
func CI() bool { return os.Getenv("CI") == "true" }

// Missing ends the test because what is not there: a skip with the reason, a
// failure in CI.
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

// Tool returns the path of a peer program: from $ESPALIER_PEERS/bin, where
// the test set-up puts what it installs, else from PATH.
func Tool(t testing.TB, name string) string {
	t.Helper()
	if dir := os.Getenv("ESPALIER_PEERS"); dir != "" {
		p := filepath.Join(dir, "bin", name)
		if st, err := os.Stat(p); err == nil && !st.IsDir() {
			return p
		}
	}
	p, err := exec.LookPath(name)
	if err != nil {
		Missing(t, "the program "+name)
	}
	return p
}

// Store returns the folder of the warm store that all tests share, so that a
// toolchain is fetched and a firmware built once: $ESPALIER_TEST_STORE, else a
// folder of its own in the user's cache.
func Store(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("ESPALIER_TEST_STORE")
	if dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			t.Fatal(err)
		}
		dir = filepath.Join(cache, "espalier-test")
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	return dir
}
