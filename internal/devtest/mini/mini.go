// Package mini makes a small workspace that uses what a firmware project uses
// and compiles in seconds: an own library with a build script and OUT_DIR, an
// own procedural macro, a registry crate, on request a git crate of a served
// repository, and a binary that needs no HAL: it prints through the mask ROM
// and boots on the emulated board. Only tests import it.
package mini

import (
	"embed"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

// A nested module or package is not embedded, so the manifests bear another
// name here.
//
//go:embed all:workspace
var files embed.FS

// Expect is what the program prints.
const Expect = "mini: generated, 42"

// CargoLock is the workspace's lock without a git crate. The registry crates,
// one without and one with a build script that watches its sources, have the
// versions that templates/hello locks, so that a warm store has them.
const CargoLock = `version = 4

[[package]]
name = "app"
version = "0.1.0"
dependencies = [
 "cfg",
 "macros",
]

[[package]]
name = "cfg"
version = "0.1.0"
dependencies = [
 "cfg-if",
 "portable-atomic",
]

[[package]]
name = "cfg-if"
version = "1.0.5"
source = "registry+https://github.com/rust-lang/crates.io-index"
checksum = "4e7648175b45a9a48536d676f68d918270699102aa8dab5496df06904c914600"

[[package]]
name = "macros"
version = "0.1.0"

[[package]]
name = "portable-atomic"
version = "1.15.0"
source = "registry+https://github.com/rust-lang/crates.io-index"
checksum = "05c8b63e8d9609db387f0324918f81d68fe27748f084ef092fb35954d0539a85"
`

// Write makes the workspace in dir, with its Cargo.lock.
func Write(t testing.TB, dir string) {
	t.Helper()
	err := fs.WalkDir(files, "workspace", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := files.ReadFile(name)
		if err != nil {
			return err
		}
		put(t, dir, strings.TrimSuffix(strings.TrimPrefix(name, "workspace/"), ".in"), string(b))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	put(t, dir, "Cargo.lock", CargoLock)
}

// UseGit makes the library use the crate "greeting" of Family at url, and
// removes Cargo.lock.
func UseGit(t testing.TB, dir, url string) {
	t.Helper()
	Edit(t, dir, "cfg/Cargo.toml", "cfg-if = \"1\"\n", "cfg-if = \"1\"\ngreeting = { git = \""+url+"\" }\n")
	Edit(t, dir, "cfg/src/lib.rs", "{ GENERATED }", "{ greeting::TEXT }")
	if err := os.Remove(filepath.Join(dir, "Cargo.lock")); err != nil {
		t.Fatal(err)
	}
}

// Family is a repository with the crate "greeting": it inherits its version
// from its workspace and includes a file above itself.
var Family = map[string]string{
	"Cargo.toml":                 "[workspace]\nmembers = [\"crates/*\"]\n[workspace.package]\nversion = \"1.2.3\"\nedition = \"2021\"\n",
	"crates/greeting/Cargo.toml": "[package]\nname = \"greeting\"\nversion.workspace = true\nedition.workspace = true\n",
	"crates/greeting/src/lib.rs": "#![no_std]\npub const TEXT: &str = include_str!(\"../../../shared/text\");\n",
	"shared/text":                "from git\x00",
}

// ExpectGit is what the program prints with UseGit.
const ExpectGit = "mini: from git, 42"

// Edit replaces the one place of a file where old stands.
func Edit(t testing.TB, dir, name, old, new string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(b), old); n != 1 {
		t.Fatalf("%s has %d times %q", name, n, old)
	}
	put(t, dir, name, strings.Replace(string(b), old, new, 1))
}

func put(t testing.TB, dir, name, text string) {
	t.Helper()
	p := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Join(dir, filepath.FromSlash(path.Dir(name))), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}
