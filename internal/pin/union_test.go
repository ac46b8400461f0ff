package pin

import (
	"slices"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/cargo"
	"espalier.dev/espalier/internal/config"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/progress"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/store"
	"espalier.dev/espalier/internal/supply/debian"
)

const index = "registry+https://github.com/rust-lang/crates.io-index"

func sum(c string) string { return strings.Repeat(c, 64) }

func pkg(name, version, source, checksum string, depends ...string) cargo.LockedPackage {
	return cargo.LockedPackage{Name: name, Version: version, Source: source, Checksum: checksum, Dependencies: depends}
}

func TestUnion(t *testing.T) {
	own := &cargo.Lock{Path: "Cargo.lock", Packages: []cargo.LockedPackage{
		pkg("app", "0.1.0", "", ""),
		pkg("z", "1.0.0", index, sum("1")),
		pkg("a", "2.0.0", "sparse+https://mirror.invalid/crates.io-index/", sum("2")), // the default in its other form
		pkg("a", "1.0.0", "registry+https://own.invalid/index", sum("3")),
		pkg("g", "1.0.0", "git+https://forge.invalid/g#"+sum("4")[:40], ""),
	}}
	std := &cargo.Lock{Path: "library/Cargo.lock", Packages: []cargo.LockedPackage{
		pkg("core", "0.0.0", "", ""),
		pkg("z", "1.0.0", index, sum("1")),
		pkg("z", "2.0.0", index, sum("5")),
	}}
	got, err := union(own, std)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, c := range got {
		lines = append(lines, strings.Join([]string{c.Name, c.Version, c.Source, c.Digest.Hash[:1], strings.Join(c.For, "+")}, "|"))
	}
	want := []string{
		"a|1.0.0|registry+https://own.invalid/index|3|project",
		"a|2.0.0||2|project",
		"z|1.0.0||1|project+std",
		"z|2.0.0||5|std",
	}
	if !slices.Equal(lines, want) {
		t.Errorf("got  %q\nwant %q", lines, want)
	}

	for name, c := range map[string]struct {
		std  cargo.LockedPackage
		want string
	}{
		"two checksums": {pkg("z", "1.0.0", index, sum("9")), "z 1.0.0 has two checksums: " + sum("1") + " in Cargo.lock, " + sum("9") + " in the standard library's"},
		"no checksum":   {pkg("y", "1.0.0", index, ""), "library/Cargo.lock has no checksum for y 1.0.0"},
	} {
		_, err := union(own, &cargo.Lock{Path: "library/Cargo.lock", Packages: []cargo.LockedPackage{c.std}})
		if fault.KindOf(err) != fault.Pins || err.Error() != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRustVersion(t *testing.T) {
	for text, want := range map[string]string{
		"[package]\nrust-version = '1.85'\n": "1.85", "[package]\nname = 'a'\n": "", "[package]\nrust-version.workspace = true\n": "", "[": "", "[package]\nrust-version = 3\n": "",
	} {
		if got := rustVersion([]byte(text)); got != want {
			t.Errorf("rustVersion(%q) = %q", text, got)
		}
	}
}

// Only what own manifests depend on can make the compiler too old; a second
// version of the same crate, deeper down, cannot.
func TestDirectCrates(t *testing.T) {
	p := &project.Project{
		Own: []cargo.Package{{Name: "app", Depends: []cargo.Dependency{
			{Package: "one"}, {Package: "two"}, {Package: "tests", Kind: "dev"}, {Package: "both", Kind: "dev"}, {Package: "both"}, {Package: "absent"},
		}}},
		CargoLock: &cargo.Lock{Packages: []cargo.LockedPackage{
			pkg("app", "0.1.0", "", "", "one", "two 2.0.0", "tests", "both", "indirect"),
			pkg("one", "1.0.0", index, ""), pkg("two", "1.0.0", index, "", "one"), pkg("two", "2.0.0", index, ""),
			pkg("tests", "1.0.0", index, ""), pkg("both", "3.0.0", index, ""), pkg("indirect", "1.0.0", index, ""),
		}},
	}
	got := directCrates(p)
	for _, want := range []string{"one 1.0.0", "two 2.0.0", "both 3.0.0"} {
		if !got[want] {
			t.Errorf("%s is missing", want)
		}
	}
	if len(got) != 3 {
		t.Errorf("%v", got)
	}
}

func TestReusable(t *testing.T) {
	tc := lock.Toolchain{Host: "linux/amd64", Channel: "stable", Rustc: "1.96.0 (x)", Prune: debian.PruneVersion, Packages: []lock.Package{{Name: "rustfmt-web"}}}
	want := compilerRequest{Channel: "stable"}
	for name, c := range map[string]struct {
		req    func(*Request, *compilerRequest)
		host   string
		reused bool
	}{
		"same":               {func(*Request, *compilerRequest) {}, "linux/amd64", true},
		"no lock":            {func(r *Request, _ *compilerRequest) { r.Old = nil }, "linux/amd64", false},
		"--toolchain":        {func(r *Request, _ *compilerRequest) { r.Toolchain = true }, "linux/amd64", false},
		"other machine":      {func(*Request, *compilerRequest) {}, "linux/arm64", false},
		"other channel":      {func(_ *Request, w *compilerRequest) { w.Channel = "1.95" }, "linux/amd64", false},
		"old enough":         {func(_ *Request, w *compilerRequest) { w.MinRustc = "1.96" }, "linux/amd64", true},
		"too old":            {func(_ *Request, w *compilerRequest) { w.MinRustc = "1.97" }, "linux/amd64", false},
		"has it anyway":      {func(_ *Request, w *compilerRequest) { w.Components = []string{"rust-src", "cargo"} }, "linux/amd64", true},
		"has the package":    {func(_ *Request, w *compilerRequest) { w.Components = []string{"rustfmt"} }, "linux/amd64", true},
		"lacks a package":    {func(_ *Request, w *compilerRequest) { w.Components = []string{"clippy"} }, "linux/amd64", false},
		"no supplier has it": {func(_ *Request, w *compilerRequest) { w.Components = []string{"miri"} }, "linux/amd64", false},
	} {
		r, w := Request{Old: &lock.File{Toolchains: []lock.Toolchain{tc}}}, want
		c.req(&r, &w)
		if _, ok := reusable(r, c.host, w); ok != c.reused {
			t.Errorf("%s: reused %v", name, ok)
		}
	}
}

func TestSeed(t *testing.T) {
	if seed(nil, nil, 4) != nil {
		t.Error("a lock of nothing")
	}
	got := string(seed(nil, []lock.Git{
		{URL: "https://f.invalid/a", Ref: "branch=x/y", Commit: "c1", Crates: []string{"one 1.0.0", "two 2.0.0"}},
		{URL: "https://f.invalid/b", Commit: "c2", Crates: []string{"three 3.0.0"}},
	}, lockVersion("1.96.0 (ac68faa20 2026-05-25)")))
	want := `version = 4

[[package]]
name = "one"
version = "1.0.0"
source = "git+https://f.invalid/a?branch=x%2Fy#c1"

[[package]]
name = "two"
version = "2.0.0"
source = "git+https://f.invalid/a?branch=x%2Fy#c1"

[[package]]
name = "three"
version = "3.0.0"
source = "git+https://f.invalid/b#c2"
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if v := lockVersion("1.76.0-nightly (abc 2023-11-13)"); v != 3 {
		t.Errorf("cargo 1.76 is given version %d, which it cannot read", v)
	}
	l, err := cargo.ParseLock("Cargo.lock", []byte(got))
	if err != nil {
		t.Fatal(err)
	}
	if s, ok := l.Packages[0].Git(); !ok || s.Ref != "branch=x/y" {
		t.Errorf("read back: %+v", s)
	}
}

func TestTwoCommitsOfOneSource(t *testing.T) {
	st, err := store.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	s := &Session{Store: st, Report: progress.Discard, Offline: true}
	const url = "git+https://f.invalid/a#"
	p := &project.Project{CargoLock: &cargo.Lock{Packages: []cargo.LockedPackage{pkg("one", "1.0.0", url+sum("1")[:40], ""), pkg("two", "1.0.0", url+sum("2")[:40], "")}}}
	_, err = s.lockGit(t.Context(), p, nil)
	if fault.KindOf(err) != fault.Pins || !strings.Contains(err.Error(), "two commits of git https://f.invalid/a: 111111111 and 222222222") {
		t.Error(err)
	}
	p.CargoLock.Packages = []cargo.LockedPackage{pkg("one", "1.0.0", "git+https://f.invalid/a", "")}
	if _, err = s.lockGit(t.Context(), p, nil); fault.KindOf(err) != fault.Pins || !strings.Contains(err.Error(), "names no commit for one") {
		t.Error(err)
	}
}

// Of several repositories that cannot be read, each is reported.
func TestGitErrorsAtOnce(t *testing.T) {
	st, err := store.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	dir := t.TempDir()
	s := &Session{Store: st, Report: progress.Discard, Home: dir, Lookup: func(string) (string, bool) { return "", false }}
	both := func(err error) {
		t.Helper()
		if fault.KindOf(err) != fault.Pins || strings.Count(err.Error(), "\n") != 1 || !strings.Contains(err.Error(), dir+"/a") || !strings.Contains(err.Error(), dir+"/b") {
			t.Error(err)
		}
	}
	p := &project.Project{CargoLock: &cargo.Lock{Packages: []cargo.LockedPackage{
		pkg("one", "1.0.0", "git+file://"+dir+"/a#"+sum("1")[:40], ""), pkg("two", "1.0.0", "git+file://"+dir+"/b#"+sum("2")[:40], "")}}}
	_, err = s.lockGit(t.Context(), p, nil)
	both(err)
	p = &project.Project{Own: []cargo.Package{{Depends: []cargo.Dependency{
		{Package: "one", Git: "file://" + dir + "/a"}, {Package: "two", Git: "file://" + dir + "/b"}, {Package: "three", Git: "file://" + dir + "/b"}}}}}
	_, err = s.heads(t.Context(), p, nil)
	both(err)
}

func TestRegistriesMustBeTheProjects(t *testing.T) {
	p := &project.Project{Own: []cargo.Package{{Depends: []cargo.Dependency{{Package: "x", Registry: "own", Origin: config.Origin{File: "Cargo.toml", Line: 7}}}}}}
	err := checkRegistries(p)
	if fault.KindOf(err) != fault.Usage || !strings.HasPrefix(err.Error(), `Cargo.toml:7: registry "own" is not in the project's`) || len(fault.Hints(err)) != 1 {
		t.Error(err)
	}
	p.Cargo.Registries = []cargo.Registry{{Name: "own"}}
	if err := checkRegistries(p); err != nil {
		t.Error(err)
	}
}
