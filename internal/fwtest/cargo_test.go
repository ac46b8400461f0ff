package fwtest_test

import (
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/devtest"
)

// TestUnderCargo runs testdata/fwtests by the real cargo test and the real cargo
// nextest, with the runner of its own .cargo/config.toml: espalier gets the ELFs
// that cargo has built and the arguments of a test harness. The machine's cargo
// compiles, its results stay in the test store.
func TestUnderCargo(t *testing.T) {
	devtest.Long(t, "compiles a firmware with cargo")
	const target = "riscv32imc-unknown-none-elf"
	t.Setenv("RUSTUP_TOOLCHAIN", "stable") // as it is: rust-toolchain.toml would ask for components that only espalier's build needs
	cargo, nextest := devtest.Tool(t, "cargo"), devtest.Tool(t, "cargo-nextest")
	libs, err := exec.CommandContext(t.Context(), devtest.Tool(t, "rustc"), "--print", "target-libdir", "--target", target).Output()
	if err == nil {
		_, err = os.Stat(strings.TrimSpace(string(libs)))
	}
	if err != nil {
		// scripts/peers asks rustup for it; neither a cargo of apt nor a machine that
		// reaches registries only can have it, so this is no failure in CI.
		t.Skip("the machine's Rust has no standard library for the chip: rustup target add " + target)
	}
	built(t, "suite") // mask ROM and bootloader are in the store

	dir, bin := t.TempDir(), t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("../../testdata/fwtests")); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("go", "build", "-o", filepath.Join(bin, "espalier"), "../../cmd/espalier").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	run := func(args ...string) (code int, text string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), cargo, args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "ESPALIER_STORE="+devtest.Store(t), "CARGO_TARGET_DIR="+filepath.Join(devtest.Store(t), "cargo"),
			"CARGO_TERM_COLOR=never", "PATH="+strings.Join([]string{bin, filepath.Dir(nextest), os.Getenv("PATH")}, string(os.PathListSeparator)))
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatalf("cargo %q: %v", args, err)
		}
		return cmd.ProcessState.ExitCode(), string(out)
	}

	for _, k := range []struct {
		name string
		args []string
		code int
		want []string
	}{
		{"all tests pass", []string{"test", "--locked", "--test", "suite", "--test", "plain", "--test", "rtt"}, 0, []string{
			"test tests::celsius ... ok\n", "test tests::fails::tests::hangs ... ignored\n", "plain program\n", "line 39 by RTT",
			"test result: ok. 4 passed; 0 failed; 7 ignored;"}},
		{"a filter", []string{"test", "--locked", "--test", "suite", "--", "--exact", "tests::celsius"}, 0, []string{
			"test tests::celsius ... ok\n", "test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 10 filtered out"}},
		{"a failure", []string{"test", "--locked", "--no-fail-fast", "--test", "failing", "--test", "plain"}, 101, []string{
			"panicked at tests/failing.rs:14:5", " at tests/failing.rs:14:5\n", "plain program\n", "error: 1 target failed:\n    `--test failing`"}},
		{"nextest lists", []string{"nextest", "list", "--locked", "--run-ignored", "all", "--message-format", "oneline"}, 0, []string{
			"fwtests::suite tests::fails::tests::floods\n", "fwtests::plain plain\n"}},
	} {
		code, text := run(k.args...)
		if code != k.code {
			t.Fatalf("%s: cargo %q: exit %d, want %d\n%s", k.name, k.args, code, k.code, text)
		}
		for _, w := range k.want {
			if !strings.Contains(text, w) {
				t.Errorf("%s: no %q in\n%s", k.name, w, text)
			}
		}
	}

	code, text := run("nextest", "run", "--locked", "--no-fail-fast", "--run-ignored", "all")
	got := map[string]bool{} // passed
	for _, m := range regexp.MustCompile(`(?m)^ +(PASS|FAIL) \[.*?\] \( *\d+/\d+\) (.+)$`).FindAllStringSubmatch(text, -1) {
		got[m[2]] = m[1] == "PASS"
	}
	want := map[string]bool{"fwtests::plain plain": true, "fwtests::rtt rtt": true, "fwtests::failing failing": false}
	for _, name := range []string{"celsius", "sees_a_fresh_board", "panics", "slow", "returns_ok"} {
		want["fwtests::suite tests::"+name] = true
	}
	for _, name := range []string{"with_a_panic", "with_an_error", "hangs", "resets", "does_not_panic", "floods"} {
		want["fwtests::suite tests::fails::tests::"+name] = false
	}
	if code != 100 || !maps.Equal(got, want) { // 100: nextest's status for failed tests
		t.Errorf("exit %d, %d results, want %v\n%s", code, len(got), slices.Sorted(maps.Keys(want)), text)
	}
	t.Log(text[max(0, strings.LastIndex(text, "Summary")):])
}
