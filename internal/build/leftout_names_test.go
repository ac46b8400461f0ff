package build

import (
	"strings"
	"testing"

	"espalier.dev/espalier/internal/action"
	"espalier.dev/espalier/internal/store"
)

// The messages are those of cargo and rustc 1.96.
func TestNamesLeftOut(t *testing.T) {
	st, err := store.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	const h = "0123456789abcdef"
	tree, err := st.MakeTree(t.Context(), func(b *store.TreeBuilder) error {
		for name, text := range map[string]string{
			"release/build/gone-" + h + "/build-script-build": leftOut,
			"release/deps/libgone-" + h + ".rmeta":            leftOut,
			"release/build/kept-" + h + "/build-script-build": "\x7fELF",
		} {
			if _, err := b.Source("test").File(t.Context(), name, true, strings.NewReader(text)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	step := action.Step{Inputs: []action.Input{{Path: "units", Tree: tree}}}
	for text, want := range map[string]bool{
		"error: failed to run custom build command for `gone v1.0.0`\n\nCaused by:\n  could not execute process `/target/release/build/gone-" + h + "/build-script-build` (never executed)\n":           true,
		"error: failed to run custom build command for `kept v1.0.0`\n\nCaused by:\n  process didn't exit successfully: `/target/release/build/kept-" + h + "/build-script-build` (exit status: 101)\n": false,
		"error[E0786]: found invalid metadata files for crate `gone`\n --> src/lib.rs:1:5\n  = note: invalid metadata file /target/release/deps/libgone-" + h + ".rmeta, which is 3 bytes long\n":       true,
		"error: linking with `cc` failed: exit status: 1\n  = note: \"cc\" \"/target/release/deps/libother-" + h + ".rlib\"\n":                                                                          false,
		"error: no target directory in this message\n": false,
	} {
		if got := (Runner{Store: st}).namesLeftOut(t.Context(), step, text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}
