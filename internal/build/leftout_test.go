package build_test

import (
	"errors"
	"os"
	"path"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"espalier.dev/espalier/internal/build"
	"espalier.dev/espalier/internal/devtest/mini"
	"espalier.dev/espalier/internal/store"
)

// lockOf writes a Cargo.lock of the workspace with crates of the hello template,
// such as "syn 2", besides its own; deps are the dependencies of own packages.
func (b *bench) lockOf(deps map[string][]string, crates ...string) {
	b.t.Helper()
	hello, err := os.ReadFile("../../templates/hello/Cargo.lock")
	if err != nil {
		b.t.Fatal(err)
	}
	blocks := map[string]string{}
	blank := regexp.MustCompile(`\n\n+`)
	name := regexp.MustCompile(`(?m)^name = "(.*)"\nversion = "(.*)"`)
	for _, text := range []string{string(hello), mini.CargoLock} {
		for _, block := range blank.Split(strings.TrimSpace(text), -1) {
			if m := name.FindStringSubmatch(block); m != nil {
				blocks[m[1]+" "+m[2]] = block
			}
		}
	}
	var all []string
	for _, own := range []string{"app 0.1.0", "cfg 0.1.0", "macros 0.1.0", "cfg-if 1.0.5", "portable-atomic 1.15.0"} {
		block := blocks[own]
		if more := deps[strings.Fields(own)[0]]; more != nil {
			block, _, _ = strings.Cut(block, "\ndependencies")
			block += "\ndependencies = [\n \"" + strings.Join(more, "\",\n \"") + "\",\n]"
		}
		all = append(all, block)
	}
	for _, c := range crates {
		block := ""
		for id := range blocks {
			if strings.HasPrefix(id, c+" ") || strings.HasPrefix(id, c+".") {
				block = blocks[id]
			}
		}
		if block == "" {
			b.t.Fatalf("the template does not lock %s", c)
		}
		all = append(all, regexp.MustCompile(`"syn 2[0-9.]*"`).ReplaceAllString(block, `"syn"`)) // it is the only one here
	}
	slices.SortFunc(all, func(a, b string) int {
		return strings.Compare(name.FindStringSubmatch(a)[1], name.FindStringSubmatch(b)[1])
	})
	b.file("Cargo.lock", "version = 4\n\n"+strings.Join(all, "\n\n")+"\n")
}

// leftOut returns the crates of which a layer has no libraries, and whether
// something of them is kept.
func (b *bench) leftOut(layer store.Digest) (out, kept map[string]bool) {
	b.t.Helper()
	out, kept = map[string]bool{}, map[string]bool{}
	unit := regexp.MustCompile(`^lib(.*)-[0-9a-f]{16}\.(rlib|rmeta)$`)
	err := b.st.Walk(b.t.Context(), layer, func(e store.Entry) error {
		if m := unit.FindStringSubmatch(path.Base(e.Path)); m != nil {
			if e.Digest == build.LeftOut {
				out[m[1]] = true
			} else {
				kept[m[1]] = true
			}
		}
		return nil
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return out, kept
}

// TestLeftOut makes layers without what ran on the host, and uses it
// nevertheless.
func TestLeftOut(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("steps are observed on amd64 only")
	}
	b := newBench(t)
	// A macro of a dependency links syn, quote and proc-macro2.
	mini.Edit(t, b.dir, "cfg/Cargo.toml", "cfg-if = \"1\"\n", "cfg-if = \"1\"\ndelegate = \"0.13\"\n")
	syn := []string{"proc-macro2", "quote", "syn 2", "unicode-ident"}
	b.lockOf(map[string][]string{"cfg": {"cfg-if", "delegate", "portable-atomic"}}, append(syn, "delegate")...)
	date := time.Now().Unix()
	b.lock(date)
	layer, err := b.runner().Layer(t.Context(), b.plan())
	if err != nil {
		t.Fatal(err)
	}
	out, kept := b.leftOut(layer)
	for _, c := range []string{"syn", "quote", "proc_macro2", "unicode_ident"} {
		if !out[c] || kept[c] {
			t.Errorf("%s is kept", c)
		}
	}
	for _, c := range []string{"core", "cfg_if", "portable_atomic"} {
		if out[c] || !kept[c] {
			t.Errorf("%s is left out", c)
		}
	}
	first := b.build()
	if s := b.scratch(); s.ELF != first.ELF {
		t.Errorf("on the layer %v, from scratch %v", first.ELF, s.ELF)
	}

	// Another macro links them, too: the new layer cannot start with this one.
	mini.Edit(t, b.dir, "cfg/Cargo.toml", "delegate =", "riscv-macros = \"0.3\"\ndelegate =")
	b.lockOf(map[string][]string{"cfg": {"cfg-if", "delegate", "portable-atomic", "riscv-macros"}}, append(syn, "delegate", "riscv-macros")...)
	b.lock(date)
	b.rec.take()
	var messages []string
	r := b.runner()
	r.Messages = func(s string) { messages = append(messages, s) }
	more, err := r.Layer(t.Context(), b.plan())
	if err != nil {
		t.Fatal(err)
	}
	if did := b.rec.take()["dependencies"]; !slices.Contains(did, "syn") || !slices.Contains(did, "riscv-macros") || slices.Contains(did, "core") {
		t.Errorf("compiled %q", did)
	}
	if len(messages) > 0 {
		t.Errorf("the first try was shown: %q", messages)
	}
	if out, _ := b.leftOut(more); !out["syn"] {
		t.Error("syn is kept")
	}

	// The user's own macro links one of them: it and what it needs are kept.
	mini.Edit(t, b.dir, "macros/Cargo.toml", "proc-macro = true\n", "proc-macro = true\n\n[dependencies]\nquote = \"1\"\n")
	b.lockOf(map[string][]string{"cfg": {"cfg-if", "delegate", "portable-atomic", "riscv-macros"}, "macros": {"quote"}}, append(syn, "delegate", "riscv-macros")...)
	b.lock(date)
	own, err := b.runner().Layer(t.Context(), b.plan())
	if err != nil {
		t.Fatal(err)
	}
	out, kept = b.leftOut(own)
	if !out["syn"] || !kept["quote"] || !kept["proc_macro2"] || !kept["unicode_ident"] {
		t.Errorf("left out %v, kept %v", out, kept)
	}
	if last := b.build(); !last.Hermetic {
		t.Error("not hermetic")
	}

	// A step that uses what is left out gets a layer that has everything.
	runs := 0
	err = b.runner().OnWholeLayer(t.Context(), b.plan(), func() error {
		if runs++; runs == 1 {
			return build.LeftOutError(errors.New("used"))
		}
		whole, err := b.runner().Layer(t.Context(), b.plan())
		if out, kept := b.leftOut(whole); len(out) > 0 || !kept["syn"] {
			t.Errorf("the whole layer lacks %v", out)
		}
		return err
	})
	if err != nil || runs != 2 {
		t.Errorf("%v after %d runs", err, runs)
	}
}
