package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/devtest/mini"
	"espalier.dev/espalier/internal/devtest/registry"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/trial"
)

// chip is a crate whose function is called by the program that the board runs.
func chip(version, lib string) registry.Crate {
	return registry.Crate{Name: "chip", Version: version, Lib: "#![no_std]\n" + lib}
}

// TestUpdateTry: a program is built and booted with old and new versions of a
// crate; the project does not change.
func TestUpdateTry(t *testing.T) {
	dir, env := miniProject(t)
	b := &updateBench{t: t, dir: dir, env: env, reg: registry.Serve(t)}
	same := "pub fn answer(n: u32) -> u32 { n * 7 }\n"
	b.reg.Publish(t, chip("1.0.0", same), registry.Crate{Name: "other", Version: "1.0.0"})
	config := filepath.Join(dir, ".cargo", "config.toml")
	old, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(config, append(old, fmt.Sprintf("\n[registries.own]\nindex = %q\n", b.reg.URL)...), 0o666); err != nil {
		t.Fatal(err)
	}
	mini.Edit(t, dir, "app/Cargo.toml", "[dependencies]\n", "[dependencies]\nchip = { version = \"1\", registry = \"own\" }\nother = { version = \"1\", registry = \"own\" }\n")
	mini.Edit(t, dir, "app/src/main.rs", "macros::answer!() as u32", "chip::answer(6)")
	if err := os.WriteFile(filepath.Join(dir, "espalier.toml"), []byte("[run]\nexpect = [\""+mini.Expect+"\"]\nfor = \"1s\"\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	b.run(0, "lock")
	fixDate(t, filepath.Join(dir, "espalier.lock"))
	before := b.tree()

	b.reg.Publish(t,
		chip("1.1.0", same+"pub static TABLE: [u8; 64] = [1; 64];\n"),
		chip("1.2.0", "pub fn answer(n: u32, board: u32) -> u32 { n * board }\n"),
		chip("1.3.0", "pub fn answer(n: u32, board: u32, more: u32) -> u32 { n * board * more }\n"),
		chip("1.0.1", "pub fn answer(n: u32) -> u32 { n * 8 }\n"),
		registry.Crate{Name: "other", Version: "1.0.1"},
	)
	// The newest versions do not compile: which crate, since when, which line.
	var r trial.Result
	out, errs := b.run(fault.Build, "update", "--try", "--bisect")
	for _, want := range []string{
		"before  builds and runs\n",
		"after   compiling app failed: 1 error\n",
		"cause   this function takes 2 arguments but 1 argument was supplied (E0061)\n",
		"crate   chip 1.0.0 -> 1.2.0",
		"change  app/src/main.rs:22: printf(b\"mini: %s, %d\\n\\0\".as_ptr(), cfg::text().as_ptr(), chip::answer(6));\n",
		"        help: provide the argument: ",
		"bisect  chip 1.1.0 works, 1.2.0 does not (",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s%s", want, out, errs)
		}
	}
	// One that compiles and runs wrong.
	out, _ = b.run(fault.Program, "update", "chip", "--to", "1.0.1", "--try")
	if !strings.Contains(out, "after   builds and boots; ") || !strings.Contains(out, "\nall ") {
		t.Errorf("%s", out)
	}
	// One that fits, with its size.
	b.event("trial", &r, "update", "chip", "--to", "1.1.0", "--try")
	if !r.Old.OK() || !r.New.OK() || r.Cause != nil || r.New.Flash == 0 {
		t.Errorf("%+v %+v", r.Old, r.New)
	}
	if after := b.tree(); !slices.Equal(after, before) {
		t.Errorf("the project changed:\n%v\n%v", before, after)
	}
}

// tree lists the files of the project with their contents.
func (b *updateBench) tree() []string {
	var out []string
	err := filepath.WalkDir(b.dir, func(name string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(name)
		out = append(out, name+" "+string(text))
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return out
}
