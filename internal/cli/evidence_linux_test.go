package cli

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"debug/dwarf"
	"debug/elf"
	"encoding/json"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ianlancetaylor/demangle"

	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/internal/devtest/mini"
)

// TestEvidence makes the documents of real firmware and compares them with what other
// programs find in it.
func TestEvidence(t *testing.T) {
	dir, env := miniProject(t)
	client := filepath.Join(t.TempDir(), "http-client")
	all := append(env, os.Environ()...)
	must := func(t *testing.T, args ...string) string {
		t.Helper()
		out, err := espalier(t, all, args...).CombinedOutput()
		if err != nil {
			t.Fatalf("espalier %q: %v\n%s", args, err, out)
		}
		return string(out)
	}
	// The project that scripts/firmware has built: another lock would be another layer.
	built := filepath.Join(devtest.Store(t), "projects", "http-client")
	if _, err := os.Stat(filepath.Join(built, "espalier.lock")); err != nil {
		devtest.Missing(t, "projects/http-client in the test store (scripts/firmware)")
	}
	if err := os.CopyFS(client, os.DirFS(built)); err != nil {
		t.Fatal(err)
	}
	for name, project := range map[string]struct {
		dir, elf string
		inside   []string // must be in the bill
		outside  []string // are locked, and must not
	}{
		"mini":        {dir, "app.elf", []string{"app", "cfg", "core", "bootloader", "partition-table", "cfg-if"}, []string{"macros"}}, // no debug information: see docs/evidence.md
		"http-client": {client, "http-client.elf", []string{"esp-hal", "esp-radio", "smoltcp", "libnet80211.a", "libpp.a", "ESP32-C3 mask ROM", "core"}, []string{"syn", "quote", "cfg-if"}},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "bom.json")
			must(t, "-C", project.dir, "sbom", "--supplier", "Example Ltd", "--out", file)
			checkBill(t, file, project.inside, project.outside)
			binary := filepath.Join(project.dir, "target", "espalier", project.elf)
			must(t, "-C", project.dir, "build")
			if name != "mini" { // has no names
				compareWithSymbols(t, file, binary)
			}
			if out, err := exec.Command(devtest.Tool(t, "cyclonedx-python"), "-c", cyclonedxValidator, file).CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
			again := filepath.Join(t.TempDir(), "again.json")
			must(t, "-C", project.dir, "sbom", "--supplier", "Example Ltd", "--out", again)
			if a, b := readFile(t, file), readFile(t, again); !bytes.Equal(a, b) {
				t.Error("the same firmware gives another bill")
			}
			spdx := filepath.Join(t.TempDir(), "bom.spdx.json")
			must(t, "-C", project.dir, "sbom", "--format", "spdx", "--supplier", "Example Ltd", "--out", spdx)
			if out, err := exec.Command(devtest.Tool(t, "pyspdxtools"), "-i", spdx).CombinedOutput(); err != nil {
				t.Errorf("pyspdxtools: %v: %s", err, out)
			}
			report := filepath.Join(t.TempDir(), "report.json")
			if out, err := exec.Command(devtest.Tool(t, "ntia-checker"), "--file", spdx, "--output", "json", "--output-file", report).CombinedOutput(); err != nil {
				t.Errorf("ntia-checker: %v: %s\n%s", err, out, readFile(t, report))
			}
		})
	}
	t.Run("provenance", func(t *testing.T) { provenance(t, dir, must, all) })
	t.Run("audit", func(t *testing.T) { auditProject(t, dir, all) })
}

const cyclonedxValidator = `
import sys
from cyclonedx.validation.json import JsonStrictValidator
from cyclonedx.schema import SchemaVersion
problem = JsonStrictValidator(SchemaVersion.V1_6).validate_str(open(sys.argv[1]).read())
if problem:
    sys.exit(repr(problem)[:3000])
`

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// bill is what the tests read of a CycloneDX document.
type bill struct {
	Components []struct {
		Type, Name, Version string
		Hashes              []struct{ Content string }
		Licenses            []json.RawMessage
	}
	Formulation []struct{ Components []struct{ Name string } }
}

func readBill(t *testing.T, file string) (b bill) {
	t.Helper()
	if err := json.Unmarshal(readFile(t, file), &b); err != nil {
		t.Fatal(err)
	}
	return b
}

func checkBill(t *testing.T, file string, inside, outside []string) {
	t.Helper()
	b := readBill(t, file)
	var have, made []string
	for _, c := range b.Components {
		have = append(have, c.Name)
		if strings.HasSuffix(c.Name, ".a") && len(c.Hashes) != 1 {
			t.Errorf("%s has no digest", c.Name)
		}
	}
	for _, c := range b.Formulation[0].Components {
		made = append(made, c.Name)
	}
	for _, name := range inside {
		if !slices.Contains(have, name) {
			t.Errorf("%s is not in the bill: %q", name, have)
		}
	}
	for _, name := range outside {
		if slices.Contains(have, name) {
			t.Errorf("%s is in the firmware, by the bill", name)
		}
		if !slices.Contains(made, name) {
			t.Errorf("%s is not among what the firmware was made with", name)
		}
	}
}

// crateName finds the crate that a demangled name begins with.
var crateName = regexp.MustCompile(`^[<&*(\[]*(?:mut |const |dyn |unsafe |extern "C" )*([a-z_][a-z0-9_]*)(?:\[[0-9a-f]+\])?::`)

// compareWithSymbols compares the crates of a bill with the names in the ELF: those of
// llvm-nm and of the debug information, demangled by another library. Each crate whose
// function is there must be in the bill, and each crate of the bill must have a name
// there, or an instruction with a line of one of its files: a macro or a function
// with a name of its own has nothing else.
func compareWithSymbols(t *testing.T, file, binary string) {
	t.Helper()
	out, err := exec.Command(devtest.Tool(t, "llvm-nm"), "--defined-only", binary).Output()
	if err != nil {
		t.Fatal(err)
	}
	functions, named := map[string]bool{}, map[string]bool{}
	note := func(set map[string]bool, linker string) {
		text := demangle.Filter(linker)
		if text == linker {
			return
		}
		if m := crateName.FindStringSubmatch(text); m != nil {
			set[m[1]] = true
		}
	}
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if len(f) == 3 && strings.ContainsAny(f[1], "tTdDrRbB") {
			note(functions, f[2])
			note(named, f[2])
		}
	}
	list, files := debugNames(t, binary)
	for _, linker := range list {
		note(named, linker)
	}
	for name := range files {
		if m := crateDir.FindStringSubmatch(name); m != nil {
			named[strings.ReplaceAll(m[1], "-", "_")] = true
		}
	}
	in := map[string]bool{}
	for _, c := range readBill(t, file).Components {
		if c.Type == "library" && !strings.HasSuffix(c.Name, ".a") {
			in[strings.ReplaceAll(c.Name, "-", "_")] = true
		}
	}
	if len(functions) < 2 {
		t.Fatalf("only %d crates have functions: the test cannot fail", len(functions))
	}
	for name := range functions {
		if !in[name] && name != "__rustc" { // the language's own entry points
			t.Errorf("the ELF has functions of %s, which is not in the bill", name)
		}
	}
	for name := range in {
		if !named[name] {
			t.Errorf("the bill has %s, of which no name is in the ELF", name)
		}
	}
}

// crateDir finds the crate that a source file belongs to.
var crateDir = regexp.MustCompile(`/([a-z][a-z0-9_-]*)-[0-9]+\.[0-9]+\.[0-9]+[^/]*/`)

// debugNames lists the linkage names of functions and variables in the debug
// information, and the source files that an instruction has a line of.
func debugNames(t *testing.T, binary string) (names []string, files map[string]bool) {
	t.Helper()
	f, err := elf.Open(binary)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d, err := f.DWARF()
	if err != nil {
		t.Fatal(err)
	}
	files = map[string]bool{}
	for r := d.Reader(); ; {
		e, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if e == nil {
			return names, files
		}
		switch e.Tag {
		case dwarf.TagSubprogram, dwarf.TagVariable:
			if name, ok := e.Val(dwarf.AttrLinkageName).(string); ok {
				names = append(names, name)
			}
		case dwarf.TagCompileUnit:
			lines, err := d.LineReader(e)
			if err != nil {
				t.Fatal(err)
			}
			if lines == nil {
				continue
			}
			var line dwarf.LineEntry
			for lines.Next(&line) == nil {
				if line.Address != 0 && line.File != nil { // code that the linker removed is at 0
					files[line.File.Name] = true
				}
			}
		}
	}
}

// provenance signs, and checks what was signed.
func provenance(t *testing.T, dir string, must func(*testing.T, ...string) string, env []string) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmp := t.TempDir()
	key, pub, file := filepath.Join(tmp, "key"), filepath.Join(tmp, "pub"), filepath.Join(tmp, "app.intoto.json")
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	pder, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{key: {Type: "PRIVATE KEY", Bytes: der}, pub: {Type: "PUBLIC KEY", Bytes: pder}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	must(t, "-C", dir, "attest", "--key", key, "--out", file)
	first := readFile(t, file)
	must(t, "-C", dir, "attest", "--key", key, "--out", file)
	if !bytes.Equal(first, readFile(t, file)) {
		t.Error("equal builds have other provenance")
	}
	must(t, "-C", dir, "build")
	image := filepath.Join(dir, "target", "espalier", "app.bin")
	if text := must(t, "verify", "--provenance", file, "--key", pub, image); !strings.Contains(text, "app.bin is what ") {
		t.Error(text)
	}
	must(t, "-C", dir, "verify", "--provenance", file, "--key", pub)

	var envelope struct{ Payload []byte }
	if err := json.Unmarshal(first, &envelope); err != nil {
		t.Fatal(err)
	}
	var statement struct {
		Predicate struct {
			BuildDefinition struct {
				ResolvedDependencies []struct {
					Name, URI string
					Digest    map[string]string
				}
			}
		}
	}
	if err := json.Unmarshal(envelope.Payload, &statement); err != nil {
		t.Fatal(err)
	}
	have := map[string]bool{}
	for _, r := range statement.Predicate.BuildDefinition.ResolvedDependencies {
		for _, d := range r.Digest {
			have[d] = true
		}
	}
	// Every digest of the lock is a dependency, but those of other platforms and of
	// crates that carry a file.
	for _, m := range regexp.MustCompile(`(?m)^(?:digest|tree|lock|rootfs|cargo-lock) = "sha256:([0-9a-f]{64})`).FindAllStringSubmatch(string(readFile(t, filepath.Join(dir, "espalier.lock"))), -1) {
		if !have[m[1]] {
			t.Errorf("the digest %s of the lock is no dependency of the provenance", m[1])
		}
	}

	other := filepath.Join(tmp, "other.bin")
	b := readFile(t, image)
	b[len(b)-1] ^= 1
	if err := os.WriteFile(other, b, 0o666); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"other bytes": {"verify", "--provenance", file, "--key", pub, other},
		"another key": {"verify", "--provenance", file, "--key", anotherKey(t), image},
	} {
		cmd := espalier(t, env, args...)
		if out, err := cmd.CombinedOutput(); err == nil || cmd.ProcessState.ExitCode() != 8 {
			t.Errorf("%s: %v: %s", name, err, out)
		}
	}
	mini.Edit(t, dir, "cfg/src/lib.rs", "{ GENERATED }", `{ "edited\0" }`)
	cmd := espalier(t, env, "-C", dir, "verify", "--provenance", file, "--key", pub)
	if out, err := cmd.CombinedOutput(); err == nil || cmd.ProcessState.ExitCode() != 8 || !strings.Contains(string(out), "the provenance is of other firmware") {
		t.Errorf("an edited project: %v: %s", err, out)
	}
}

func anotherKey(t *testing.T) string {
	t.Helper()
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "another.pub")
	if err := os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// auditProject compares a lock with a directory and an archive of advisories.
func auditProject(t *testing.T, dir string, env []string) {
	db := filepath.Join(t.TempDir(), "db")
	advisory := func(name, id, more string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Join(db, "crates", name), 0o777); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(db, "crates", name, id+".md"), "```toml\n[advisory]\nid = \""+id+"\"\npackage = \""+name+"\"\ndate = \"2026-01-02\"\n"+more+"```\n\n# Title of "+id+"\n")
	}
	advisory("cfg-if", "EX-2026-0001", "[versions]\npatched = [\">= 9.0.0\"]\n")
	advisory("portable-atomic", "EX-2026-0002", "informational = \"unmaintained\"\n[versions]\npatched = []\n")
	advisory("other", "EX-2026-0003", "[versions]\npatched = []\n")
	tarball := filepath.Join(t.TempDir(), "db.tar.gz")
	if out, err := exec.Command(devtest.Tool(t, "tar"), "-czf", tarball, "-C", filepath.Dir(db), "db").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"--db", db}, 1, "cfg-if 1.0.5: vulnerability EX-2026-0001: Title of EX-2026-0001\n  espalier update cfg-if   # without the problem: >= 9.0.0\nportable-atomic 1.15.0: unmaintained EX-2026-0002"},
		{[]string{"--db", tarball}, 1, "cfg-if 1.0.5: vulnerability EX-2026-0001"},
		{[]string{"--db", db, "--ignore", "EX-2026-0001"}, 0, "portable-atomic 1.15.0: unmaintained EX-2026-0002"},
		{[]string{"--db", db, "--ignore", "EX-2026-0001", "--strict"}, 1, "1 finding in espalier.lock"},
		{[]string{"--db", filepath.Join(db, "crates", "other")}, 2, "has no advisories"},
		{[]string{"--db", "https://example.com/db.git"}, 6, "--offline forbids to fetch it"},
	} {
		cmd := espalier(t, env, append([]string{"-C", dir, "--offline", "audit"}, c.args...)...)
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != c.code || !strings.Contains(string(out), c.want) {
			t.Errorf("%q: %v: %s", c.args, err, out)
		}
	}
}
