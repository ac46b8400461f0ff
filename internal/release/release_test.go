package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"debug/buildinfo"
	"debug/pe"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"espalier.dev/espalier/internal/cli"
	"espalier.dev/espalier/internal/devtest"
)

var day = time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)

// maxProgram is the size that a stripped program may have. The goal is 20 MB.
const maxProgram = 23_250_000

// linked are the modules in the program and what each is for. A module that is
// not here fails TestProgram: is it needed, and is its licence permissive?
var linked = map[string]string{
	"dario.cat/mergo":                       "go-git: configuration",
	"github.com/ProtonMail/go-crypto":       "OpenPGP signatures of archives",
	"github.com/VividCortex/ewma":           "mpb: rates",
	"github.com/acarl005/stripansi":         "mpb: width of text",
	"github.com/cloudflare/circl":           "go-crypto: curves",
	"github.com/cyphar/filepath-securejoin": "go-git: paths",
	"github.com/emirpasic/gods":             "go-git: sets",
	"github.com/go-git/gcfg":                "git configuration files",
	"github.com/go-git/go-billy/v5":         "go-git: file systems",
	"github.com/go-git/go-git/v5":           "git dependencies without git",
	"github.com/golang/groupcache":          "go-git: object cache",
	"go.yaml.in/yaml/v3":                    "scenario files of Wokwi",
	"github.com/jbenet/go-context":          "go-git: reading with a context",
	"github.com/kevinburke/ssh_config":      "go-git: SSH",
	"github.com/klauspost/compress":         "zstd in packages and crates, and of blobs in a shared cache",
	"github.com/mattn/go-runewidth":         "mpb: width of text",
	"github.com/pelletier/go-toml/v2":       "TOML with positions",
	"github.com/pjbgf/sha1cd":               "go-git: SHA-1 that detects collisions",
	"github.com/rivo/uniseg":                "go-runewidth: characters",
	"github.com/rogpeppe/go-internal":       "unified diffs of edits",
	"github.com/sergi/go-diff":              "go-git: patches",
	"github.com/skeema/knownhosts":          "go-git: SSH",
	"github.com/spf13/cobra":                "commands, completions",
	"github.com/spf13/pflag":                "cobra: flags",
	"github.com/therootcompany/xz":          "xz in packages",
	"github.com/vbauerster/mpb/v8":          "progress bars",
	"github.com/xanzy/ssh-agent":            "go-git: SSH",
	"golang.org/x/crypto":                   "go-git: SSH; WPA2 keys; XTS-AES of NVS",
	"golang.org/x/net":                      "DNS messages; go-git: SOCKS",
	"golang.org/x/sync":                     "groups of goroutines",
	"golang.org/x/sys":                      "system calls",
	"golang.org/x/term":                     "terminals",
	"google.golang.org/protobuf":            "protowire: messages of the Remote Execution API",
	"gopkg.in/warnings.v0":                  "gcfg: warnings",
}

// TestProgram builds the program from two clones in two places: the bytes are
// the same, the size is within its bound, and the modules are the listed ones.
func TestProgram(t *testing.T) {
	devtest.Long(t, "builds espalier twice")
	git := devtest.Tool(t, "git")
	here := platform{"linux", runtime.GOARCH}
	var programs []string
	for _, name := range []string{"a", "some/where/else"} {
		dir := filepath.Join(t.TempDir(), name)
		if err := os.MkdirAll(filepath.Dir(dir), 0o777); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(git, "clone", "--quiet", filepath.Join("..", ".."), dir).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		program := filepath.Join(t.TempDir(), "espalier")
		if err := build(dir, program, here); err != nil {
			t.Fatal(err)
		}
		programs = append(programs, program)
	}
	a, err := os.ReadFile(programs[0])
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(programs[1])
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a, b) {
		t.Errorf("two builds of one commit differ: %x, %x", sha256.Sum256(a), sha256.Sum256(b))
	}
	if len(a) > maxProgram {
		t.Errorf("the program has %d bytes, more than %d", len(a), maxProgram)
	}
	if r, err := describe(programs[0]); err != nil || len(r.commit) != 40 || r.date.IsZero() || r.modified {
		t.Errorf("build information %+v, %v", r, err)
	}
	info, err := buildinfo.ReadFile(programs[0])
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, m := range info.Deps {
		found[m.Path] = true
		if linked[m.Path] == "" {
			t.Errorf("module %s is linked and not listed: is it needed, and is its licence permissive?", m.Path)
		}
	}
	for m := range linked {
		if !found[m] {
			t.Errorf("module %s is listed and not linked: remove it from the list", m)
		}
	}
}

// sample is an archive's content with the real documents and a small program.
func sample(t *testing.T) []file {
	t.Helper()
	pages, err := documents(cli.Command(), release{version: "1.2.3", date: day})
	if err != nil {
		t.Fatal(err)
	}
	files := append(pages, file{"espalier", 0o755, []byte("#!/bin/sh\n")}, file{"NOTICE", 0o644, []byte("notice\n")})
	slices.SortFunc(files, func(a, b file) int { return strings.Compare(a.name, b.name) })
	return files
}

func TestArchives(t *testing.T) {
	files := sample(t)
	b, err := tarArchive("espalier-1.2.3", files, day)
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := tarArchive("espalier-1.2.3", sample(t), day); !bytes.Equal(again, b) {
		t.Error("the same files give other bytes")
	}
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]int64{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if !h.ModTime.Equal(day) || h.Uid != 0 {
			t.Errorf("%s: time %v, owner %d", h.Name, h.ModTime, h.Uid)
		}
		names[h.Name] = h.Mode
	}
	for name, mode := range map[string]int64{
		"espalier-1.2.3/espalier": 0o755, "espalier-1.2.3/man/espalier.1": 0o644, "espalier-1.2.3/man/espalier-build.1": 0o644,
		"espalier-1.2.3/completions/_espalier": 0o644, "espalier-1.2.3/completions/espalier.bash": 0o644,
		"espalier-1.2.3/completions/espalier.fish": 0o644, "espalier-1.2.3/completions/espalier.ps1": 0o644,
	} {
		if names[name] != mode {
			t.Errorf("%s has mode %o, want %o", name, names[name], mode)
		}
	}
	if _, err := zipArchive("espalier-1.2.3", files, day); err != nil {
		t.Error(err)
	}
}

// Debian's own tool reads the package.
func TestDebianPackage(t *testing.T) {
	dpkg := devtest.Tool(t, "dpkg-deb")
	b, err := debPackage("amd64", sample(t), release{version: "1.2.3-0.20260203040506-abcdef", date: day})
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "espalier.deb")
	if err := os.WriteFile(name, b, 0o666); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(dpkg, "--field", name, "Package", "Version", "Architecture").CombinedOutput()
	if want := "Package: espalier\nVersion: 1.2.3~0.20260203040506.abcdef\nArchitecture: amd64\n"; err != nil || string(out) != want {
		t.Errorf("%v: %s, want %s", err, out, want)
	}
	root := filepath.Join(t.TempDir(), "root")
	if out, err := exec.Command(dpkg, "-x", name, root).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, f := range []string{"usr/bin/espalier", "usr/share/man/man1/espalier-run.1.gz", "usr/share/doc/espalier/NOTICE",
		"usr/share/bash-completion/completions/espalier", "usr/share/zsh/vendor-completions/_espalier"} {
		if _, err := os.Stat(filepath.Join(root, f)); err != nil {
			t.Error(err)
		}
	}
}

// TestWindowsArchive makes the archive for Windows and reads it with other readers:
// the program is one for Windows, the checksum fits, and completions and manual pages
// are there.
func TestWindowsArchive(t *testing.T) {
	devtest.Long(t, "builds espalier for Windows")
	out := t.TempDir()
	t.Chdir(filepath.Join("..", ".."))
	if err := run(out, true, []platform{{"windows", "amd64"}}, io.Discard); err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob(filepath.Join(out, "espalier-*-windows-amd64.zip"))
	if err != nil || len(names) != 1 {
		t.Fatalf("archives %q, %v", names, err)
	}
	b, err := os.ReadFile(names[0])
	if err != nil {
		t.Fatal(err)
	}
	top := strings.TrimSuffix(filepath.Base(names[0]), ".zip")
	sums, err := os.ReadFile(filepath.Join(out, "SHA256SUMS"))
	if want := fmt.Sprintf("%x  %s.zip\n", sha256.Sum256(b), top); err != nil || string(sums) != want {
		t.Errorf("SHA256SUMS has %q, %v, want %q", sums, err, want)
	}
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"README.md", "NOTICE", "LICENSE-MIT", "LICENSE-APACHE", "CHANGELOG.md", "man/espalier.1", "man/espalier-run.1",
		"completions/espalier.ps1", "completions/espalier.bash", "completions/_espalier", "completions/espalier.fish"} {
		if st, err := fs.Stat(z, top+"/"+name); err != nil || st.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	content, err := fs.ReadFile(z, top+"/espalier.exe")
	if err != nil {
		t.Fatal(err)
	}
	program, err := pe.NewFile(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	if h, ok := program.OptionalHeader.(*pe.OptionalHeader64); program.Machine != pe.IMAGE_FILE_MACHINE_AMD64 || !ok || h.Subsystem != pe.IMAGE_SUBSYSTEM_WINDOWS_CUI {
		t.Errorf("machine %#x, header %T", program.Machine, program.OptionalHeader)
	}
	if info, err := buildinfo.Read(bytes.NewReader(content)); err != nil || info.Main.Path != "espalier.dev/espalier" {
		t.Errorf("build information %+v, %v", info, err)
	}
}
