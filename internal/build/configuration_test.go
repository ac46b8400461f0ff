package build

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/action"
	"espalier.dev/espalier/internal/cargohome"
	"espalier.dev/espalier/internal/devtest/mini"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/store"
)

// What a setting compiles again.
const (
	none        = "nothing"
	application = "own crates" // on the same dependency layer
	layer       = "the dependency layer and own crates"
)

// compiles has every key of espalier.toml with a value that is not its default.
// TestConfigurationCompiles fails when a key is missing.
var compiles = map[string]struct{ text, want string }{
	"build.package":             {"[build]\npackage = \"other\"", layer},
	"build.bin":                 {"[build]\nbin = \"second\"", application},
	"build.example":             {"[build]\nexample = \"third\"", application},
	"build.profile":             {"[build]\nprofile = \"dev\"", layer},
	"build.target":              {"[build]\ntarget = \"riscv32imac-unknown-none-elf\"", layer},
	"build.features":            {"[build]\nfeatures = [\"extra\"]", layer},
	"build.no-default-features": {"[build]\nno-default-features = true", layer},
	"build.all-features":        {"[build]\nall-features = true", layer},
	"build.include":             {"[build]\ninclude = [\"ignored.txt\"]", none}, // a step that reads the file differs
	"build.env":                 {"[build.env]\nSSID = \"workshop\"", application},

	"image.flash-mode":             {"[image]\nflash-mode = \"dout\"", none},
	"image.flash-size":             {"[image]\nflash-size = \"8MB\"", none},
	"image.flash-freq":             {"[image]\nflash-freq = \"40MHz\"", none},
	"image.partition-table":        {"[image]\npartition-table = \"parts.csv\"", none},
	"image.partition-table-offset": {"[image]\npartition-table-offset = 0x9000", none},
	"image.target-app-partition":   {"[image]\ntarget-app-partition = \"factory\"", none},
	"image.bootloader":             {"[image]\nbootloader = \"boot.bin\"", none},
	"image.min-chip-rev":           {"[image]\nmin-chip-rev = 3", none},

	"budget.flash": {"[budget]\nflash = \"900 KB\"", none},
	"budget.ram":   {"[budget]\nram = \"200 KiB\"", none},
	"budget.stack": {"[budget]\nstack = \"32 KiB\"", none},

	"run.expect":  {"[run]\nexpect = \"ready\"", none},
	"run.fail":    {"[run]\nfail = [\"panicked\"]", none},
	"run.timeout": {"[run]\ntimeout = \"31s\"", none},
	"run.for":     {"[run]\nfor = \"2m\"", none},
	"run.log":     {"[run]\nlog = \"run.log\"", none},

	"net.ssid":       {"[net]\nssid = \"workshop\"", none},
	"net.passphrase": {"[net]\npassphrase = \"a trellis in the rain\"", none},
	"net.channel":    {"[net]\nchannel = 6", none},
	"net.mode":       {"[net]\nmode = \"none\"", none},
	"net.hosts":      {"[net]\nhosts = [\"nas.home=192.0.2.9\"]", none},
	"net.forward":    {"[net]\nforward = [\"8080:80\"]", none},
	"net.serve":      {"[net]\nserve = \"www\"", none},

	"faults.schedule": {"[faults]\nschedule = [\"at 2s deauth\"]", none},
	"faults.seed":     {"[faults]\nseed = 2", none},

	"board.use":      {"[board]\nuse = \"xiao-esp32c3\"", none},
	"board.name":     {"[board]\nname = \"greenhouse\"", none},
	"board.chip":     {"[board]\nchip = \"esp32c3\"", none},
	"board.revision": {"[board]\nrevision = \"v1.1\"", none},
	"board.flash":    {"[board]\nflash = \"8MB\"", none},
	"board.pins":     {"[board]\npins = { RELAY = 5 }", none},
	"board.part":     {"[[board.part]]\nname = \"pump\"\ntype = \"led\"\npin = \"GPIO5\"", none},
	"board.wires":    {"[board]\nwires = [[2, 3]]", none},

	"nvs.partition": {"[nvs]\npartition = \"settings\"", none},
	"nvs.devices":   {"[nvs]\ndevices = \"devices.csv\"", none},
	"nvs.encrypted": {"[nvs]\nencrypted = true", none},
	"nvs.keys":      {"[nvs]\nkeys = \"nvs_keys\"", none},

	"supply.prefixes":  {"[supply]\nprefixes = [\"https://mirror.example/debian\"]", none},
	"supply.source":    {"[[supply.source]]\nuri = \"https://deb.example/debian\"\nsuites = [\"bookworm\"]\ncomponents = [\"main\"]\nsigned-by = \"archive.asc\"", none},
	"supply.rust-dist": {"[supply]\nrust-dist = [\"https://mirror.example/rust\"]", none},
	"supply.rust-keys": {"[supply]\nrust-keys = [\"rust.asc\"]", none},

	"toolchain.accept": {"[toolchain]\naccept = \"stable\"", none}, // a lock with another toolchain is another build

	"store.dir":   {"[store]\ndir = \"target/store\"", none},
	"store.limit": {"", none}, // of the user's file only

	"remote.cache": {"", none}, "remote.execute": {"", none}, "remote.runner": {"", none}, "remote.instance": {"", none}, "remote.mode": {"", none}, // the same
	"remote.token-file": {"", none}, "remote.token-header": {"", none},
	"remote.ca": {"", none}, "remote.certificate": {"", none}, "remote.key": {"", none},
}

// TestConfigurationCompiles sets each key of espalier.toml alone. What the
// build's steps are identified by decides what is compiled: the digest of the
// first step, and the key of the records of the application (observed.go).
func TestConfigurationCompiles(t *testing.T) {
	for _, key := range project.Keys() {
		if _, ok := compiles[key]; !ok {
			t.Errorf("%s: what does a change of it compile?", key)
		}
	}
	dir := t.TempDir()
	mini.Write(t, dir)
	write := func(name, text string) {
		t.Helper()
		p := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(p), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	mini.Edit(t, dir, "app/Cargo.toml", "[dependencies]\n", "[features]\ndefault = []\nextra = []\n\n[dependencies]\n")
	write("other/Cargo.toml", "[package]\nname = \"other\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n[dependencies]\nmacros = { path = \"../macros\" }\n")
	write("other/src/main.rs", "fn main() {}\n")
	mini.Edit(t, dir, "Cargo.toml", "\"app\"", "\"app\", \"other\"")
	write("app/src/bin/second.rs", "fn main() {}\n")
	write("app/examples/third.rs", "fn main() {}\n")
	write("ignored.txt", "text")
	write(".gitignore", "ignored.txt\n")
	write("parts.csv", "factory, app, factory, 0x10000, 0x100000\n")
	write("devices.csv", "name,app.id:u32\nkitchen,1\n")
	for _, name := range []string{"boot.bin", "rust.asc", "archive.asc", "www/index.html"} {
		write(name, "text")
	}

	st, err := store.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	pins := &lock.File{Toolchains: []lock.Toolchain{{Host: lock.Host(), Rustc: "1.96.0 (ac68faa20 2026-05-25)"}}}
	pins.Std.Lock = store.DigestOf([]byte("std"))
	type identity struct {
		layer store.Digest
		app   []byte
	}
	of := func(key, text string) identity {
		t.Helper()
		write("espalier.toml", text)
		o := project.Options{Package: "app"}
		if key == "build.package" {
			o = project.Options{}
		}
		p, err := project.Open(dir, o)
		if err != nil {
			t.Fatalf("%s: %v", key, err)
		}
		m := Materials{}
		if m.Rootfs, err = emptyTree(t.Context(), st); err != nil {
			t.Fatal(err)
		}
		m.Vendor = m.Rootfs
		if m.Cargo, err = cargohome.Tree(t.Context(), st, p, pins); err != nil {
			t.Fatal(err)
		}
		pl, err := PlanFor(t.Context(), st, p, pins, m)
		if err != nil {
			t.Fatalf("%s: %v", key, err)
		}
		id, err := action.Digest(t.Context(), st, pl.Deps)
		if err != nil {
			t.Fatal(err)
		}
		app, err := observedKey(t.Context(), st, pl, pl.app)
		if err != nil {
			t.Fatal(err)
		}
		return identity{id, app}
	}
	base := of("", "[build]\nbin = \"app\"\n")
	for _, key := range slices.Sorted(maps.Keys(compiles)) {
		c := compiles[key]
		text := c.text
		switch key {
		case "build.package", "build.bin", "build.example": // they choose the program
		default:
			text = strings.Replace("[build]\nbin = \"app\"\n"+text, "\"app\"\n[build]\n", "\"app\"\n", 1)
		}
		now := of(key, text+"\n")
		got := none
		switch {
		case now.layer != base.layer:
			got = layer
		case !bytes.Equal(now.app, base.app):
			got = application
		}
		if got != c.want {
			t.Errorf("%s: compiles %s, want %s", key, got, c.want)
		}
	}
}
