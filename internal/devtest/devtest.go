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

// Peers returns the folder that scripts/peers fills: $ESPALIER_PEERS, else
// espalier-peers in the user's cache.
func Peers(t testing.TB) string { return cacheDir(t, "ESPALIER_PEERS", "espalier-peers") }

// Tool returns the path of a peer program: from bin in Peers, else from PATH.
func Tool(t testing.TB, name string) string {
	t.Helper()
	own := filepath.Join(Peers(t), "bin", name)
	if st, err := os.Stat(own); err == nil && !st.IsDir() {
		return own
	}
	p, err := exec.LookPath(name)
	if err != nil {
		Missing(t, "the program "+name)
	}
	return p
}

// Store returns the folder of the warm store that all tests share, so that a
// toolchain is fetched and a firmware built once: $ESPALIER_TEST_STORE, else
// espalier-test in the user's cache.
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
