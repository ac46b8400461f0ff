package cli

import (
	"bytes"
	"debug/elf"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"espalier.dev/espalier/esp/image"
	"espalier.dev/espalier/esp/partition"
	"espalier.dev/espalier/internal/elftest"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/sandbox"
	"espalier.dev/espalier/internal/store"
)

var update = flag.Bool("update", false, "rewrite the expected output in testdata/script")

func TestMain(m *testing.M) {
	sandbox.Init()
	testscript.Main(m, map[string]func(){
		"espalier": func() { os.Exit(Main(os.Args[1:])) },
		"stubborn": func() { os.Exit(stubborn()) },
	})
}

// TestScripts specifies the command line: each file under testdata/script runs
// the real program.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       *update,
		Setup: func(e *testscript.Env) error {
			home := filepath.Join(e.WorkDir, "home")
			e.Setenv("HOME", home)
			e.Setenv("XDG_CONFIG_HOME", filepath.Join(home, "config"))
			e.Setenv("XDG_CACHE_HOME", filepath.Join(home, "cache"))
			return writeSpecimens(filepath.Join(e.WorkDir, "in"))
		},
		Cmds: scriptCommands(),
	})
}

// scriptCommands are the commands that scripts have besides testscript's own.
func scriptCommands() map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){
		// edit FILE OLD NEW replaces the one place of a file where OLD stands.
		"edit": func(ts *testscript.TestScript, neg bool, args []string) {
			if neg || len(args) != 3 {
				ts.Fatalf("usage: edit file old new")
			}
			name := ts.MkAbs(args[0])
			b, err := os.ReadFile(name)
			ts.Check(err)
			if n := bytes.Count(b, []byte(args[1])); n != 1 {
				ts.Fatalf("%s has %d times %q", args[0], n, args[1])
			}
			ts.Check(os.WriteFile(name, bytes.Replace(b, []byte(args[1]), []byte(args[2]), 1), 0o666))
		},
		// for-each-verb REGEXP runs every verb that opens a project and wants exit 2
		// and a line of stderr; the last verb's output stays for the next command.
		"for-each-verb": func(ts *testscript.TestScript, neg bool, args []string) {
			if neg || len(args) != 1 {
				ts.Fatalf("usage: for-each-verb regexp")
			}
			want := regexp.MustCompile("(?m)" + args[0])
			for _, verb := range []string{"lock", "fetch", "shell", "why", "verify", "run", "build"} {
				err := ts.Exec("espalier", verb)
				if err == nil || err.Error() != "exit status 2" || !want.MatchString(ts.ReadFile("stderr")) {
					ts.Fatalf("%s: %v, want exit status 2 and %q", verb, err, args[0])
				}
			}
		},
		// status N runs a program and wants its exit status; any will do for "any".
		"status": func(ts *testscript.TestScript, neg bool, args []string) {
			if neg || len(args) < 2 {
				ts.Fatalf("usage: status N command [args...]")
			}
			want := args[0]
			code := 0
			if err := ts.Exec(args[1], args[2:]...); err != nil {
				var n int
				if _, scanErr := fmt.Sscanf(err.Error(), "exit status %d", &n); scanErr != nil {
					ts.Fatalf("%v", err)
				}
				code = n
			}
			if want != "any" && fmt.Sprint(code) != want {
				ts.Fatalf("exit status %d, want %s", code, want)
			}
		},
	}
}

// writeSpecimens puts inputs of every kind, good and bad, into dir.
func writeSpecimens(dir string) error {
	change := func(f func(*elftest.File)) []byte {
		e := elftest.Hello()
		f(&e)
		return e.Bytes()
	}
	hello := elftest.Hello().Bytes()
	flash, err := image.FromELF(hello, image.Inputs{Bootloader: elftest.Bootloader(5)})
	if err != nil {
		return err
	}
	app := flash.App()
	badApp := bytes.Clone(app)
	badApp[0x200] ^= 1
	badTable := flash.Merged()
	badTable[0x8005] ^= 1
	foreign := bytes.Clone(app)
	foreign[12] = 13
	sample, err := lock.Encode(sampleLock())
	if err != nil {
		return err
	}
	files := map[string][]byte{
		"espalier.lock":    sample,
		"newer.lock":       bytes.Replace(sample, []byte("version = 2"), []byte("version = 99"), 1),
		"hello.elf":        hello,
		"xtensa.elf":       change(func(f *elftest.File) { f.Machine = elf.EM_XTENSA }),
		"c6.elf":           change(func(f *elftest.File) { f.Sections[7].Data = []byte("esp32c60") }),
		"c6-stripped.elf":  change(func(f *elftest.File) { f.Sections[0].Addr = 0x4080_0000; f.Symbols = nil }),
		"nodesc.elf":       change(func(f *elftest.File) { f.Sections[4].Name = ".rodata0" }),
		"cut.elf":          hello[:len(hello)/2],
		"app.bin":          app,
		"bad-checksum.bin": badApp,
		"c6.bin":           foreign,
		"cut.bin":          app[:0x400],
		"bootloader.bin":   flash.Parts[0].Bytes,
		"flash.bin":        flash.Merged(),
		"flash-trim.bin":   flash.Trimmed(),
		"flash-odd.bin":    flash.Merged()[:4<<20-100],
		"flash-table.bin":  badTable,
		"table.bin":        partition.Default(0).Binary(),
		"empty":            {},
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o666); err != nil {
			return err
		}
	}
	return nil
}

// sampleLock is a small lock with something of everything.
func sampleLock() *lock.File {
	d := func(s string) store.Digest { return store.DigestOf([]byte(s)) }
	sized := func(s string, size int64) store.Digest { return store.Digest{Hash: d(s).Hash, Size: size} }
	return &lock.File{
		Version: lock.Version,
		Tool:    "espalier 0.1.0",
		Project: lock.Project{SourceDateEpoch: 1_700_000_000, Layout: 1, CargoLock: d("Cargo.lock")},
		Toolchains: []lock.Toolchain{{
			Host: "linux/amd64", Supplier: "debian:bookworm+bookworm-security", Channel: "stable", Rustc: "1.96.0", Prune: 1, Rootfs: d("rootfs"),
			Index: []lock.Evidence{{File: "bookworm InRelease", Digest: d("InRelease"), Verified: true}},
			Packages: []lock.Package{
				{Name: "libc6", Version: "2.36-9", Arch: "amd64", Digest: sized("libc6", 2_700_000), Path: "pool/main/g/glibc/libc6_2.36-9_amd64.deb"},
				{Name: "rustc-web", Version: "1.96.0", Arch: "amd64", Digest: sized("rustc", 63_000_000), Path: "pool/main/r/rustc-web/rustc-web_1.96.0_amd64.deb"},
			},
		}},
		Std: lock.Std{Lock: d("std")},
		Crates: []lock.Crate{
			{Name: "addr2line", Version: "0.25.0", Digest: sized("addr2line", -1), For: []string{"std"}},
			{Name: "esp-hal", Version: "1.2.2", Digest: sized("esp-hal", -1), For: []string{"project"}},
		},
		Git: []lock.Git{{URL: "https://git.example.invalid/net.git", Ref: "branch=main", Commit: "0123456789abcdef0123456789abcdef01234567", Tree: d("git"), Crates: []string{"net 0.1.0"}}},
		Blobs: []lock.Blob{
			{Name: "bootloader", Digest: sized("bootloader", 20_560), From: "espflash 4.7.0: resources/bootloaders/esp32c3-bootloader.bin", Crate: sized("espflash", -1)},
			{Name: "rom-rev300", Digest: sized("rom", 556_332), From: "espflash 4.7.0: resources/roms/esp32c3_rev300_rom.elf", Crate: sized("espflash", -1)},
		},
		Golden: []lock.Golden{{ELF: d("elf"), Image: d("image")}},
	}
}
