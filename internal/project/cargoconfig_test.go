package project

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"espalier.dev/espalier/internal/cargo"
	"espalier.dev/espalier/internal/config"
	"espalier.dev/espalier/internal/devtest"
)

const app = `
-- Cargo.toml --
[package]
name = "app"
version = "0.1.0"
edition = "2021"
-- src/main.rs --
#![no_std]
#![no_main]
`

// rustflagCases mark every flag with a cfg that starts with "mark".
var rustflagCases = []struct{ name, files, member string }{
	{"build", "-- .cargo/config.toml --\n[build]\nrustflags = [\"--cfg=mark_b\"]\n", "."},
	{"string", "-- .cargo/config.toml --\n[build]\nrustflags = \"--cfg=mark_b  --cfg=mark_c\"\n", "."},
	{"target beats build", "-- .cargo/config.toml --\n[build]\nrustflags = [\"--cfg=mark_b\"]\n[target.riscv32imc-unknown-none-elf]\nrustflags = [\"--cfg=mark_t\"]\n", "."},
	{"empty target list lets build through", "-- .cargo/config.toml --\n[build]\nrustflags = [\"--cfg=mark_b\"]\n[target.riscv32imc-unknown-none-elf]\nrustflags = []\n", "."},
	{"other target", "-- .cargo/config.toml --\n[build]\nrustflags = [\"--cfg=mark_b\"]\n[target.thumbv7em-none-eabihf]\nrustflags = [\"--cfg=mark_t\"]\n", "."},
	{"triple and cfgs join, sorted", `-- .cargo/config.toml --
[target.'cfg(target_os = "none")']
rustflags = ["--cfg=mark_os"]
[target.'cfg(target_arch = "riscv32")']
rustflags = ["--cfg=mark_arch"]
[target.'cfg(all(target_arch = "riscv32", not(unix), any(windows, panic = "abort")))']
rustflags = ["--cfg=mark_all"]
[target.'cfg(unix)']
rustflags = ["--cfg=mark_unix"]
[target.riscv32imc-unknown-none-elf]
rustflags = ["--cfg=mark_triple"]
`, "."},
	{"features and endian", `-- .cargo/config.toml --
[target.'cfg(target_feature = "m")']
rustflags = ["--cfg=mark_m"]
[target.'cfg(target_feature = "zca")']
rustflags = ["--cfg=mark_zca"]
[target.'cfg(target_feature = "a")']
rustflags = ["--cfg=mark_a"]
[target.'cfg(target_feature = "i")']
rustflags = ["--cfg=mark_i"]
[target.'cfg(all(target_endian = "little", target_pointer_width = "32", target_vendor = "unknown", target_env = ""))']
rustflags = ["--cfg=mark_rest"]
[target.'cfg(debug_assertions)']
rustflags = ["--cfg=mark_debug"]
`, "."},
	{"flags that select flags", `-- .cargo/config.toml --
[build]
rustflags = ["--cfg=mark_b", "-Ctarget-feature=+a"]
[target.riscv32imc-unknown-none-elf]
rustflags = ["--cfg=mark_t"]
[target.'cfg(mark_t)']
rustflags = ["--cfg=mark_chain"]
`, "."},
	{"true and all()", "-- .cargo/config.toml --\n[target.'cfg(all())']\nrustflags = [\"--cfg=mark_all\"]\n[target.'cfg(any())']\nrustflags = [\"--cfg=mark_any\"]\n[target.'cfg(true)']\nrustflags = [\"--cfg=mark_true\"]\n", "."},
	{"broken expression", "-- .cargo/config.toml --\n[target.'cfg(target_arch = riscv32)']\nrustflags = [\"--cfg=mark_x\"]\n[build]\nrustflags = [\"--cfg=mark_b\"]\n", "."},
	{"hierarchy: lists join, far first", "-- .cargo/config.toml --\n[build]\nrustflags = [\"--cfg=mark_far\"]\n-- app/.cargo/config.toml --\n[build]\nrustflags = [\"--cfg=mark_near\"]\n", "app"},
	{"hierarchy: near string wins", "-- .cargo/config.toml --\n[build]\nrustflags = \"--cfg=mark_far\"\n-- app/.cargo/config.toml --\n[build]\nrustflags = \"--cfg=mark_near\"\n", "app"},
	{"hierarchy: tables of different files", "-- .cargo/config.toml --\n[target.'cfg(target_os = \"none\")']\nrustflags = [\"--cfg=mark_far\"]\n-- app/.cargo/config.toml --\n[build]\nrustflags = [\"--cfg=mark_near\"]\n", "app"},
	{"config without extension wins", "-- .cargo/config --\n[build]\nrustflags = [\"--cfg=mark_plain\"]\n-- .cargo/config.toml --\n[build]\nrustflags = [\"--cfg=mark_toml\"]\n", "."},
	{"include: own file last", "-- .cargo/config.toml --\ninclude = [\"a.toml\", { path = \"b.toml\" }, { path = \"gone.toml\", optional = true }]\n[build]\nrustflags = [\"--cfg=mark_own\"]\n-- .cargo/a.toml --\n[build]\nrustflags = [\"--cfg=mark_a\"]\n-- .cargo/b.toml --\ninclude = [\"../deep/c.toml\"]\n[build]\nrustflags = [\"--cfg=mark_b\"]\n-- deep/c.toml --\n[build]\nrustflags = [\"--cfg=mark_c\"]\n", "."},
	{"include: string overridden", "-- .cargo/config.toml --\ninclude = [\"a.toml\", \"b.toml\"]\n-- .cargo/a.toml --\n[build]\nrustflags = \"--cfg=mark_a\"\n-- .cargo/b.toml --\n[build]\nrustflags = \"--cfg=mark_b\"\n", "."},
}

// The effective rustflags must be those that cargo hands to the compiler,
// caught by a wrapper around it.
func TestRustflagsAgainstCargo(t *testing.T) {
	devtest.Long(t, "runs cargo for each case")
	if runtime.GOOS == "windows" {
		t.Skip("the wrapper is a shell script")
	}
	program := realCargo(t)
	for _, c := range rustflagCases {
		t.Run(c.name, func(t *testing.T) {
			a := app
			if c.member != "." {
				a = strings.ReplaceAll(a, "-- ", "-- "+c.member+"/") + "-- Cargo.toml --\n[workspace]\nmembers = [\"" + c.member + "\"]\nresolver = \"2\"\n"
				a = strings.ReplaceAll(a, " --\n", " --\n")
			}
			dir := unpack(t, a+c.files)
			tool := t.TempDir()
			log, wrapper := filepath.Join(tool, "log"), filepath.Join(tool, "wrapper")
			script := "#!/bin/sh\nfor a in \"$@\"; do printf '%s\\n' \"$a\"; done >> '" + log + "'\nprintf -- '----\\n' >> '" + log + "'\nexec \"$@\"\n"
			if err := os.WriteFile(wrapper, []byte(script), 0o777); err != nil {
				t.Fatal(err)
			}
			t.Setenv("CARGO_HOME", tool)
			member := filepath.Join(dir, c.member)
			out, _ := run(t, member, program, "build", "--offline", "--target", cargo.DefaultTarget, "--config", `build.rustc-wrapper="`+wrapper+`"`)
			calls, err := os.ReadFile(log)
			if err != nil {
				t.Fatalf("cargo did not call the compiler: %s", out)
			}
			want := []string{}
			compiled := false
			for _, call := range strings.Split(string(calls), "----\n") {
				if !strings.Contains(call, "--crate-name\napp\n") {
					continue
				}
				compiled = true
				want = want[:0]
				for _, arg := range strings.Split(call, "\n") {
					if strings.HasPrefix(arg, "--cfg=mark") {
						want = append(want, arg)
					}
				}
			}
			if !compiled {
				t.Fatalf("no call for the crate: %s", out)
			}
			p := open(t, member)
			got := []string{}
			for _, f := range p.Cargo.Rustflags.V {
				if strings.HasPrefix(f, "--cfg=mark") {
					got = append(got, f)
				}
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("cargo (-) and project (+) differ:\n%s", d)
			}
			if len(got) > 0 && (p.Cargo.RustflagsTable == "" || p.Cargo.Rustflags.Origin.Line == 0) {
				t.Errorf("table %q, origin %v", p.Cargo.RustflagsTable, p.Cargo.Rustflags.Origin)
			}
		})
	}
}

func TestCargoConfigValues(t *testing.T) {
	dir := unpack(t, app+`
-- .cargo/config.toml --
include = [{ path = "esp.toml", optional = true }]
[build]
target = "riscv32imc-unknown-none-elf"
target-dir = "out/t"
[target.riscv32imc-unknown-none-elf]
runner = "espflash flash --monitor"
linker = "rust-lld"
[target.'cfg(target_arch = "riscv32")']
runner = ["other"]
[unstable]
build-std = ["core", "alloc"]
build-std-features = "compiler-builtins-mem"
[env]
PLAIN = "1"
TABLE = { value = "x", force = true }
REL = { value = "some/path", relative = true }
[alias]
r = "run --release"
[source.crates-io]
replace-with = "mirror"
[source.mirror]
registry = "sparse+https://mirror.example.invalid/"
[registries.own]
index = "https://own.example.invalid/index"
[profile.tiny]
inherits = "release"
-- .cargo/esp.toml --
[env]
ESP_LOG = "debug"
PLAIN = "0"
-- out/t/debug/x --
`)
	p := open(t, dir)
	c := p.Cargo
	if c.Target.V != cargo.DefaultTarget || c.Target.Origin != (config.Origin{File: ".cargo/config.toml", Line: 3, Col: 10}) {
		t.Errorf("target %+v", c.Target)
	}
	if !cmp.Equal(c.BuildStd.V, []string{"core", "alloc"}) || !cmp.Equal(c.BuildStdFeatures.V, []string{"compiler-builtins-mem"}) {
		t.Errorf("build-std %v %v", c.BuildStd, c.BuildStdFeatures)
	}
	want := []cargo.EnvVar{
		{Name: "ESP_LOG", Value: "debug", Force: false, Relative: false, Origin: config.Origin{File: ".cargo/esp.toml", Line: 2, Col: 1}},
		{Name: "PLAIN", Value: "1", Force: false, Relative: false, Origin: config.Origin{File: ".cargo/config.toml", Line: 14, Col: 1}},
		{Name: "REL", Value: "some/path", Force: false, Relative: true, Origin: config.Origin{File: ".cargo/config.toml", Line: 16, Col: 1}},
		{Name: "TABLE", Value: "x", Force: true, Relative: false, Origin: config.Origin{File: ".cargo/config.toml", Line: 15, Col: 1}},
	}
	if d := cmp.Diff(want, c.Env); d != "" {
		t.Error(d)
	}
	if !cmp.Equal(c.Runner.V, []string{"espflash", "flash", "--monitor"}) || c.Linker.V != "rust-lld" || c.TargetDir.V != "out/t" {
		t.Errorf("runner %v, linker %v, target-dir %v", c.Runner, c.Linker, c.TargetDir)
	}
	if len(c.Sources) != 2 || c.Sources[0].ReplaceWith != "mirror" || len(c.Registries) != 1 || !cmp.Equal(c.Profiles, []string{"tiny"}) {
		t.Errorf("sources %+v, registries %+v, profiles %v", c.Sources, c.Registries, c.Profiles)
	}
	for _, f := range p.Files {
		if strings.HasPrefix(f.Path, "out/") {
			t.Errorf("%s of the target directory is in the input tree", f.Path)
		}
	}
}

func TestOutsideConfiguration(t *testing.T) {
	dir := unpack(t, strings.ReplaceAll(app, "-- ", "-- in/")+`
-- .cargo/config.toml --
[build]
rustflags = ["--cfg=outside"]
-- rust-toolchain --
nightly
`)
	p := open(t, filepath.Join(dir, "in"))
	if len(p.Cargo.Rustflags.V) != 0 || p.Toolchain.Channel.V != "stable" {
		t.Errorf("configuration above the project applies: %v, %v", p.Cargo.Rustflags, p.Toolchain)
	}
	if len(p.Cargo.Outside) != 1 || len(p.Notes) != 2 || !strings.Contains(p.Notes[0].Text, "[build]") {
		t.Errorf("outside %v, notes %v", p.Cargo.Outside, p.Notes)
	}
}

func TestCargoConfigFaults(t *testing.T) {
	for _, c := range []struct{ name, config, want string }{
		{"syntax", "[build\n", ".cargo/config.toml:1:"},
		{"type", "[build]\ntarget = 3\n", ".cargo/config.toml:2:10: build.target: want a string"},
		{"flags", "[build]\nrustflags = [1]\n", ".cargo/config.toml:2:14: build.rustflags[0]: want a string"},
		{"missing include", "include = [\"x.toml\"]\n", ".cargo/config.toml:1:12: include \"x.toml\": no such file"},
		{"include cycle", "include = [\"config.toml\"]\n", "cycle"},
		{"include glob", "include = [\"*.toml\"]\n", "want the path of one file"},
		{"include outside", "include = [\"../../x.toml\"]\n", "no such file"},
		{"forbidden env", "[env]\nCARGO_HOME = \"x\"\n", ".cargo/config.toml:2:1: [env] cannot set CARGO_HOME"},
		{"env without value", "[env]\nX = { force = true }\n", ".cargo/config.toml:2:5: env.X: the table has no value"},
		{"patch by path", "[patch.crates-io]\nx = { path = \"../x\" }\n", ".cargo/config.toml:2:14: patch.crates-io.x: a path"},
		{"paths", "paths = [\"x\"]\n", ".cargo/config.toml:1:1: paths: overrides"},
		{"several targets", "[build]\ntarget = [\"a\", \"b\"]\n", "choose one with --target"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := unpack(t, app+"-- .cargo/config.toml --\n"+c.config)
			if _, err := Open(dir, Options{}); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

// Keys that name what only one machine has are replaced, and the user reads so.
func TestMachineKeys(t *testing.T) {
	p := open(t, unpack(t, app+"-- .cargo/config.toml --\n[build]\nrustc-wrapper = \"sccache\"\nbuild-dir = \"x\"\nrustc-workspace-wrapper = \"\"\n"))
	if !slices.Equal(p.Cargo.Machine, []string{"rustc-wrapper", "build-dir"}) {
		t.Errorf("%q", p.Cargo.Machine)
	}
	var notes []string
	for _, n := range p.Notes {
		notes = append(notes, fmt.Sprintf("%s: %s", n.Origin.Short(), n.Text))
	}
	if want := ".cargo/config.toml:2: build.rustc-wrapper sccache does not apply: a build has the locked compiler, and its own directories"; !slices.Contains(notes, want) || len(notes) != 2 {
		t.Errorf("notes %q", notes)
	}
}

// TestLinker has the places that name a linker, and which one rustc takes last.
func TestLinker(t *testing.T) {
	for _, c := range []struct{ name, text, linker, host string }{
		{"name", "[target.riscv32imc-unknown-none-elf]\nlinker = 'flip-link'\n", "flip-link", ""},
		{"relative to the configuration", "[target.riscv32imc-unknown-none-elf]\nlinker = 'tools/ld.sh'\n", "./tools/ld.sh", ""},
		{"beside", "[target.'cfg(target_arch = \"riscv32\")']\nlinker = './ld.sh'\n", "./ld.sh", ""},
		{"absolute", "[target.riscv32imc-unknown-none-elf]\nlinker = '/opt/ld'\n", "/opt/ld", ""},
		{"host", "[target.x86_64-unknown-linux-gnu]\nlinker = 'clang'\n", "", "clang"},
		{"host by cfg", "[target.'cfg(target_os = \"linux\")']\nlinker = 'clang'\n", "", "clang"},
		{"the host's triple before cfg", "[target.'cfg(unix)']\nlinker = 'b'\n[target.x86_64-unknown-linux-gnu]\nlinker = 'a'\n", "", "a"},
		{"flags win", "[target.riscv32imc-unknown-none-elf]\nlinker = 'a'\nrustflags = ['-C', 'linker=b', '-Cforce-frame-pointers', '--codegen=linker=c']\n", "c", ""},
		{"flag in one word", "[build]\nrustflags = '-Clinker=rust-lld -C link-arg=linker=x'\n", "rust-lld", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := open(t, unpack(t, app+"\n-- .cargo/config.toml --\n"+c.text)).Cargo
			if got.Linker.V != c.linker || got.HostLinker.V != c.host {
				t.Errorf("linker %q, of the host %q; want %q, %q", got.Linker.V, got.HostLinker.V, c.linker, c.host)
			}
		})
	}
}
