package sbom

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"espalier.dev/espalier/esp/image"
	"espalier.dev/espalier/internal/build"
	"espalier.dev/espalier/internal/cargo"
	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/size"
	"espalier.dev/espalier/internal/store"
)

const index = "registry+https://github.com/rust-lang/crates.io-index"

func digest(s string) store.Digest { return store.DigestOf([]byte(s)) }

// sample is a firmware with what a bill distinguishes: crates with and without
// bytes, two versions of one crate, a macro, a git crate, a static library, the
// ready-made standard library, the mask ROM.
func sample() Inputs {
	registry := func(name, version string, chip bool, depends ...string) build.Compiled {
		c := build.Compiled{ID: index + "#" + name + "@" + version, Name: name, Version: version, Source: index, Depends: depends,
			About: cargo.About{License: "MIT OR Apache-2.0", Authors: []string{"The " + name + " authors <" + name + "@example.com>"}}}
		if chip {
			c.Crates = []string{strings.ReplaceAll(name, "-", "_")}
		}
		return c
	}
	id := func(name, version string) string { return index + "#" + name + "@" + version }
	git := "git+https://git.example.com/net.git?branch=main#net@0.2.0"
	owner := func(name string, kind size.Kind, flash uint64, versions ...string) size.Owner {
		return size.Owner{Name: name, Kind: kind, Flash: flash, Parts: size.Parts{Code: flash}, Versions: versions}
	}
	compiled := []build.Compiled{
		{ID: "path+file:///src#app@1.4.0", Name: "app", Version: "1.4.0", Source: "path+file:///src", Crates: []string{"app"},
			Depends: []string{id("glue", "0.1.0"), id("esp-wifi-sys", "0.8.1"), git}, About: cargo.About{License: "Example Proprietary Licence 2", Authors: []string{"Example Ltd"}}},
		registry("glue", "0.1.0", true, id("heapless", "0.8.0"), id("derive", "1.0.0")),
		registry("heapless", "0.8.0", true),
		registry("heapless", "0.7.0", true),
		registry("types-only", "1.0.0", true),
		registry("derive", "1.0.0", false, id("syn", "2.0.0")),
		registry("syn", "2.0.0", false),
		registry("esp-wifi-sys", "0.8.1", true),
		{ID: git, Name: "net", Version: "0.2.0", Source: "git+https://git.example.com/net.git?branch=main", Crates: []string{"net"}},
	}
	boot := lock.Blob{Name: "bootloader", Digest: digest("boot"), From: "espflash 4.7.0: resources/bootloaders/esp32c3-bootloader.bin", Crate: digest("crate")}
	return Inputs{
		Name: "app", Package: "app", Supplier: "Example Ltd", ELF: digest("elf"), Boot: boot, Host: "linux/amd64", Tool: "1.2.3",
		Commit: "0123456789abcdef0123456789abcdef01234567", Sources: digest("sources"),
		Flash: &image.Flash{Size: 4 << 20, Parts: []image.Part{{Name: "bootloader", Bytes: []byte("boot 2")},
			{Name: "partition-table", Offset: 0x8000, Bytes: []byte("table")}, {Name: "app", Offset: 0x10000, Bytes: []byte("app")}}},
		Compiled: compiled,
		Size: &size.Report{DebugUnits: 3, ROM: []string{"ets_printf", "memcpy"}, Owners: []size.Owner{
			owner("app", size.Crate, 900), owner("heapless", size.Crate, 300, "0.8.0"), owner("esp_wifi_sys", size.Crate, 10),
			owner("net", size.Crate, 50), owner("core", size.Crate, 80), owner("libpp.a", size.Library, 4000), owner(size.Padding, size.None, 12),
		}},
		Archives: []Archive{{"libpp.a", digest("libpp"), lock.Crate{Name: "esp-wifi-sys", Version: "0.8.1"}}, {"libother.a", digest("other"), lock.Crate{Name: "esp-wifi-sys", Version: "0.8.1"}}},
		Steps:    []Step{{"app", digest("action")}},
		Pins: &lock.File{
			Project: lock.Project{SourceDateEpoch: 1700000000},
			Toolchains: []lock.Toolchain{{Host: "linux/amd64", Supplier: "debian:bookworm+bookworm-security", Rustc: "1.96.0 (ac68faa20 2026-05-25)",
				Packages: []lock.Package{{Name: "rustc-web", Version: "1:1.96.0+dfsg1-1~deb12u2", Arch: "amd64", Digest: digest("deb")}}}},
			Crates: []lock.Crate{{Name: "heapless", Version: "0.8.0", Digest: digest("heapless 0.8.0"), For: []string{"project"}}},
			Git:    []lock.Git{{URL: "https://git.example.com/net.git", Commit: "89abcdef0123456789abcdef0123456789abcdef", Tree: digest("net"), Crates: []string{"net 0.2.0"}}},
			Blobs:  []lock.Blob{boot, {Name: "rom-rev300", Digest: digest("rom"), From: "espflash 4.7.0: resources/roms/esp32c3_rev300_rom.elf"}},
		},
	}
}

func names(list []Component) (out []string) {
	for _, c := range list {
		out = append(out, strings.TrimSuffix(c.Name+" "+c.Version, " "))
	}
	slices.Sort(out)
	return out
}

func find(t *testing.T, list []Component, name string) Component {
	t.Helper()
	for _, c := range list {
		if c.Name == name {
			return c
		}
	}
	t.Fatalf("%s is not in %q", name, names(list))
	return Component{}
}

// What has bytes is inside, in the version that has them; what has none is not.
func TestAssemble(t *testing.T) {
	b := Assemble(sample())
	want := []string{"ESP32-C3 mask ROM rev300", "app 1.4.0", "app.elf 1.4.0", "bootloader 4.7.0", "core 1.96.0", "esp-wifi-sys 0.8.1",
		"heapless 0.8.0", "libpp.a 0.8.1", "net 0.2.0", "partition-table 1.4.0"}
	if got := names(b.Inside); !slices.Equal(got, want) {
		t.Errorf("inside %q\nwant   %q", got, want)
	}
	want = []string{"derive 1.0.0", "glue 0.1.0", "heapless 0.7.0", "rustc-web 1:1.96.0+dfsg1-1~deb12u2", "syn 2.0.0", "types-only 1.0.0"}
	if got := names(b.Build); !slices.Equal(got, want) {
		t.Errorf("build %q\nwant  %q", got, want)
	}
	// The graph goes through glue, of which nothing is left.
	app := find(t, b.Inside, "app")
	if want := []string{"pkg:cargo/esp-wifi-sys@0.8.1", "pkg:cargo/heapless@0.8.0", "pkg:cargo/net@0.2.0?vcs_url=git%2Bhttps:%2F%2Fgit.example.com%2Fnet.git%4089abcdef0123456789abcdef0123456789abcdef"}; !slices.Equal(app.Depends, want) {
		t.Errorf("app depends on %q, want %q", app.Depends, want)
	}
	for name, want := range map[string]store.Digest{"heapless": digest("heapless 0.8.0"), "libpp.a": digest("libpp"), "bootloader": digest("boot"), "app.elf": digest("elf")} {
		if got := find(t, b.Inside, name).Digest; got != want {
			t.Errorf("%s has digest %s, want %s", name, got, want)
		}
	}
	if got, want := find(t, b.Build, "rustc-web").PURL, "pkg:deb/debian/rustc-web@1:1.96.0%2Bdfsg1-1~deb12u2?arch=amd64&distro=bookworm"; got != want {
		t.Errorf("package URL %s, want %s", got, want)
	}
	if wifi := find(t, b.Inside, "esp-wifi-sys"); !slices.Contains(wifi.Depends, "library:libpp.a") {
		t.Errorf("the crate with the library depends on %q", wifi.Depends)
	}

	// Without debug information inlined code is not attributed: everything that was
	// compiled for the chip may be inside.
	in := sample()
	in.Size.DebugUnits = 0
	got := names(Assemble(in).Inside)
	for _, name := range []string{"types-only 1.0.0", "glue 0.1.0", "heapless 0.7.0"} {
		if !slices.Contains(got, name) {
			t.Errorf("%s is not inside without debug information: %q", name, got)
		}
	}
	if slices.Contains(got, "derive 1.0.0") {
		t.Error("a macro is inside")
	}
}

func TestDeterministic(t *testing.T) {
	for _, encode := range []func(Bill) ([]byte, error){CycloneDX, SPDX} {
		first, err := encode(Assemble(sample()))
		if err != nil {
			t.Fatal(err)
		}
		other := sample()
		slices.Reverse(other.Compiled)
		slices.Reverse(other.Size.Owners)
		if second, err := encode(Assemble(other)); err != nil || !bytes.Equal(first, second) {
			t.Errorf("equal firmware gives other bytes: %v", err)
		}
		other.ELF = digest("another")
		if third, err := encode(Assemble(other)); err != nil || bytes.Equal(first, third) {
			t.Errorf("another firmware gives equal bytes: %v", err)
		}
		if bytes.Contains(first, []byte("null")) {
			t.Errorf("null in\n%s", first)
		}
	}
}

// TestCycloneDXPeer reads the document with the library of CycloneDX, which has the
// schema, and looks at what that library understood.
func TestCycloneDXPeer(t *testing.T) {
	devtest.Long(t, "starts Python")
	text, err := CycloneDX(Assemble(sample()))
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "bom.json")
	if err := os.WriteFile(name, text, 0o666); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(devtest.Tool(t, "cyclonedx-python"), "-c", cyclonedxReader, name).CombinedOutput()
	if want := "components 10 dependencies 11 root app 1.4.0\n"; err != nil || string(out) != want {
		t.Errorf("%v: %s, want %s", err, out, want)
	}
	broken := bytes.Replace(text, []byte(`"type": "firmware"`), []byte(`"type": "firmwares"`), 1)
	if err := os.WriteFile(name, broken, 0o666); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(devtest.Tool(t, "cyclonedx-python"), "-c", cyclonedxReader, name).CombinedOutput(); err == nil {
		t.Errorf("the validator accepts a component type that does not exist: %s", out)
	}
}

const cyclonedxReader = `
import json, sys
from cyclonedx.validation.json import JsonStrictValidator
from cyclonedx.schema import SchemaVersion
from cyclonedx.model.bom import Bom
text = open(sys.argv[1]).read()
problem = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
if problem:
    sys.exit(repr(problem)[:3000])
bom = Bom.from_json(json.loads(text))
bom.validate()
root = bom.metadata.component
print("components", len(bom.components), "dependencies", len(bom.dependencies), "root", root.name, root.version)
`

// TestSPDXPeers reads the document with the tools of SPDX, and asks whether it has
// the minimum elements of an SBOM (NTIA).
func TestSPDXPeers(t *testing.T) {
	devtest.Long(t, "starts Python")
	text, err := SPDX(Assemble(sample()))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	name := filepath.Join(dir, "app.spdx.json")
	if err := os.WriteFile(name, text, 0o666); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(devtest.Tool(t, "pyspdxtools"), "-i", name).CombinedOutput(); err != nil {
		t.Errorf("pyspdxtools: %v: %s", err, out)
	}
	broken := filepath.Join(dir, "broken.spdx.json")
	if err := os.WriteFile(broken, bytes.Replace(text, []byte(`"MIT OR Apache-2.0"`), []byte(`"MIT OR NoLicence-9"`), 1), 0o666); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(devtest.Tool(t, "pyspdxtools"), "-i", broken).CombinedOutput(); err == nil {
		t.Errorf("pyspdxtools accepts a licence that does not exist: %s", out)
	}
	report := filepath.Join(dir, "report.json")
	out, err := exec.Command(devtest.Tool(t, "ntia-checker"), "--file", name, "--output", "json", "--output-file", report).CombinedOutput()
	if err != nil {
		t.Fatalf("ntia-checker: %v: %s", err, out)
	}
	b, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	var verdict struct {
		IsConformant *bool
		IsNtia       *bool `json:"isNtiaConformant"`
	}
	if err := json.Unmarshal(b, &verdict); err != nil || verdict.IsNtia == nil && verdict.IsConformant == nil {
		t.Fatalf("%v: %s", err, b)
	}
	if verdict.IsNtia != nil && !*verdict.IsNtia || verdict.IsConformant != nil && !*verdict.IsConformant {
		t.Errorf("the minimum elements are not there: %s", b)
	}
}

func TestIsExpression(t *testing.T) {
	for text, want := range map[string]bool{
		"MIT": true, "MIT OR Apache-2.0": true, "(MIT OR Apache-2.0) AND Unicode-3.0": true, "Apache-2.0 WITH LLVM-exception": true,
		"GPL-2.0+": true, "": false, "MIT Apache-2.0": false, "MIT OR": false, "(MIT": false, "MIT)": false, "()": false, "see LICENCE of x": false, "MIT, Apache": false,
	} {
		if got := isExpression(text); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}
