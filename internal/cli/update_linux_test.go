package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/devtest/mini"
	"espalier.dev/espalier/internal/devtest/registry"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/updating"
)

// updateBench is a locked project of which the test publishes the crates.
type updateBench struct {
	t   *testing.T
	dir string
	env []string
	reg *registry.Registry
}

const benchManifest = `[package]
name = "app"
version = "0.1.0"
edition = "2021"
rust-version = "1.85"

[dependencies]
esp-hal = { version = "~1.0", registry = "own" }   # the chip
esp-rtos = { version = "0.2", registry = "own" }
esp-println = { registry = "own", version = "0.16" }
other = { version = "1", registry = "own" }
`

// newUpdateBench locks esp-hal 1.0.0 with its siblings of that day, and two other
// crates.
func newUpdateBench(t *testing.T) *updateBench {
	mp, env := miniProject(t)
	b := &updateBench{t: t, dir: filepath.Join(t.TempDir(), "app"), env: env, reg: registry.Serve(t)}
	b.reg.Publish(t,
		registry.Crate{Name: "esp-hal", Version: "1.0.0", Rust: "1.85", Depends: map[string]string{"esp-rom-sys": "~0.1"}},
		registry.Crate{Name: "esp-rom-sys", Version: "0.1.3"},
		registry.Crate{Name: "esp-rtos", Version: "0.2.0", Depends: map[string]string{"esp-hal": "~1.0"}},
		registry.Crate{Name: "esp-println", Version: "0.16.0"},
		registry.Crate{Name: "other", Version: "1.0.0", Depends: map[string]string{"below": "1"}},
		registry.Crate{Name: "below", Version: "1.0.0"},
	)
	for name, text := range map[string]string{
		"Cargo.toml": benchManifest, "src/main.rs": "#![no_std]\n#![no_main]\n",
		".cargo/config.toml": fmt.Sprintf("[build]\ntarget = \"riscv32imc-unknown-none-elf\"\n[registries.own]\nindex = %q\n", b.reg.URL),
	} {
		path := filepath.Join(b.dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	_ = mp
	b.run(0, "lock")
	return b
}

// run runs a verb and returns standard output and error.
func (b *updateBench) run(want fault.Kind, args ...string) (stdout, stderr string) {
	b.t.Helper()
	cmd := espalier(b.t, b.env, append([]string{"-C", b.dir}, args...)...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	_ = cmd.Run()
	if code := cmd.ProcessState.ExitCode(); code != int(want) {
		b.t.Fatalf("espalier %s: exit %d, want %d\n%s%s", strings.Join(args, " "), code, want, out.String(), errs.String())
	}
	return out.String(), errs.String()
}

// plan is the event of update --dry-run.
func (b *updateBench) plan(args ...string) updating.Plan {
	b.t.Helper()
	before := b.files()
	var p updating.Plan
	b.event("update", &p, append([]string{"update", "--dry-run"}, args...)...)
	if after := b.files(); after != before {
		b.t.Errorf("a dry run changed the project:\n%s", after)
	}
	return p
}

// event runs a verb with --json and decodes one of its events.
func (b *updateBench) event(name string, to any, args ...string) {
	b.t.Helper()
	out, _ := b.run(0, append([]string{"--json"}, args...)...)
	b.decode(name, out, to)
}

func (b *updateBench) decode(name, out string, to any) {
	b.t.Helper()
	for _, line := range strings.Split(out, "\n") {
		if strings.Contains(line, `"event":"`+name+`"`) {
			if err := json.Unmarshal([]byte(line), to); err != nil {
				b.t.Fatal(err)
			}
			return
		}
	}
	b.t.Fatalf("no event:\n%s", out)
}

func (b *updateBench) files() string {
	var text []byte
	for _, name := range []string{"Cargo.toml", "Cargo.lock", "espalier.lock"} {
		f, err := os.ReadFile(filepath.Join(b.dir, name))
		if err != nil {
			b.t.Fatal(err)
		}
		text = append(text, f...)
	}
	return string(text)
}

func moves(p updating.Plan) []string {
	out := []string{}
	for _, m := range p.Moves {
		out = append(out, fmt.Sprintf("%s %s>%s %s", m.Name, m.From, m.To, m.Why))
	}
	return out
}

func (b *updateBench) same(what string, got, want []string) {
	b.t.Helper()
	if !slices.Equal(got, want) {
		b.t.Errorf("%s:\n got %q\nwant %q", what, got, want)
	}
}

func TestUpdate(t *testing.T) {
	b := newUpdateBench(t)
	if _, errs := b.run(0, "update"); !strings.Contains(errs, "nothing moves") {
		t.Errorf("without anything newer: %s", errs)
	}
	b.reg.Publish(t,
		registry.Crate{Name: "esp-hal", Version: "1.0.1", Rust: "1.85", Depends: map[string]string{"esp-rom-sys": "~0.1"}},
		registry.Crate{Name: "esp-hal", Version: "1.1.0", Rust: "1.85", Depends: map[string]string{"esp-rom-sys": "~0.1.4"}},
		registry.Crate{Name: "esp-hal", Version: "1.2.0", Rust: "1.999", Depends: map[string]string{"esp-rom-sys": "~0.1.4"}},
		registry.Crate{Name: "esp-rom-sys", Version: "0.1.4"},
		registry.Crate{Name: "esp-rtos", Version: "0.3.0", Depends: map[string]string{"esp-hal": "1.1"}},
		registry.Crate{Name: "esp-println", Version: "0.17.0"},
		registry.Crate{Name: "below", Version: "1.0.7", Yanked: true},
		registry.Crate{Name: "below", Version: "1.0.5", Rust: "1.999"},
		registry.Crate{Name: "below", Version: "1.0.4"},
	)

	// A name moves its family within the requirements, and no other crate; what
	// stays has its reasons.
	p := b.plan("esp-hal")
	b.same("update esp-hal", moves(p), []string{"esp-hal 1.0.0>1.0.1 requested", "esp-rom-sys 0.1.3>0.1.4 moves with esp-hal"})
	held := map[string][]string{}
	for _, h := range p.Held {
		held[h.Name+" "+h.Have+" "+h.Newest] = h.Reasons
	}
	b.same("esp-hal stays", held["esp-hal 1.0.1 1.2.0"], []string{"Cargo.toml:8 asks for ~1.0", "needs rustc 1.999; the pinned one is " + b.rustc(), "esp-rtos 0.2.0 requires ~1.0"})
	b.same("esp-rtos stays", held["esp-rtos 0.2.0 0.3.0"], []string{"Cargo.toml:9 asks for 0.2"})
	if len(p.Held) != 3 || p.Held[0].Cure != "espalier update esp-hal --edit" || len(p.Edits) != 0 {
		t.Errorf("held %+v, edits %v", p.Held, p.Edits)
	}

	// Everything: neither yanked versions nor those that need a newer compiler.
	b.same("update", moves(b.plan()), []string{"esp-hal 1.0.0>1.0.1 newer within the requirements",
		"below 1.0.0>1.0.4 newer within the requirements", "esp-rom-sys 0.1.3>0.1.4 newer within the requirements"})

	// What is newer, and what is in its way.
	var all updating.Outdated
	b.event("outdated", &all, "outdated")
	entries := []string{}
	for _, e := range all.Entries {
		entries = append(entries, fmt.Sprintf("%s %s [%s] %s fits %v %q brings %q", e.Name, e.Have, e.Within, e.Newest, e.Fits, e.Reasons, e.Brings))
	}
	b.same("outdated", entries, []string{
		`esp-hal 1.0.0 [1.0.1] 1.2.0 fits false ["Cargo.toml:8 asks for ~1.0" "needs rustc 1.999; the pinned one is ` + b.rustc() + `" "esp-rtos 0.2.0 requires ~1.0"] brings []`,
		`esp-println 0.16.0 [] 0.17.0 fits false ["Cargo.toml:10 asks for 0.16"] brings []`,
		`esp-rtos 0.2.0 [] 0.3.0 fits false ["Cargo.toml:9 asks for 0.2"] brings ["esp-hal 1.1"]`,
		`below 1.0.0 [1.0.4] 1.0.5 fits false ["needs rustc 1.999; the pinned one is ` + b.rustc() + `"] brings []`,
		`esp-rom-sys 0.1.3 [0.1.4] 0.1.4 fits true [] brings []`,
	})
	if all.Current != 1 { // other
		t.Errorf("%d crates are current", all.Current)
	}
	for _, r := range all.Risks {
		if r.Kind == updating.KindCrate {
			t.Errorf("at risk: %v", r)
		}
	}
	b.reg.Publish(t, registry.Crate{Name: "esp-println", Version: "0.16.0", Yanked: true})
	text, _ := b.run(0, "outdated")
	if !strings.Contains(text, "may vanish: esp-println 0.16.0: yanked") {
		t.Error(text)
	}
	b.reg.Publish(t, registry.Crate{Name: "esp-println", Version: "0.16.0"})

	// A version that a requirement does not allow: the line, and nothing changes.
	if _, errs := b.run(fault.Pins, "update", "esp-hal", "--to", "1.1.0"); !strings.Contains(errs, "Cargo.toml:8 asks for ~1.0, which 1.1.0 does not satisfy; it would have to be ~1.1\n") {
		t.Error(errs)
	}
	// One of a crate that no manifest names.
	b.same("update below", moves(b.plan("below", "--to", "1.0.5")), []string{"below 1.0.0>1.0.5 requested"})
	b.same("update below", moves(b.plan("below", "--to", "1.0")), []string{"below 1.0.0>1.0.5 requested"})
	// One that needs another compiler.
	_, errs := b.run(fault.Pins, "update", "esp-hal", "--to", "1.2.0", "--edit")
	if !strings.Contains(errs, "esp-hal 1.2.0 needs rustc 1.999; the pinned one is ") {
		t.Error(errs)
	}
	// A name that is not there.
	if _, errs := b.run(fault.Usage, "update", "esp-hall"); !strings.Contains(errs, "hint: espalier update esp-hal\n") {
		t.Error(errs)
	}

	// With --edit the family moves over the requirements, which keep their form.
	want := []string{"esp-hal 1.0.0>1.1.0 requested", "esp-println 0.16.0>0.17.0 moves with esp-hal", "esp-rtos 0.2.0>0.3.0 moves with esp-hal",
		"esp-rom-sys 0.1.3>0.1.4 moves with esp-hal"}
	b.same("update esp-hal --edit", moves(b.plan("esp-hal", "--edit")), want)
	b.run(0, "update", "esp-hal", "--edit")
	manifest := benchManifest
	for old, now := range map[string]string{`"~1.0"`: `"~1.1"`, `"0.2"`: `"0.3"`, `"0.16"`: `"0.17"`} {
		manifest = strings.Replace(manifest, old, now, 1)
	}
	if got, _ := os.ReadFile(filepath.Join(b.dir, "Cargo.toml")); string(got) != manifest {
		t.Errorf("Cargo.toml:\n%s", got)
	}
	b.run(0, "lock", "--check")
	if out, errs := b.run(0, "lock"); !strings.Contains(errs, "espalier.lock is up to date") {
		t.Errorf("%s%s", out, errs)
	}

	// Back again: siblings go back with it.
	b.run(0, "update", "esp-hal", "--to", "1.0.0", "--edit")
	if p := b.files(); !strings.Contains(p, `esp-rtos = { version = "0.2", registry`) || !strings.Contains(p, "name = \"esp-hal\"\nversion = \"1.0.0\"") {
		t.Error(p)
	}
	b.run(0, "lock", "--check")

	// A stale lock is not the base of an update.
	mini.Edit(t, b.dir, "Cargo.toml", "edition = \"2021\"", "edition = \"2021\"\npublish = false")
	mini.Edit(t, b.dir, "Cargo.toml", "other = ", "below = { version = \"1\", registry = \"own\" }\nother = ")
	if _, errs := b.run(fault.Pins, "update"); !strings.Contains(errs, "hint: espalier lock\n") {
		t.Error(errs)
	}
}

// rustc is the pinned compiler's version.
func (b *updateBench) rustc() string {
	text := b.files()
	text = text[strings.Index(text, "\nrustc = \"")+len("\nrustc = \""):]
	v, _, _ := strings.Cut(text, " ")
	return v
}
