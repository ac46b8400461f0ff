package cargo

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"espalier.dev/espalier/internal/config"
	"espalier.dev/espalier/internal/fault"
)

const sum = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
const commit = "0123456789abcdef0123456789abcdef01234567"
const testIndex = "registry+https://index.example.invalid/crates.io-index"

func TestCargoLockVersions(t *testing.T) {
	for _, c := range []struct {
		name, lock string
		version    int
		want       []LockedPackage
	}{
		{"v1 with [root]", "[root]\nname = \"app\"\nversion = \"0.1.0\"\ndependencies = [\"a 1.0.0 (" + testIndex + ")\"]\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nsource = \"" + testIndex + "\"\n[metadata]\n\"checksum a 1.0.0 (" + testIndex + ")\" = \"" + sum + "\"\n", 1,
			[]LockedPackage{{Name: "a", Version: "1.0.0", Source: testIndex, Checksum: sum}, {Name: "app", Version: "0.1.0", Dependencies: []string{"a 1.0.0 (" + testIndex + ")"}}}},
		{"v2", "[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nsource = \"" + testIndex + "\"\nchecksum = \"" + sum + "\"\n", 2,
			[]LockedPackage{{Name: "a", Version: "1.0.0", Source: testIndex, Checksum: sum}}},
		{"v3", "version = 3\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nsource = \"git+https://git.example.invalid/r?branch=a%2Fb#" + commit + "\"\n", 3,
			[]LockedPackage{{Name: "a", Version: "1.0.0", Source: "git+https://git.example.invalid/r?branch=a%2Fb#" + commit}}},
		{"v4", "# comment\nversion = 4\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\ndependencies = [\n \"b\",\n]\n[[patch.unused]]\nname = \"u\"\nversion = \"2.0.0\"\n", 4,
			[]LockedPackage{{Name: "a", Version: "1.0.0", Dependencies: []string{"b"}}}},
		{"empty", "", 2, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, err := ParseLock("Cargo.lock", []byte(c.lock))
			if err != nil {
				t.Fatal(err)
			}
			for i := range l.Packages {
				if l.Packages[i].Origin.Line == 0 {
					t.Errorf("%s has no place", l.Packages[i].Name)
				}
				l.Packages[i].Origin = config.Origin{}
			}
			if d := cmp.Diff(c.want, l.Packages); d != "" || l.Version != c.version {
				t.Errorf("version %d, %s", l.Version, d)
			}
		})
	}
}

func TestCargoLockFaults(t *testing.T) {
	for _, c := range []struct{ name, lock, want string }{
		{"syntax", "version = 4\n[[package]\n", "Cargo.lock:2:"},
		{"newer", "version = 5\n", "Cargo.lock:1:11: Cargo.lock version 5 is newer"},
		{"no name", "version = 4\n[[package]]\nversion = \"1\"\n", "Cargo.lock:2:3: package without name or version"},
		{"checksum", "version = 4\n[[package]]\nname = \"a\"\nversion = \"1\"\nsource=\"" + testIndex + "\"\nchecksum = \"12\"\n", "Cargo.lock:2:3: checksum of a 1: want 64 hex digits"},
		{"twice", "version = 4\n[[package]]\nname = \"a\"\nversion = \"1\"\n[[package]]\nname = \"a\"\nversion = \"1\"\n", "Cargo.lock:5:3: package a 1 appears twice"},
		{"odd source", "version = 4\n[[package]]\nname = \"a\"\nversion = \"1\"\nsource = \"hg+x\"\n", "unknown kind"},
		{"conflict", "version = 4\n<<<<<<< HEAD\n", "Cargo.lock:2:"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ParseLock("Cargo.lock", []byte(c.lock))
			if err == nil || !strings.Contains(err.Error(), c.want) || fault.KindOf(err) != fault.Usage || len(fault.Hints(err)) == 0 {
				t.Errorf("got %v (hints %q), want %s", err, fault.Hints(err), c.want)
			}
		})
	}
}

func TestGitSource(t *testing.T) {
	for _, c := range []struct {
		source string
		want   GitSource
	}{
		{"git+https://h/r#" + commit, GitSource{"https://h/r", "", commit}},
		{"git+https://h/r.git?rev=abc#" + commit, GitSource{"https://h/r.git", "rev=abc", commit}},
		{"git+https://h/r?branch=feat%2Fx%2By+z#" + commit, GitSource{"https://h/r", "branch=feat/x+y z", commit}},
		{"git+https://h/r?tag=v1.0%231#" + commit, GitSource{"https://h/r", "tag=v1.0#1", commit}},
		{"git+https://h/r?branch=50%", GitSource{"https://h/r", "branch=50%", ""}},
		{"git+ssh://git@h/r?branch=main", GitSource{"ssh://git@h/r", "branch=main", ""}},
	} {
		if got, ok := (LockedPackage{Source: c.source}).Git(); !ok || got != c.want {
			t.Errorf("%s: %+v, want %+v", c.source, got, c.want)
		}
	}
	if _, ok := (LockedPackage{Source: testIndex}).Git(); ok {
		t.Error("a registry is no git source")
	}
	if i, ok := (LockedPackage{Source: testIndex}).IsRegistry(); !ok || !IsDefaultRegistry(i) || IsDefaultRegistry("https://own.example.invalid/index") {
		t.Error("default registry")
	}
}

func FuzzCargoLock(f *testing.F) {
	f.Add([]byte("version = 4\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nsource = \"git+https://h/r?rev=%41#" + commit + "\"\n"))
	f.Add([]byte("[root]\nname='x'\nversion='1'\n[metadata]\n\"checksum x 1 ()\" = \"<none>\"\n"))
	f.Add([]byte("package = 3\n"))
	f.Add([]byte("version = 99999999999999999999\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := ParseLock("Cargo.lock", b)
		if err != nil {
			if fault.KindOf(err) != fault.Usage {
				t.Fatal(err)
			}
			return
		}
		for _, p := range l.Packages {
			p.Git()
			p.IsRegistry()
		}
	})
}

// The compiler's lock has many more packages than its library reaches.
func TestReachable(t *testing.T) {
	l, err := ParseLock("Cargo.lock", []byte(`version = 3

[[package]]
name = "cargo"
version = "0.76.0"
dependencies = ["libc 0.2.1"]

[[package]]
name = "cfg-if"
version = "1.0.0"
source = "registry+https://r.invalid/index"

[[package]]
name = "core"
version = "0.0.0"

[[package]]
name = "libc"
version = "0.2.1"
source = "registry+https://r.invalid/index"

[[package]]
name = "libc"
version = "0.2.2"
source = "registry+https://r.invalid/index"
dependencies = ["cfg-if"]

[[package]]
name = "std"
version = "0.0.0"
dependencies = ["core", "libc 0.2.2"]
`))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range l.Reachable("std", "sysroot", "libc") { // a crate of a registry is not a root
		got = append(got, p.Name+" "+p.Version)
	}
	if want := []string{"cfg-if 1.0.0", "core 0.0.0", "libc 0.2.2", "std 0.0.0"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
