package audit

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/lock"
)

func text(id, pkg, more string) string {
	return "```toml\n[advisory]\nid = \"" + id + "\"\npackage = \"" + pkg + "\"\ndate = \"2024-05-06\"\n" + more + "```\n\n# Title of " + id + "\n\nText.\n"
}

func database(t *testing.T) *Database {
	t.Helper()
	var d Database
	for name, b := range map[string]string{
		"db/crates/alpha/EX-2024-0001.md":    text("EX-2024-0001", "alpha", "url = \"https://example.com/1\"\naliases = [\"CVE-2024-1\"]\n[affected]\nos = [\"linux\"]\n[versions]\npatched = [\">= 1.2.3\", \"^0.9.8\"]\nunaffected = [\"< 0.5\"]\n"),
		"db/crates/beta/EX-2024-0002.md":     text("EX-2024-0002", "beta", "informational = \"unmaintained\"\n[versions]\npatched = []\n"),
		"db/crates/gamma/EX-2024-0003.md":    text("EX-2024-0003", "gamma", "withdrawn = \"2024-06-01\"\n[versions]\npatched = []\n"),
		"db/crates/delta/EX-2024-0004.md":    text("EX-2024-0004", "delta", "informational = \"unsound\"\n[versions]\npatched = []\n"),
		"db/rust/std/CVE-2024-9.md":          text("CVE-2024-9", "std", "[versions]\npatched = [\">= 1.97.0\"]\n"),
		"db/rust/rustdoc/CVE-2024-8.md":      text("CVE-2024-8", "rustdoc", "[versions]\npatched = []\n"),
		"db/README.md":                       "# no advisory\n",
		"db/crates/.example/notes.txt":       "no advisory",
		"db/.github/workflows/crates/ab.yml": "no advisory",
	} {
		if err := d.Add(name, []byte(b)); err != nil {
			t.Fatal(err)
		}
	}
	return &d
}

func TestCheck(t *testing.T) {
	d := database(t)
	if len(d.Advisories) != 5 || d.Withdrawn != 1 {
		t.Errorf("%d advisories, %d withdrawn", len(d.Advisories), d.Withdrawn)
	}
	crate := func(name, version, source string, use ...string) lock.Crate {
		return lock.Crate{Name: name, Version: version, Source: source, For: use}
	}
	got := d.Check(&lock.File{
		Toolchains: []lock.Toolchain{{Host: "linux/amd64", Rustc: "1.96.0 (ac68faa20 2026-05-25)"}, {Host: "linux/arm64", Rustc: "1.96.0 (x)"}},
		Crates: []lock.Crate{
			crate("alpha", "1.2.2", "", "project"), crate("alpha", "1.2.3", "", "project"), crate("alpha", "0.9.9", "", "project"), crate("alpha", "0.4.0", "", "project"),
			crate("alpha", "1.0.0", "registry+https://example.com/index", "project"), // another crate of this name
			crate("beta", "2.0.0", "", "project", "std"), crate("gamma", "1.0.0", "", "project"), crate("delta", "1.0.0", "", "std"), crate("epsilon", "1.0.0", "", "project"),
		},
	})
	var lines []string
	for _, f := range OfYanked(got, []lock.Crate{crate("epsilon", "1.0.0", "", "project")}) {
		lines = append(lines, fmt.Sprintf("%s | %s | %v", f, f.Remedy(), f.Std))
	}
	want := []string{
		"alpha 1.2.2: vulnerability EX-2024-0001: Title of EX-2024-0001 | espalier update alpha   # without the problem: >= 1.2.3 or ^0.9.8 | false",
		"std 1.96.0: vulnerability CVE-2024-9: Title of CVE-2024-9 | espalier update toolchain   # without the problem: >= 1.97.0 | true",
		"epsilon 1.0.0: yanked: cargo chooses it for no other lock | espalier update epsilon | false",
		"delta 1.0.0: unsound EX-2024-0004: Title of EX-2024-0004 |  | true",
		"beta 2.0.0: unmaintained EX-2024-0002: Title of EX-2024-0002 |  | false",
	}
	if !slices.Equal(lines, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
	if a := got[0]; a.URL != "https://example.com/1" || a.Date != "2024-05-06" || !slices.Equal(a.Aliases, []string{"CVE-2024-1"}) || !slices.Equal(a.OS, []string{"linux"}) {
		t.Errorf("%+v", a)
	}
}

func TestAffects(t *testing.T) {
	a, err := Parse("a.md", []byte(text("X", "x", "[versions]\npatched = [\">= 1.2.0\"]\nunaffected = [\"=0.1.5\", \"< 0.1.0\"]\n")))
	if err != nil {
		t.Fatal(err)
	}
	for version, want := range map[string]bool{
		"0.0.9": false, "0.1.0": true, "0.1.5": false, "0.1.6": true, "1.1.9": true, "1.2.0": false, "2.0.0": false,
		"1.2.0-rc.1": true, "1.3.0-rc.1": false, "1.2.1-alpha": false, "1.1.0-alpha": true, "not a version": true,
	} {
		if got := a.Affects(version); got != want {
			t.Errorf("%s: %v, want %v", version, got, want)
		}
	}
}

func TestRefused(t *testing.T) {
	for name, b := range map[string]string{
		"no block": "# Title\n", "open": "```toml\n[advisory]\nid = \"x\"\n", "toml": "```toml\n[advisory\n```\n", "no id": "```toml\n[advisory]\npackage = \"x\"\n```\n",
		"requirement": text("X", "x", "[versions]\npatched = [\"newer\"]\n"), "type": text("X", "x", "[versions]\npatched = \"1\"\n"),
	} {
		if _, err := Parse("db/crates/x/X.md", []byte(b)); err == nil || !strings.HasPrefix(err.Error(), "db/crates/x/X.md") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Parse("X.md", []byte("```toml\n[advisory]\nid = 7\n```\n")); err == nil || !strings.HasPrefix(err.Error(), "X.md:3:") {
		t.Errorf("the position in the file: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(text("X", "x", "[versions]\npatched = [\">= 1\"]\n")), "1.0.0")
	f.Add([]byte("```toml\n```"), "1")
	f.Fuzz(func(t *testing.T, b []byte, version string) {
		a, err := Parse("x.md", b)
		if err != nil {
			return
		}
		if a.ID == "" || a.Package == "" {
			t.Fatal("an advisory without a name")
		}
		a.Affects(version)
	})
}
