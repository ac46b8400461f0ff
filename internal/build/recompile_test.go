package build_test

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"espalier.dev/espalier/internal/devtest/mini"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/store"
)

// file writes a file of the project; an empty text removes it.
func (b *bench) file(name, text string) {
	b.t.Helper()
	p := filepath.Join(b.dir, filepath.FromSlash(name))
	var err error
	if text == "" {
		err = os.RemoveAll(p)
	} else if err = os.MkdirAll(filepath.Dir(p), 0o777); err == nil {
		err = os.WriteFile(p, []byte(text), 0o666)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) link(name, to string) {
	b.t.Helper()
	p := filepath.Join(b.dir, filepath.FromSlash(name))
	os.Remove(p)
	if err := os.Symlink(to, p); err != nil {
		b.t.Fatal(err)
	}
}

// reader makes the project read files in every way in which a build can, and
// keep what it reads in the program. Each run makes a program that no earlier
// run has left in the store.
func (b *bench) reader() {
	b.file("app/src/main.rs", strings.Replace(`#![no_std]
#![no_main]
mod module;
#[path = "../elsewhere/named.rs"]
mod named;
include!("included.rs");
#[no_mangle]
pub extern "C" fn _start() -> ! {
    let all: [&str; 14] = [
        "NONCE", module::TEXT, named::TEXT, INCLUDED, include_str!("../text.txt"), include_str!("../link.txt"),
        env!("FROM_DECLARED"), env!("FROM_UNDECLARED"), env!("FROM_LIST"), env!("FROM_EXISTS"), env!("CONFIGURED"),
        macros::read!(), concat!("option ", env!("CARGO_PKG_DESCRIPTION")),
        concat!("rust ", env!("CARGO_PKG_RUST_VERSION")),
    ];
    core::hint::black_box(&all);
    core::hint::black_box(cfg::text());
    loop {}
}
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {}
}
`, "NONCE", strconv.FormatInt(time.Now().UnixNano(), 10), 1))
	b.file("app/src/module.rs", `pub const TEXT: &str = "module 1";`)
	b.file("app/elsewhere/named.rs", `pub const TEXT: &str = "named 1";`)
	b.file("app/src/included.rs", `pub const INCLUDED: &str = "included 1";`)
	b.file("app/text.txt", "text 1")
	b.file("app/target.txt", "target 1")
	b.file("app/target2.txt", "target 2")
	b.link("app/link.txt", "target.txt")
	b.file("app/declared.txt", "declared 1")
	b.file("app/undeclared.txt", "undeclared 1")
	b.file("app/list/one", "x")
	b.file("macros/macro.txt", "macro 1")
	// One script declares what it reads, which does not matter; it does not
	// declare all.
	b.file("app/build.rs", `use std::{env, fs, path::Path};
fn main() {
    println!("cargo:rerun-if-changed=declared.txt");
    println!("cargo:rustc-link-arg-bins=-T{}/app.x", env::var("CARGO_MANIFEST_DIR").unwrap());
    println!("cargo:rustc-env=FROM_DECLARED={}", fs::read_to_string("declared.txt").unwrap());
    println!("cargo:rustc-env=FROM_UNDECLARED={}", fs::read_to_string("undeclared.txt").unwrap());
    let mut names: Vec<_> = fs::read_dir("list").unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    println!("cargo:rustc-env=FROM_LIST=list {}", names.join(","));
    println!("cargo:rustc-env=FROM_EXISTS=exists {}", Path::new("maybe.txt").exists());
}
`)
	b.file("macros/src/lib.rs", `use proc_macro::TokenStream;
#[proc_macro]
pub fn read(_: TokenStream) -> TokenStream {
    format!("{:?}", std::fs::read_to_string("macros/macro.txt").unwrap()).parse().unwrap()
}
`)
	b.file("app/memory.ld", "drom : ORIGIN = 0x3C000020, LENGTH = 0x10000\nirom : ORIGIN = 0x42010020, LENGTH = 0x10000\n")
	b.file("app/app.x", `ENTRY(_start)
MEMORY { INCLUDE memory.ld }
SECTIONS {
  .rodata : ALIGN(4) { *(.rodata .rodata.* .srodata .srodata.*) *(.data.rel.ro .data.rel.ro.*) } > drom
  .text : ALIGN(4) { *(.text .text.*) } > irom
  /DISCARD/ : { *(.eh_frame .eh_frame_hdr) }
}
`)
	mini.Edit(b.t, b.dir, "app/Cargo.toml", "edition.workspace = true\n", "edition.workspace = true\ndescription = \"about 1\"\nrust-version = \"1.60\"\n")
	b.file(".cargo/config.toml", "[build]\ntarget = \"riscv32imc-unknown-none-elf\"\nrustflags = [\"-Clink-arg=-Lapp\"]\n\n[unstable]\nbuild-std = [\"core\"]\n\n[env]\nCONFIGURED = \"configured 1\"\n")
}

// TestRecompile changes one thing at a time: what the build has used makes
// another program, the rest compiles nothing.
func TestRecompile(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("steps are observed on amd64 only")
	}
	b := newBench(t)
	b.reader()
	b.lock(1700000001)
	b.build()
	b.rec.take()

	edit := func(name, old, new string) func() { return func() { mini.Edit(b.t, b.dir, name, old, new) } }
	write := func(name, text string) func() { return func() { b.file(name, text) } }

	// nothing is not used by anything.
	nothing := map[string]func(){
		"README.md, new":           write("app/README.md", "read me"),
		"README.md of the root":    write("README.md", "read me"),
		"README.md, edited":        write("app/README.md", "read me again"),
		"documents":                write("docs/guide.md", "text"),
		"an untracked file":        write("app/notes.txt", "text"),
		"a file next to a module":  write("app/src/unused.rs", "text"),
		"CI":                       write(".github/workflows/ci.yml", "on: push"),
		"[run] of espalier.toml":   write("espalier.toml", "[run]\ntimeout = \"30s\"\n[net]\nchannel = 6\n[image]\nflash-size = \"4MB\"\n"),
		"[net] of espalier.toml":   write("espalier.toml", "[net]\nchannel = 11\n[faults]\nseed = 2\n[budget]\nstack = \"1 KiB\"\n[board]\nname = \"mini\"\n"),
		"files that a run writes":  func() { b.file("run.log", "log"); b.file("air.pcap", "pcap"); b.file("dist/app.elf", "elf") },
		"a comment in Cargo.toml":  edit("app/Cargo.toml", "[dependencies]", "# comment\n[dependencies]"),
		"package.metadata":         edit("app/Cargo.toml", "[dependencies]", "[package.metadata.x]\na = 1\n[dependencies]"),
		"a comment in the config":  edit(".cargo/config.toml", "[env]", "# comment\n[env]"),
		"a symbolic link":          func() { b.link("app/other", "text.txt") },
		"a file that a link names": write("app/target2.txt", "target two"),
		"a test":                   write("cfg/tests/other.rs", "fn main() {}"),
	}
	for _, name := range slices.Sorted(maps.Keys(nothing)) {
		before := b.build().ELF
		b.rec.take()
		nothing[name]()
		out := b.build()
		did := b.rec.take()
		if name == "a test" { // the first: cargo then allows link arguments for tests
			if len(did["dependencies"]) != 0 {
				t.Errorf("%s: compiled %q", name, did)
			}
		} else if len(did["app"])+len(did["dependencies"]) != 0 {
			t.Errorf("%s: compiled %q", name, did)
		}
		if out.ELF != before {
			t.Errorf("%s: another program", name)
		}
	}

	// Everything that is used. The new text is in the program.
	for _, c := range []struct {
		name, want string
		change     func()
	}{
		{"a module", "module 2", edit("app/src/module.rs", "1", "2")},
		{"#[path]", "named 2", edit("app/elsewhere/named.rs", "1", "2")},
		{"include!", "included 2", edit("app/src/included.rs", "1", "2")},
		{"include_str!", "text 2", edit("app/text.txt", "1", "2")},
		{"the target of a link", "target 3", edit("app/target.txt", "1", "3")},
		{"another link", "target two", func() { b.link("app/link.txt", "target2.txt") }},
		{"a file of a build script", "declared 2", edit("app/declared.txt", "1", "2")},
		{"a file of a build script, undeclared", "undeclared 2", edit("app/undeclared.txt", "1", "2")},
		{"a list of files", "list one,two", write("app/list/two", "x")},
		{"a file that comes into being", "exists true", write("app/maybe.txt", "x")},
		{"a file of a macro", "macro 2", edit("macros/macro.txt", "1", "2")},
		{"[env]", "configured 2", edit(".cargo/config.toml", "configured 1", "configured 2")},
		{"the manifest", "about 2", edit("app/Cargo.toml", "about 1", "about 2")},
		{"rust-version", "rust 1.61", edit("app/Cargo.toml", "1.60", "1.61")},
	} {
		c.change()
		out := b.build()
		if did := b.rec.take(); !slices.Contains(did["app"], "app") || len(did["dependencies"]) != 0 {
			t.Errorf("%s: compiled %q", c.name, did)
		}
		if !bytes.Contains(out.Bytes, []byte(c.want)) {
			t.Errorf("%s: %q is not in the program", c.name, c.want)
		}
	}
	// The linker's scripts: one that is named, one that it includes, and one
	// that it has looked for in another directory before.
	for _, c := range []struct {
		name   string
		change func()
	}{
		{"a linker script", edit("app/app.x", "ALIGN(4) { *(.text", "ALIGN(64) { *(.text")},
		{"an included linker script", edit("app/memory.ld", "0x42010020", "0x42020020")},
		{"a linker script in a directory that is searched earlier", write("memory.ld", "drom : ORIGIN = 0x3C000020, LENGTH = 0x10000\nirom : ORIGIN = 0x42030020, LENGTH = 0x10000\n")},
	} {
		before := b.build().ELF
		b.rec.take()
		c.change()
		out := b.build()
		if did := b.rec.take(); !slices.Contains(did["app"], "app") || out.ELF == before {
			t.Errorf("%s: compiled %q, another program: %v", c.name, did, out.ELF != before)
		}
	}
	// A file that goes, too; the result of the state before it came is kept.
	b.file("app/maybe.txt", "")
	if last := b.build(); !bytes.Contains(last.Bytes, []byte("exists false")) {
		t.Error("a file that is gone is still in the program")
	}
	last := b.build()

	// An earlier state of the sources has its own record.
	mini.Edit(t, b.dir, "app/src/module.rs", "2", "3")
	b.file("README.md", "another")
	b.build()
	b.rec.take()
	mini.Edit(t, b.dir, "app/src/module.rs", "3", "2")
	if again := b.build(); again.ELF != last.ELF || b.rec.take()["app"] != nil {
		t.Error("an edit that is taken back is compiled again")
	}

	// Another program of the package compiles on the same layer.
	b.file("app/src/bin/second.rs", "#![no_std]\n#![no_main]\n#[no_mangle]\npub extern \"C\" fn _start() -> ! { loop {} }\n"+
		"#[panic_handler]\nfn panic(_: &core::panic::PanicInfo) -> ! { loop {} }\n")
	b.file("app/examples/third.rs", "#![no_std]\n#![no_main]\n#[no_mangle]\npub extern \"C\" fn _start() -> ! { loop {} }\n"+
		"#[panic_handler]\nfn panic(_: &core::panic::PanicInfo) -> ! { loop {} }\n")
	for _, o := range []project.Options{{Package: "app", Flags: project.Flags{Bin: "second"}}, {Package: "app", Flags: project.Flags{Example: "third"}}} {
		p, err := project.Open(b.dir, o)
		if err != nil {
			t.Fatal(err)
		}
		out, err := b.runner().Run(t.Context(), b.planOf(p))
		if err != nil {
			t.Fatal(err)
		}
		if did := b.rec.take(); len(did["dependencies"]) != 0 || out.ELF == last.ELF {
			t.Errorf("%+v: compiled %q", o, did)
		}
	}
	b.file("app/src/bin/second.rs", "")
	b.file("app/examples", "")

	// A new layer starts with the compiled standard library of an earlier one,
	// and is the layer that it would be otherwise.
	layer, err := b.runner().Layer(t.Context(), b.plan())
	if err != nil {
		t.Fatal(err)
	}
	b.rec.take()
	b.pins.Project.SourceDateEpoch = time.Now().Unix()
	again, err := b.runner().Layer(t.Context(), b.plan())
	if err != nil {
		t.Fatal(err)
	}
	if did := b.rec.take()["dependencies"]; !slices.Contains(did, "cfg-if") || slices.Contains(did, "core") {
		t.Errorf("the new layer compiled %q", did)
	}
	b.sameLayer(layer, again)
	b.pins.Project.SourceDateEpoch = 1700000001

	// The proof that nothing was missed.
	if s := b.scratch(); s.ELF != last.ELF {
		t.Errorf("with kept results %v, from scratch %v", last.ELF, s.ELF)
	}
}

// TestEarlierLayer adds a dependency: the new layer compiles that one, and is
// the layer that it would be otherwise.
func TestEarlierLayer(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("steps are observed on amd64 only")
	}
	b := newBench(t)
	const dependency = "portable-atomic = { version = \"1\", default-features = false }\n"
	shorter := strings.Replace(mini.CargoLock, " \"portable-atomic\",\n", "", 1)
	shorter, _, _ = strings.Cut(shorter, "\n[[package]]\nname = \"portable-atomic\"")
	mini.Edit(t, b.dir, "cfg/Cargo.toml", dependency, "")
	b.file("Cargo.lock", shorter)
	date := time.Now().Unix() // so that no earlier run has left the layers
	layer := func() (store.Digest, []string) {
		t.Helper()
		b.lock(date)
		l, err := b.runner().Layer(t.Context(), b.plan())
		if err != nil {
			t.Fatal(err)
		}
		return l, b.rec.take()["dependencies"]
	}
	layer()
	mini.Edit(t, b.dir, "cfg/Cargo.toml", "cfg-if = \"1\"\n", "cfg-if = \"1\"\n"+dependency)
	b.file("Cargo.lock", mini.CargoLock)
	more, did := layer()
	if !slices.Contains(did, "portable-atomic") || slices.Contains(did, "cfg-if") || slices.Contains(did, "core") {
		t.Errorf("with a dependency more the layer compiled %q", did)
	}
	alone, err := b.runner().LayerFromLibrary(t.Context(), b.plan())
	if err != nil {
		t.Fatal(err)
	}
	if did := b.rec.take()["dependencies"]; !slices.Contains(did, "cfg-if") {
		t.Errorf("the layer for comparison compiled %q", did)
	}
	b.sameLayer(alone, more)

	// A dependency less: its units are gone.
	mini.Edit(t, b.dir, "cfg/Cargo.toml", dependency, "")
	mini.Edit(t, b.dir, "cfg/Cargo.toml", "cfg-if = \"1\"\n", "cfg-if = \"1\" # again\n")
	b.file("Cargo.lock", shorter+"\n")
	less, did := layer()
	err = b.st.Walk(t.Context(), less, func(e store.Entry) error {
		if strings.Contains(e.Path, "portable") {
			t.Errorf("the layer still has %s", e.Path)
		}
		return nil
	})
	if err != nil || slices.Contains(did, "cfg-if") {
		t.Errorf("%v: compiled %q", err, did)
	}
}

// sameLayer compares what was compiled.
func (b *bench) sameLayer(want, got store.Digest) {
	b.t.Helper()
	err := b.st.Diff(b.t.Context(), want, got, func(d store.Difference) error {
		// The order in cargo's lists of sources and in its cache of compiler
		// outputs differs each time.
		if name := d.Path; !strings.HasPrefix(filepath.Base(name), "dep-lib-") && filepath.Ext(name) != ".d" && name != ".rustc_info.json" {
			b.t.Errorf("%s differs", name)
		}
		return nil
	})
	if err != nil {
		b.t.Error(err)
	}
}
