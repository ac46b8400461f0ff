package build_test

import (
	"strings"
	"testing"

	"espalier.dev/espalier/internal/build"
	"espalier.dev/espalier/internal/devtest/mini"
	"espalier.dev/espalier/internal/fault"
)

// TestClippy checks a program with the Clippy of a toolchain that has it.
func TestClippy(t *testing.T) {
	b := newBench(t)
	b.lock(1700000003)
	if err := b.runner().Check(t.Context(), b.plan(), build.CheckOptions{Clippy: true}); fault.KindOf(err) != fault.Pins {
		t.Errorf("without the component: %v", err)
	}
	b.file("rust-toolchain.toml", "[toolchain]\nchannel = \"stable\"\ncomponents = [\"rust-src\", \"clippy\"]\n")
	mini.Edit(t, b.dir, "app/src/main.rs", "#[panic_handler]", "#[allow(dead_code)]\nfn same(x: u32) -> bool {\n    return x == x;\n}\n\n#[panic_handler]")
	b.lock(1700000003)

	lint := func(lints ...string) (string, error) {
		var said strings.Builder
		r := b.runner()
		r.Messages = func(s string) { said.WriteString(s) }
		err := r.Check(t.Context(), b.plan(), build.CheckOptions{Clippy: true, Lints: lints})
		return said.String(), err
	}
	for _, c := range []struct {
		lints []string
		says  []string
		fails bool
	}{
		{nil, []string{"clippy::eq_op", "clippy::needless_return"}, true},
		{[]string{"-A", "clippy::eq_op"}, []string{"clippy::needless_return"}, false},
		{[]string{"-A", "clippy::eq_op", "-D", "warnings"}, []string{"clippy::needless_return"}, true},
		{[]string{"-A", "clippy::all"}, nil, false},
	} {
		for range 2 { // a result without errors is kept, with its messages
			said, err := lint(c.lints...)
			if (fault.KindOf(err) == fault.Build) != c.fails || err != nil && !c.fails {
				t.Errorf("%q: %v", c.lints, err)
			}
			for _, name := range c.says {
				if !strings.Contains(said, strings.ReplaceAll(name, "clippy::", "")) && !strings.Contains(said, strings.ReplaceAll(name, "_", "-")) {
					t.Errorf("%q: no %s in %s", c.lints, name, said)
				}
			}
			if c.says == nil && strings.Contains(said, "clippy") {
				t.Errorf("%q: %s", c.lints, said)
			}
		}
	}
	// A build after it compiles no dependency.
	b.rec.take()
	b.build()
	if did := b.rec.take(); len(did["dependencies"]) > 0 {
		t.Errorf("compiled %q", did["dependencies"])
	}
}
