package project

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"espalier.dev/espalier/emu/defaultnet"
	"espalier.dev/espalier/internal/cargo"
	"espalier.dev/espalier/internal/fault"
)

const everything = `
-- espalier.toml --
[build]
profile = "dev"
features = ["a", "b"]
no-default-features = true
[image]
flash-mode = "qio"
flash-size = "8MB"
partition-table = "parts/table.csv"
min-chip-rev = 3
[run]
expect = "hello"
fail = ["panic", "/E[0-9]+/"]
timeout = "30s"
for = "2m"
[supply]
prefixes = ["https://mirror.example.invalid/debian"]
[[supply.source]]
uri = "https://deb.example.invalid/debian"
suites = ["bookworm", "bookworm-security"]
[store]
dir = "../store"
-- parts/table.csv --
-- espflash.toml --
baudrate = 460800
[idf_format_args]
partition_table = "other.csv"
[flash]
size = "4MB"
frequency = "80MHz"
-- other.csv --
`

func TestLayers(t *testing.T) {
	dir := unpack(t, strings.Replace(app, "[package]", "[features]\na = []\nb = []\nc = []\n[package]", 1)+everything)
	user := filepath.Join(t.TempDir(), "user.toml")
	if err := os.WriteFile(user, []byte("[run]\ntimeout = \"5s\"\nlog = \"x.log\"\n[store]\ndir = \"/var/espalier\"\n[[supply.source]]\nuri = \"https://own.example.invalid\"\nsuites = [\"x\"]\ncomponents = [\"a\", \"b\"]\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"ESPALIER_TIMEOUT": "1m", "ESPALIER_FLASH_SIZE": "16mb", "ESPALIER_EXPECT": "one, two"}
	guest := 7 * time.Second
	p, err := Open(dir, Options{UserFile: user, CacheDir: filepath.Dir(dir), Lookup: func(n string) (string, bool) { v, ok := env[n]; return v, ok },
		Flags: Flags{Profile: "release", For: &guest, Features: []string{"c"}}})
	if err != nil {
		t.Fatal(err)
	}
	c := p.Espalier
	type row struct{ name, value, origin, hidden string }
	got := map[string]row{}
	for _, s := range c.Explain() {
		var h []string
		for _, o := range s.Hidden {
			h = append(h, strings.Replace(o.String(), user, "USER", 1))
		}
		got[s.Name] = row{s.Name, s.Value, strings.Replace(s.Origin.String(), user, "USER", 1), strings.Join(h, " ")}
	}
	for _, want := range []row{
		{"build.profile", "release", "flag --profile", "espalier.toml:2:11"},
		{"build.features", "c", "flag --features", "espalier.toml:3:1"},
		{"build.no-default-features", "true", "espalier.toml:4:23", ""},
		{"build.target", cargo.DefaultTarget, "default", ""},
		{"image.flash-size", "16mb", "environment ESPALIER_FLASH_SIZE", "espalier.toml:7:14 espflash.toml:5:8"},
		{"image.flash-freq", "80MHz", "espflash.toml:6:13", ""},
		{"image.partition-table", "parts/table.csv", "espalier.toml:8:19", "espflash.toml:3:19"},
		{"run.expect", "one, two", "environment ESPALIER_EXPECT", "espalier.toml:11:10"},
		{"run.fail", "panic, /E[0-9]+/", "espalier.toml:12:1", ""},
		{"run.timeout", "1m", "environment ESPALIER_TIMEOUT", "espalier.toml:13:11 USER:2:11"},
		{"run.for", "7s", "flag --for", "espalier.toml:14:7"},
		{"run.log", "x.log", "USER:3:7", ""},
		{"store.dir", "../store", "espalier.toml:21:7", "USER:5:7"},
	} {
		if d := cmp.Diff(want, got[want.name], cmp.AllowUnexported(row{})); d != "" {
			t.Error(d)
		}
	}
	if c.Run.Timeout.V != time.Minute || c.Run.For.V != guest || c.Image.FlashSize.V != "16MB" || c.Image.MinChipRev.V != 3 || !c.Build.NoDefaultFeatures.V {
		t.Errorf("%+v", c)
	}
	if c.Image.PartitionTable.V != "parts/table.csv" || c.Store.V != filepath.Join(filepath.Dir(dir), "store") {
		t.Errorf("paths: %q, %q", c.Image.PartitionTable.V, c.Store.V)
	}
	if len(c.Supply.Sources) != 2 || c.Supply.Sources[0].Components[0] != "main" || c.Supply.Sources[1].URI != "https://own.example.invalid" {
		t.Errorf("sources %+v", c.Supply.Sources)
	}
	if p.Profile != "release" {
		t.Errorf("profile %s", p.Profile)
	}
}

// The emulated access point has the credentials that the firmware is built
// with, unless [net] says otherwise.
func TestCredentials(t *testing.T) {
	const cargo = "-- .cargo/config.toml --\n[env]\nSSID = \"a\"\nPASSWORD = \"first one\"\n"
	for _, c := range []struct{ name, files, ssid, pass, origin string }{
		{"nothing", "", defaultnet.SSID, defaultnet.Passphrase, "default"},
		{"cargo", cargo, "a", "first one", ".cargo/config.toml:3:1"},
		{"build.env", cargo + "-- espalier.toml --\n[build.env]\nPASSWORD = \"second one\"\n", "a", "second one", "espalier.toml:2:1"},
		{"secret", cargo + "-- espalier.toml --\n[build.env]\nPASSWORD = { secret = true }\n", "a", "third one", "espalier.toml:2:1"},
		{"net", cargo + "-- espalier.toml --\n[net]\nssid = \"b\"\npassphrase = \"\"\n", "b", "", "espalier.toml:3:14"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := Open(unpack(t, app+c.files), Options{Lookup: func(name string) (string, bool) { return "third one", name == "PASSWORD" }})
			if err != nil {
				t.Fatal(err)
			}
			n := p.Espalier.Net
			if n.SSID.V != c.ssid || n.Passphrase.V != c.pass || n.Passphrase.Origin.String() != c.origin {
				t.Errorf("%q, %q from %s", n.SSID.V, n.Passphrase.V, n.Passphrase.Origin)
			}
			for _, s := range p.Espalier.Explain() {
				if strings.Contains(s.Value, "third one") {
					t.Errorf("%s shows the secret", s.Name)
				}
			}
		})
	}
}

func TestEspalierFaults(t *testing.T) {
	for _, c := range []struct{ name, toml, want string }{
		{"unknown table", "[buidl]\n", `espalier.toml:1:2: unknown key "buidl"; did you mean "build"?`},
		{"unknown key", "[run]\nexpected = \"x\"\n", `espalier.toml:2:1: unknown key "expected" in [run]; did you mean "expect"?`},
		{"type", "[run]\ntimeout = 3\n", "espalier.toml:2:11: run.timeout: want a string, found an integer"},
		{"duration", "[run]\ntimeout = \"3\"\n", `espalier.toml:2:11: run.timeout: "3" is not a duration, such as 30s`},
		{"renamed net mode", "[net]\nmode = \"island\"\n", `espalier.toml:2:8: net.mode: "island" is now called "isolated"`},
		{"mode", "[image]\nflash-mode = \"spi\"\n", `espalier.toml:2:14: image.flash-mode: "spi" is not one of qio, qout, dio, dout`},
		{"no such table", "[image]\npartition-table = \"x.csv\"\n", "x.csv: no such file"},
		{"table outside", "[image]\npartition-table = \"/etc/hosts\"\n", "is outside the project"},
		{"rustflags", "[build.env]\nRUSTFLAGS = \"x\"\n", "espalier.toml:2:1: build.env cannot set RUSTFLAGS: it would replace"},
		{"secret with value", "[build.env]\nP = { value = \"x\", secret = true }\n", "a secret must not be in a file"},
		{"empty table", "[build.env]\nP = { }\n", "want a string, {from-env = true} or {secret = true}"},
		{"variable's key", "[build.env]\nP = { from_env = true }\n", `did you mean "from-env"?`},
		{"source", "[[supply.source]]\nuri = \"https://x.example.invalid\"\n", "espalier.toml:1:10: [[supply.source]] needs uri and suites"},
		{"uri", "[[supply.source]]\nuri = \"x\"\nsuites = [\"s\"]\n", "espalier.toml:2:7: uri \"x\": want an address"},
		{"profile", "[build]\nprofile = \"fast\"\n", `espalier.toml:2:11: no profile "fast" in Cargo.toml`},
		{"both", "[build]\nbin = \"app\"\nexample = \"x\"\n", "exclude each other"},
		{"cache of a project", "[remote]\ncache = \"grpcs://x.example\"\n", "espalier.toml:1:2: [remote] is for all projects that share the store"},
		{"cluster of a project", "[remote]\nexecute = \"grpcs://x.example\"\n", "espalier.toml:1:2: [remote] is for all projects that share the store"},
		{"syntax", "[build\n", "espalier.toml:1:7: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := unpack(t, app+"-- espalier.toml --\n"+c.toml)
			_, err := Open(dir, Options{})
			if err == nil || !strings.Contains(err.Error(), c.want) || fault.KindOf(err) != fault.Usage {
				t.Errorf("got %v, want %s", err, c.want)
			}
			if strings.Contains(fmt.Sprint(err), dir) {
				t.Errorf("whole path in %v", err)
			}
		})
	}
	dir := unpack(t, app+"-- user.toml --\n[build]\nprofile = \"dev\"\n")
	if _, err := Open(dir, Options{UserFile: filepath.Join(dir, "user.toml")}); err == nil || !strings.Contains(err.Error(), "user.toml:1:2: [build] changes what is built") {
		t.Errorf("user file: %v", err)
	}
}

func TestToolchainFile(t *testing.T) {
	for _, c := range []struct {
		name, files, channel, want string
	}{
		{"none", "", "stable", ""},
		{"one line", "-- rust-toolchain --\n1.97.1\n", "1.97.1", ""},
		{"legacy TOML", "-- rust-toolchain --\n[toolchain]\nchannel = \"nightly-2025-01-01\"\n", "nightly-2025-01-01", ""},
		{"modern", "-- rust-toolchain.toml --\n[toolchain]\nchannel = \"stable\"\ncomponents = [\"rust-src\"]\ntargets = [\"riscv32imc-unknown-none-elf\"]\nprofile = \"minimal\"\n", "stable", ""},
		{"only targets", "-- rust-toolchain.toml --\n[toolchain]\ntargets = [\"x\"]\n", "stable", ""},
		{"legacy wins", "-- rust-toolchain --\nbeta\n-- rust-toolchain.toml --\n[toolchain]\nchannel = \"stable\"\n", "beta", ""},
		{"above the member", "-- sub/.keep --\n-- rust-toolchain --\nbeta\n", "beta", ""},
		{"empty file", "-- rust-toolchain --\n", "", "empty"},
		{"empty table", "-- rust-toolchain.toml --\n[toolchain]\n", "", "has none of channel"},
		{"no table", "-- rust-toolchain.toml --\n", "", "has none of channel"},
		{"channel in modern as a line", "-- rust-toolchain.toml --\nstable\n", "", "rust-toolchain.toml:1:"},
		{"unknown key", "-- rust-toolchain.toml --\n[toolchain]\nchanel = \"x\"\n", "", `did you mean "channel"?`},
		{"profile", "-- rust-toolchain.toml --\n[toolchain]\nprofile = \"tiny\"\n", "", "want minimal, default or complete"},
		{"path and channel", "-- rust-toolchain.toml --\n[toolchain]\nchannel = \"x\"\npath = \"y\"\n", "", "exclude each other"},
		{"path", "-- rust-toolchain.toml --\n[toolchain]\npath = \"y\"\n", "", ""},
		{"two words", "-- rust-toolchain --\n1.0 beta\n", "", "want one word"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := Open(unpack(t, app+c.files), Options{})
			if c.want != "" {
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("got %v, want %s", err, c.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if p.Toolchain.Channel.V != c.channel {
				t.Errorf("channel %q, want %q", p.Toolchain.Channel.V, c.channel)
			}
		})
	}
}

func TestChoice(t *testing.T) {
	virtual := func(bins ...string) string {
		s := "-- Cargo.toml --\n[workspace]\nmembers = [\"m/*\"]\nresolver = \"2\"\n-- m/lib/Cargo.toml --\n[package]\nname = \"lib\"\nversion = \"0.1.0\"\n-- m/lib/src/lib.rs --\n"
		for _, b := range bins {
			s += "-- m/" + b + "/Cargo.toml --\n[package]\nname = \"" + b + "\"\nversion = \"0.1.0\"\nedition = \"2021\"\n-- m/" + b + "/src/main.rs --\n"
		}
		return s
	}
	two := strings.Replace(app, "edition", "default-run = \"b\"\nedition", 1) + "-- src/bin/b.rs --\n"
	for _, c := range []struct {
		name, files, dir string
		opts             Options
		pkg, artifact    string // "bin app"
		want             string
	}{
		{"only binary", app, ".", Options{}, "app", "bin app", ""},
		{"below the package", app, "src", Options{}, "app", "bin app", ""},
		{"virtual with one binary", virtual("fw"), ".", Options{}, "fw", "bin fw", ""},
		{"virtual with two", virtual("a", "b"), ".", Options{}, "", "", "several packages make a firmware: a, b"},
		{"virtual with two, inside one", virtual("a", "b"), "m/b", Options{}, "b", "bin b", ""},
		{"virtual with two, named", virtual("a", "b"), ".", Options{Package: "a"}, "a", "bin a", ""},
		{"virtual with two, by binary", virtual("a", "b"), ".", Options{Flags: Flags{Bin: "a"}}, "a", "bin a", ""},
		{"inside the library, one binary elsewhere", virtual("fw"), "m/lib", Options{}, "fw", "bin fw", ""},
		{"named, missing", virtual("a"), ".", Options{Package: "x"}, "", "", `no package "x" in the workspace (flag --package); it has a, lib`},
		{"espalier.toml names it", virtual("a", "b") + "-- espalier.toml --\n[build]\npackage = \"b\"\n", ".", Options{}, "b", "bin b", ""},
		{"default-members", strings.Replace(virtual("a", "b"), "resolver", "default-members = [\"m/a\"]\nresolver", 1), ".", Options{}, "a", "bin a", ""},
		{"firmware and xtask", strings.Replace(virtual("fw", "xtask"), "name = \"fw\"\nversion = \"0.1.0\"\nedition = \"2021\"\n", "name = \"fw\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[dependencies]\nesp-hal = \"1\"\n", 1), ".", Options{}, "fw", "bin fw", ""},
		{"inside the xtask", strings.Replace(virtual("fw", "xtask"), "name = \"fw\"\nversion = \"0.1.0\"\nedition = \"2021\"\n", "name = \"fw\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[dependencies]\nesp-hal = \"1\"\n", 1), "m/xtask/src", Options{}, "fw", "bin fw", ""},
		{"nothing", virtual(), ".", Options{}, "lib", "", "neither a binary nor an example"},
		{"default-run", two, ".", Options{}, "app", "bin b", ""},
		{"two binaries", app + "-- src/bin/b.rs --\n", ".", Options{}, "app", "", "several binaries: app, b"},
		{"example", app + "-- examples/e.rs --\n", ".", Options{Flags: Flags{Example: "e"}}, "app", "example e", ""},
		{"no such binary", app, ".", Options{Flags: Flags{Bin: "x"}}, "app", "", `package app has no bin "x"; it has app`},
		{"flag beats file", app + "-- examples/e.rs --\n-- espalier.toml --\n[build]\nbin = \"app\"\n", ".", Options{Flags: Flags{Example: "e"}}, "app", "example e", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := Open(filepath.Join(unpack(t, c.files), c.dir), c.opts)
			var a cargo.Target
			if err == nil {
				if p.Package != c.pkg {
					t.Errorf("package %s, want %s", p.Package, c.pkg)
				}
				a, err = p.Artifact()
			}
			if c.want != "" {
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("got %v, want %s", err, c.want)
				}
				return
			}
			if err != nil || a.Kind+" "+a.Name != c.artifact {
				t.Errorf("%v %v, want %s", a, err, c.artifact)
			}
		})
	}
	empty := t.TempDir()
	_, err := Open(empty, Options{})
	if err == nil || !strings.Contains(err.Error(), "no Cargo.toml here") || !cmp.Equal(fault.Hints(err), []string{"espalier new hello"}) {
		t.Errorf("empty directory: %v %q", err, fault.Hints(err))
	}
}

func FuzzEspalier(f *testing.F) {
	f.Add([]byte(strings.Split(everything, " --\n")[1]))
	for _, s := range []string{"[build.env]\nA = {secret=true}\n", "[run]\nexpect = [1]\n", "[[supply.source]]\n", "[image]\npartition-table-offset = 0x8000\n"} {
		f.Add([]byte(s))
	}
	dir := f.TempDir()
	for name, text := range map[string]string{"Cargo.toml": "[package]\nname = \"a\"\nversion = \"0.1.0\"\n", "main.rs": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			f.Fatal(err)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := os.WriteFile(filepath.Join(dir, FileName), b, 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir, Options{}); err != nil && fault.KindOf(err) != fault.Usage {
			t.Fatal(err)
		}
	})
}
