package lock

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"espalier.dev/espalier/internal/atomicfile"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/store"
)

var refresh = flag.Bool("refresh", false, "rewrite the golden files")

func dig(s string, size int64) store.Digest {
	d := store.DigestOf([]byte(s))
	d.Size = size
	return d
}

const commit = "0123456789abcdef0123456789abcdef01234567"
const index = "registry+https://index.example.invalid/crates.io-index"

// sample is a lock with one of everything, out of order.
func sample() *File {
	return &File{
		Tool:    "espalier 0.1.0",
		Project: Project{SourceDateEpoch: 1700000000, Layout: 1, CargoLock: dig("lock", 4), Env: []string{"PASSWORD", "SSID"}},
		Toolchains: []Toolchain{{
			Host: "linux/arm64", Supplier: "debian:bookworm", Channel: "stable", Rustc: "1.96.0 (ac68faa20 2026-05-25)", Prune: 1,
		}, {
			Host: "linux/amd64", Supplier: "debian:bookworm+bookworm-security", Channel: "stable", Rustc: "1.96.0 (ac68faa20 2026-05-25)", Prune: 1, Rootfs: dig("rootfs", 142),
			Index: []Evidence{{File: "bookworm-security InRelease", Digest: dig("rel", 3), Signer: "ABCDEF0123456789", Date: "2026-11-20T10:00:00Z", Verified: true}, {File: "bookworm InRelease", Digest: dig("rel0", 4)}},
			Packages: []Package{
				{Name: "rustc-web", Version: "1.96.0+dfsg1-1~deb12u2", Arch: "amd64", Digest: dig("rustc", 63_000_000), Path: "pool/updates/main/r/rustc-web/rustc-web_1.96.0_amd64.deb"},
				{Name: "libc6", Version: "2.36-9", Arch: "amd64", Digest: dig("libc", 2_700_000), Path: "pool/main/g/glibc/libc6_2.36-9_amd64.deb"},
			},
		}},
		Std: Std{Lock: dig("stdlock", 7)},
		Crates: []Crate{
			{Name: "smoltcp", Version: "0.12.0", Digest: dig("smoltcp", 400_000), For: []string{"project"}},
			{Name: "cfg-if", Version: "1.0.4", Digest: dig("cfg-if", -1), For: []string{"std", "project"}},
			{Name: "addr2line", Version: "0.25.0", Digest: dig("addr2line", -1), For: []string{"std"}},
			{Name: "own", Version: "1.0.0", Source: "registry+https://own.example.invalid/index", Digest: dig("own", 10), For: []string{"project"}},
		},
		Git:    []Git{{URL: "https://git.example.invalid/net.git", Ref: "branch=main", Commit: commit, Tree: dig("tree", 80), Crates: []string{"net-z 0.1.0", "net 0.2.0", "a 1.0.0", "b 1.0.0"}}},
		Blobs:  []Blob{{Name: "rom-rev3", Digest: dig("rom", 5), From: "espflash 4.7.0: resources/roms/x.elf", Crate: dig("crate", 9)}, {Name: "bootloader", Digest: dig("boot", 5), From: "a \"quoted\" \\ name\t"}},
		Golden: []Golden{{ELF: dig("elf", 1), Image: dig("image", 2)}, {Firmware: "app", Profile: "dev", Action: dig("action", 4), ELF: dig("elf", 3), Image: dig("image", 4)}},
	}
}

// sampleProject is a project whose lock sample is, but for Cargo.lock's digest.
func sampleProject(t testing.TB, f *File, edit ...string) *project.Project {
	t.Helper()
	dir := t.TempDir()
	h := func(name string) string {
		for _, c := range f.Crates {
			if c.Name == name {
				return c.Digest.Hash
			}
		}
		return ""
	}
	files := map[string]string{
		"Cargo.toml":  "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2021\"\nrust-version = \"1.95\"\n[dependencies]\nsmoltcp = \"0.12\"\nnet = { git = \"https://git.example.invalid/net.git\", branch = \"main\" }\nmaybe = { version = \"1\", optional = true }\n",
		"src/main.rs": "",
		"Cargo.lock": "version = 4\n[[package]]\nname = \"app\"\nversion = \"0.1.0\"\ndependencies = [\n \"net\",\n \"smoltcp 0.12.0\",\n]\n" +
			pkg("cfg-if", "1.0.4", index, h("cfg-if")) + pkg("smoltcp", "0.12.0", index, h("smoltcp")) +
			pkg("own", "1.0.0", "registry+https://own.example.invalid/index", h("own")) +
			pkg("net", "0.2.0", "git+https://git.example.invalid/net.git?branch=main#"+commit, ""),
		".cargo/config.toml": "[unstable]\nbuild-std = [\"core\"]\n",
	}
	for i := 0; i+2 < len(edit); i += 3 {
		files[edit[i]] = strings.Replace(files[edit[i]], edit[i+1], edit[i+2], 1)
	}
	for name, text := range files {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	p, err := project.Open(dir, project.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func pkg(name, version, source, checksum string) string {
	s := "[[package]]\nname = \"" + name + "\"\nversion = \"" + version + "\"\nsource = \"" + source + "\"\n"
	if checksum != "" {
		s += "checksum = \"" + checksum + "\"\n"
	}
	return s
}

func checkGolden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *refresh {
		if err := os.WriteFile(path, got, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("%s (-) differs; go test -refresh rewrites it:\n%s", name, d)
	}
}

func TestCanonical(t *testing.T) {
	b, err := Encode(sample())
	if err != nil {
		t.Fatal(err)
	}
	checkGolden(t, "sample.lock", b)
	f, err := Decode(FileName, b)
	if err != nil {
		t.Fatal(err)
	}
	want := sample()
	want.Version = Version
	want.sort()
	if d := cmp.Diff(want, f); d != "" {
		t.Errorf("decoded:\n%s", d)
	}
	again, err := Encode(f)
	if err != nil || string(again) != string(b) {
		t.Errorf("not canonical: %v\n%s", err, cmp.Diff(string(b), string(again)))
	}
	// Another order in the file is the same lock.
	parts := strings.Split(string(b), "\n[[crate]]\n")
	parts[1], parts[2] = parts[2], parts[1]
	f, err = Decode(FileName, []byte(strings.Join(parts, "\n[[crate]]\n")))
	if err != nil {
		t.Fatal(err)
	}
	if again, _ = Encode(f); string(again) != string(b) {
		t.Error("order in the file matters")
	}
}

// Hands that edit the file leave traces.
func TestDecodeFaults(t *testing.T) {
	b, err := Encode(sample())
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for _, c := range []struct{ name, old, new, want string }{
		{"newer", "version = 2\n", "version = 3\n", "espalier.lock:2:11: version 3 was written by espalier 0.1.0; this program reads versions up to 2"},
		{"no version", "version = 2\n", "", "no version"},
		{"version 0", "version = 2\n", "version = 0\n", "version 0 does not exist"},
		{"unknown key", "prune = 1\n", "prune = 1\nprunes = 2\n", `unknown key "prunes" in [toolchain]; did you mean "prune"?`},
		{"unknown table", "[std]\n", "[stds]\n", `unknown key "stds"; did you mean "std"?`},
		{"bad digest", "[std]\nlock = \"sha256:", "[std]\nlock = \"sha256:z", `digest "sha256:z`},
		{"upper case", "cargo-lock = \"sha256:", "cargo-lock = \"SHA256:", "want sha256:<hex>"},
		{"number for digest", "[std]\nlock = \"", "[std]\nlock = 3 #", "lock: want a string, found an integer"},
		{"epoch", "source-date-epoch = 1700000000", "source-date-epoch = -1", "needs source-date-epoch"},
		{"no project", "[project]\nsource-date-epoch = 1700000000\nlayout = 1\ncargo-lock", "[std]\nlock", "toml: table std already exists"},
		{"path with host", "path = \"pool/main/", "path = \"https://h/pool/main/", "is a location"},
		{"path that climbs", "path = \"pool/main/g", "path = \"pool/../../g", "is not clean"},
		{"absolute path", "path = \"pool/main/g", "path = \"/pool/main/g", "is not relative"},
		{"crate twice", "name = \"smoltcp\"\nversion = \"0.12.0\"\n", "name = \"cfg-if\"\nversion = \"1.0.4\"\n", "crate cfg-if 1.0.4  appears twice"},
		{"for nothing", "for = [\"std\"]", "for = []", "for must be"},
		{"for something else", "for = [\"std\"]", "for = [\"me\"]", "for must be"},
		{"short commit", "commit = \"" + commit + "\"", "commit = \"0123456\"", `commit "0123456": want a full object id`},
		{"ref", "ref = \"branch=main\"", "ref = \"main\"", `ref "main": want rev=`},
		{"size missing", "/63000000\"", "\"", "digest of rustc-web has no size"},
		{"host twice", "host = \"linux/arm64\"", "host = \"linux/amd64\"", "toolchain for linux/amd64 appears twice"},
		{"golden twice", "firmware = \"app\"\nprofile = \"dev\"\n", "", "appears twice"},
		{"golden key", "action = ", "actions = ", `unknown key "actions"`},
		{"golden digest", "action = \"sha256:", "action = \"sha256:z", `digest "sha256:z`},
		{"conflict", "[std]\n", "<<<<<<< HEAD\n[std]\n", "espalier.lock:"},
		{"control", "name = \"libc6\"", "name = \"lib\\nc6\"", "control character"},
	} {
		t.Run(c.name, func(t *testing.T) {
			edited := strings.Replace(text, c.old, c.new, 1)
			if edited == text {
				t.Fatal("the edit changed nothing")
			}
			_, err := Decode(FileName, []byte(edited))
			want := strings.TrimPrefix(c.want, "toml: table ")
			if want != c.want {
				want = "std"
			}
			if err == nil || !strings.Contains(err.Error(), want) || fault.KindOf(err) != fault.Pins || len(fault.Hints(err)) == 0 {
				t.Errorf("got %v, hints %q; want %s", err, fault.Hints(err), c.want)
			}
			if err != nil && !strings.HasPrefix(err.Error(), "espalier.lock:") {
				t.Errorf("no place: %v", err)
			}
		})
	}
}

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, FileName)
	if _, err := Read(path); fault.KindOf(err) != fault.Pins || fault.Hints(err)[0] != "espalier lock" {
		t.Errorf("missing: %v", err)
	}
	killed, longAgo := filepath.Join(dir, atomicfile.Prefix+"killed"), time.Now().Add(-2*time.Hour)
	if err := errors.Join(os.WriteFile(killed, []byte("half"), 0o600), os.Chtimes(killed, longAgo, longAgo)); err != nil {
		t.Fatal(err)
	}
	f := sample()
	if err := Write(path, f); err != nil {
		t.Fatal(err)
	}
	before, _ := os.Stat(path)
	if err := Write(path, f); err != nil {
		t.Fatal(err)
	}
	after, _ := os.Stat(path)
	if !os.SameFile(before, after) {
		t.Error("an unchanged lock was written again")
	}
	f.Golden = nil
	if err := Write(path, f); err != nil {
		t.Fatal(err)
	}
	got, err := Read(path)
	if err != nil || got.Golden != nil {
		t.Errorf("%v %+v", err, got)
	}
	left, _ := os.ReadDir(dir)
	if len(left) != 1 {
		t.Errorf("files are left: %v", left)
	}
	f.Crates[0].For = nil
	if err := Write(path, f); fault.KindOf(err) != fault.Bug {
		t.Errorf("an invalid lock was written: %v", err)
	}
	if got, err := Read(path); err != nil || len(got.Crates) != 4 {
		t.Errorf("the old lock is gone: %v", err)
	}
}

func TestCheck(t *testing.T) {
	today := facts{layout: 1, host: "linux/amd64", blobs: []string{"bootloader", "rom-rev3"}, prune: 1}
	for _, c := range []struct {
		name string
		edit []string // file, old, new of the project
		lock func(f *File)
		now  func(n *facts)
		want []string // of the lines
	}{
		{name: "fits"},
		{name: "other formatting", edit: []string{"Cargo.lock", "version = 4\n", "version = 4\n\n"}, want: []string{"Cargo.lock: the project has sha256:"}},
		{name: "crate new", edit: []string{"Cargo.lock", "[[package]]\nname = \"cfg-if\"", pkg("new", "1.0.0", index, strings.Repeat("ab", 32)) + "[[package]]\nname = \"cfg-if\""}, want: []string{"Cargo.lock:9:3: crate new 1.0.0: the project has it, espalier.lock has none"}},
		{name: "crate moved", edit: []string{"Cargo.lock", "name = \"smoltcp\"\nversion = \"0.12.0\"", "name = \"smoltcp\"\nversion = \"0.12.1\""}, want: []string{"crate smoltcp 0.12.1: the project has it", "crate smoltcp 0.12.0: the project has none, espalier.lock has it"}},
		{name: "checksum", edit: []string{"Cargo.lock", dig("smoltcp", 0).Hash, strings.Repeat("cd", 32)}, want: []string{"checksum of crate smoltcp 0.12.0: the project has cdcd"}},
		{name: "git moved", edit: []string{"Cargo.lock", "#0123", "#ffff"}, want: []string{"git crate net 0.2.0: the project has https://git.example.invalid/net.git at ffff", "git https://git.example.invalid/net.git: the project has no crate from 0123"}},
		{name: "git crate unknown", lock: func(f *File) { f.Git[0].Crates = []string{"other 1.0.0"} }, want: []string{"git crate net 0.2.0: the project has it, espalier.lock has the commit without it"}},
		{name: "dependency not in Cargo.lock", edit: []string{"Cargo.toml", "[dependencies]\n", "[dependencies]\nextra = \"1\"\n"}, want: []string{"Cargo.toml:7 adds extra, which Cargo.lock does not have"}},
		{name: "own version", edit: []string{"Cargo.toml", "0.1.0", "0.2.0"}, want: []string{"Cargo.toml has app 0.2.0, Cargo.lock has 0.1.0"}},
		{name: "layout", now: func(n *facts) { n.layout = 2 }, want: []string{"sandbox layout: the project has 2, espalier.lock has 1"}},
		{name: "host", now: func(n *facts) { n.host = "linux/riscv64" }, want: []string{"toolchain: the project has a build on linux/riscv64, espalier.lock has only linux/arm64, linux/amd64"}},
		{name: "channel", lock: func(f *File) { f.Toolchains[1].Channel = "1.96.0" }, want: []string{"toolchain channel: the project has stable, espalier.lock has 1.96.0"}},
		{name: "rust-version", edit: []string{"Cargo.toml", "1.95", "1.97"}, want: []string{"Cargo.toml:5:16: rustc for app: the project has rust-version 1.97, espalier.lock has 1.96.0"}},
		{name: "std", lock: func(f *File) { f.Std = Std{} }, want: []string{".cargo/config.toml:2:14: build-std: the project has core, espalier.lock has no pins for std"}},
		{name: "blob", now: func(n *facts) { n.blobs = append(n.blobs, "stub") }, want: []string{"blob stub: the project has to be there"}},
		{name: "prune", now: func(n *facts) { n.prune = 2 }, want: []string{"unpacking rule of linux/amd64: the project has 2"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := sample()
			f.Project.CargoLock = sampleProject(t, f).CargoLock.Digest()
			p := sampleProject(t, f, c.edit...)
			now := today
			if c.lock != nil {
				c.lock(f)
			}
			if c.now != nil {
				c.now(&now)
			}
			got := check(p, f, now)
			if len(got) != len(c.want) {
				t.Fatalf("got %v, want %q", got, c.want)
			}
			for i, s := range got {
				if !strings.Contains(s.String(), c.want[i]) {
					t.Errorf("line %d: %s\nwant %s", i, s, c.want[i])
				}
			}
			err := Fault(got)
			if (err == nil) != (len(got) == 0) || err != nil && (fault.KindOf(err) != fault.Pins || !contains(fault.Hints(err), "espalier lock")) {
				t.Errorf("fault %v", err)
			}
		})
	}
}

// All that is stale is said at once, as far as it can be read.
func TestFaultLists(t *testing.T) {
	var all []Stale
	for i := range 13 {
		all = append(all, Stale{What: fmt.Sprintf("crate c%d 1.0.0", i), Want: "it", Have: "none"})
	}
	two := Fault(all[:2]).Error()
	if want := "espalier.lock does not match the project: crate c0 1.0.0: the project has it, espalier.lock has none\n" +
		"crate c1 1.0.0: the project has it, espalier.lock has none"; two != want {
		t.Errorf("got %q, want %q", two, want)
	}
	many := strings.Split(Fault(all).Error(), "\n")
	if len(many) != maxReported+1 || many[maxReported] != "and 3 more" {
		t.Errorf("%q", many)
	}
	if exact := Fault(all[:maxReported]).Error(); strings.Contains(exact, "more") || strings.Count(exact, "\n") != maxReported-1 {
		t.Errorf("%q", exact)
	}
}

func TestLoad(t *testing.T) {
	f := sample()
	p := sampleProject(t, f)
	f.Project.CargoLock = p.CargoLock.Digest()
	for i := range f.Blobs {
		if strings.HasPrefix(f.Blobs[i].Name, "rom") {
			f.Blobs[i].Name = RequiredBlobs()[1]
		}
	}
	for i := range f.Toolchains {
		if _, ok := f.Toolchain(Host()); !ok {
			f.Toolchains[i].Host = Host()
		}
	}
	path := filepath.Join(p.Workspace, FileName)
	if _, err := Load(p); fault.KindOf(err) != fault.Pins {
		t.Errorf("unlocked: %v", err)
	}
	if err := Write(path, f); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(p); err != nil {
		t.Error(err)
	}
	f.Project.Layout++
	if err := Write(path, f); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(p); fault.KindOf(err) != fault.Pins {
		t.Errorf("stale: %v", err)
	}
}

func render(d Diff) []byte {
	var b strings.Builder
	for _, l := range d.Lines() {
		b.WriteString(map[string]string{"": " ", Added: "+", Removed: "-", Moved: "~"}[l.Kind] + " " + l.Text + "\n")
	}
	return []byte(b.String())
}

func TestDiff(t *testing.T) {
	first := Compare(nil, sample())
	checkGolden(t, "first.txt", render(first))
	if first.Empty() || !Compare(sample(), sample()).Empty() {
		t.Error("Empty")
	}
	to := sample()
	to.Toolchains[1].Packages[1].Digest = dig("libc again", 2_700_000)
	to.Toolchains[1].Rustc = "1.97.1 (x 2026-07-01)"
	to.Toolchains[1].Packages[0].Version = "1.97.1+dfsg1-1"
	to.Toolchains[1].Packages[0].Digest = dig("rustc2", 65_000_000)
	to.Toolchains = to.Toolchains[1:]
	to.Crates[0].Version, to.Crates[0].Digest = "0.13.0", dig("smoltcp13", 420_000)
	to.Crates = append(to.Crates, Crate{Name: "heapless", Version: "0.9.0", Digest: dig("heapless", 90_000), For: []string{"project"}},
		Crate{Name: "smoltcp", Version: "0.11.0", Digest: dig("smoltcp11", 390_000), For: []string{"project"}})
	to.Crates = append(to.Crates[:3], to.Crates[4:]...)
	to.Git[0].Commit = strings.Repeat("f", 40)
	to.Blobs[1].Digest = dig("boot2", 5)
	to.sort()
	to.Golden = nil
	to.Project.SourceDateEpoch++
	d := Compare(sample(), to)
	checkGolden(t, "moved.txt", render(d))
	b, err := json.MarshalIndent(d, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	checkGolden(t, "moved.json", append(b, '\n'))
}

func FuzzDecode(f *testing.F) {
	b, err := Encode(sample())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	for _, s := range []string{"version = 1\n", "version = 2\ntool = 'x'\n", "version = 1\n[project]\n", "version = 1\n[[crate]]\n[[crate.x]]\n", "version = 1\ntoolchain = [1]\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := Decode(FileName, b)
		if err != nil {
			if fault.KindOf(err) != fault.Pins {
				t.Fatal(err)
			}
			return
		}
		first, err := Encode(file)
		if err != nil {
			t.Fatalf("decoded, but cannot be encoded: %v", err)
		}
		again, err := Decode(FileName, first)
		if err != nil {
			t.Fatal(err)
		}
		if second, _ := Encode(again); string(first) != string(second) {
			t.Fatal("not canonical")
		}
		Compare(file, again).Lines()
		Compare(nil, file).Lines()
	})
}

// Locks of version 1, which had one target, are still read.
func TestVersion1(t *testing.T) {
	b, err := Encode(sample())
	if err != nil {
		t.Fatal(err)
	}
	old := strings.Replace(string(b), "version = 2\n", "version = 1\n", 1)
	old = strings.Replace(old, "env = [\"PASSWORD\", \"SSID\"]\n", "", 1)
	old = strings.Replace(old, "layout = 1\n", "target = \"riscv32imc-unknown-none-elf\"\nlayout = 1\n", 1)
	got, err := Decode(FileName, []byte(old))
	if err != nil {
		t.Fatal(err)
	}
	want := sample()
	want.Version, want.Project.Env = 1, nil
	want.sort()
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
		t.Error(d)
	}
	if _, err := Decode(FileName, []byte(strings.Replace(old, "version = 1\n", "version = 2\n", 1))); err == nil {
		t.Error("a lock of version 2 has a target")
	}
}

// The single [golden] of older locks is read, as that of any firmware, and written as a list.
func TestOldGolden(t *testing.T) {
	b, err := Encode(sample())
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(b), "\n[[golden]]\nfirmware")
	f, err := Decode(FileName, []byte(strings.Replace(first, "[[golden]]", "[golden]", 1)))
	if err != nil {
		t.Fatal(err)
	}
	got, ok := f.GoldenOf("any", "")
	if !ok || got.ELF != dig("elf", 1) || got.Image != dig("image", 2) {
		t.Errorf("%+v, %v", got, ok)
	}
	if _, ok := f.GoldenOf("any", "dev"); ok {
		t.Error("the result of a release is that of another profile")
	}
	f.SetGolden(Golden{Firmware: "app", ELF: dig("elf", 3), Image: dig("image", 4)})
	if again, err := Encode(f); err != nil || strings.Count(string(again), "[[golden]]") != 1 || !strings.Contains(string(again), "firmware = \"app\"") {
		t.Errorf("%v\n%s", err, again)
	}
}
