package debian

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/store"
)

// world makes a universe of lines "name version: Field: value; Field: value". A
// line "@suite priority" starts another suite.
func world(t *testing.T, shuffle bool, lines ...string) *universe {
	t.Helper()
	u := newUniverse("amd64")
	var stanzas []string
	for _, l := range lines {
		head, rest, _ := strings.Cut(l, ":")
		name, version, _ := strings.Cut(strings.TrimSpace(head), " ")
		s := fmt.Sprintf("Package: %s\nVersion: %s\nArchitecture: amd64\nFilename: pool/%s.deb\nSize: 1\nSHA256: %s\n", name, version, name, store.DigestOf([]byte(l)).Hash)
		for _, f := range strings.Split(rest, ";") {
			if f = strings.TrimSpace(f); f != "" {
				s += f + "\n"
			}
		}
		stanzas = append(stanzas, s)
	}
	if shuffle {
		rand.Shuffle(len(stanzas), func(i, j int) { stanzas[i], stanzas[j] = stanzas[j], stanzas[i] })
	}
	su := &suite{src: &Source{Suite: "s"}, rel: &release{}}
	if err := u.add(strings.NewReader(strings.Join(stanzas, "\n")), "f", su); err != nil {
		t.Fatal(err)
	}
	u.seal()
	return u
}

func TestResolve(t *testing.T) {
	for _, test := range []struct {
		name  string
		lines []string
		wants []want
		got   string
		err   string
	}{
		{name: "chain", lines: []string{"a 1: Depends: b", "b 1: Pre-Depends: c (>= 2)", "c 2", "d 1"}, got: "a 1, b 1, c 2"},
		{name: "loop", lines: []string{"a 1: Depends: b", "b 1: Depends: c", "c 1: Depends: a, b"}, got: "a 1, b 1, c 1"},
		{name: "recommends stay away", lines: []string{"a 1: Recommends: b; Suggests: c", "b 1", "c 1"}, got: "a 1"},
		{name: "essential stays away", lines: []string{"a 1", "dpkg 1: Essential: yes"}, got: "a 1"},
		{name: "newest", lines: []string{"a 1: Depends: b", "b 1", "b 0.5~", "b 1.10", "b 1.9"}, got: "a 1, b 1.10"},
		{name: "older when the constraint says so", lines: []string{"a 1: Depends: b (<< 2)", "b 1", "b 2"}, got: "a 1, b 1"},
		{name: "exact version wanted", lines: []string{"a 1: Depends: b (= 1)", "a 2: Depends: b (= 2)", "b 1", "b 2"}, wants: []want{{"a", "1"}}, got: "a 1, b 1"},
		{name: "first alternative", lines: []string{"a 1: Depends: x | b | c", "b 1", "c 1"}, got: "a 1, b 1"},
		{name: "alternative that is there", lines: []string{"a 1: Depends: b | c", "b 1", "c 1"}, wants: []want{{Name: "a"}, {Name: "c"}}, got: "a 1, c 1"},
		{name: "alternative by version", lines: []string{"a 1: Depends: b (>= 2) | c", "b 1", "c 1"}, got: "a 1, c 1"},
		{name: "virtual", lines: []string{"a 1: Depends: v", "c 1: Provides: v; Priority: optional", "b 1: Provides: v; Priority: optional"}, got: "a 1, b 1"},
		{name: "virtual by priority", lines: []string{"a 1: Depends: v", "b 1: Provides: v; Priority: extra", "c 1: Provides: v; Priority: standard"}, got: "a 1, c 1"},
		{name: "real before virtual", lines: []string{"a 1: Depends: v", "b 1: Provides: v; Priority: required", "v 1"}, got: "a 1, v 1"},
		{name: "virtual that is there", lines: []string{"a 1: Depends: v", "b 1: Provides: v", "v 1"}, wants: []want{{Name: "a"}, {Name: "b"}}, got: "a 1, b 1"},
		{name: "versioned provides", lines: []string{"a 1: Depends: v (>= 2)", "b 1: Provides: v", "c 1: Provides: v (= 1)", "d 1: Provides: v (= 2)"}, got: "a 1, d 1"},
		{name: "only a candidate provides", lines: []string{"a 1: Depends: v | c", "b 1: Provides: v", "b 2", "c 1"}, got: "a 1, c 1"},
		{name: "qualifiers", lines: []string{"a 1: Depends: b:any, c:native, d:amd64, e:i386 | f", "b 1: Multi-Arch: allowed", "c 1", "d 1", "e 1", "f 1"}, got: "a 1, b 1, c 1, d 1, f 1"},
		{name: "foreign architecture only", lines: []string{"a 1: Depends: e:i386", "e 1"}, err: "a 1 depends on e:i386, and the suites have only e 1 (s)"},
		{name: "conflicting alternative is passed over", lines: []string{"a 1: Depends: b | c; Conflicts: b", "b 1", "c 1"}, got: "a 1, c 1"},
		{name: "conflict by breaks and version", lines: []string{"a 1: Depends: b; Breaks: b (<< 2)", "b 1"}, err: "a 1 conflicts with b 1"},
		{name: "breaks older versions only", lines: []string{"a 1: Depends: b; Breaks: b (<< 1)", "b 1"}, got: "a 1, b 1"},
		{name: "conflict with what another provides", lines: []string{"a 1: Depends: b; Conflicts: v", "b 1: Provides: v"}, err: "a 1 conflicts with b 1"},
		{name: "no conflict with itself", lines: []string{"a 1: Provides: v; Conflicts: v"}, got: "a 1"},
		{name: "conflict reported from the other side", lines: []string{"a 1: Depends: b", "b 1: Conflicts: a"}, err: "b 1 conflicts with a 1 (b 1: a depends on it; a 1: asked for)"},
		{name: "two versions wanted", lines: []string{"a 1: Depends: b (= 1), c", "b 1", "b 2", "c 1: Depends: b (= 2)"}, err: "c 1 depends on b (= 2)"},
		{name: "unmet", lines: []string{"a 1: Depends: b (>= 3) | c", "b 1", "b 2"}, err: "a 1 depends on b (>= 3) | c, and the suites have only b 2 (s), b 1 (s)"},
		{name: "unknown", wants: []want{{Name: "nothing"}}, err: "nothing, which no configured suite has"},
		{name: "malformed depends", lines: []string{"a 1: Depends: b ((", "b 1"}, err: "Depends of a 1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.wants == nil {
				test.wants = []want{{Name: "a"}}
			}
			for range 5 { // the order of the index does not matter
				c, err := world(t, true, test.lines...).resolve(test.wants)
				if test.err != "" {
					if err == nil || !strings.Contains(err.Error(), test.err) {
						t.Fatalf("error %v, want %q", err, test.err)
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				var got []string
				for _, p := range c.packages() {
					got = append(got, p.String())
				}
				if text := strings.Join(got, ", "); text != test.got {
					t.Fatalf("got %s, want %s", text, test.got)
				}
			}
		})
	}
}

// Backports are not preferred although their versions are higher.
func TestPins(t *testing.T) {
	u := newUniverse("amd64")
	add := func(suiteName, version string, rel *release, order int) {
		s := &suite{src: &Source{Suite: suiteName}, rel: rel, order: order}
		err := u.add(strings.NewReader(control("a", version, "Filename: x\nSize: 1\nSHA256: "+store.DigestOf(nil).Hash+"\n")), "f", s)
		if err != nil {
			t.Fatal(err)
		}
	}
	add("backports", "3", &release{noAuto: true, butAuto: true}, 0)
	add("experimental", "4", &release{noAuto: true}, 1)
	add("stable", "1", &release{}, 2)
	add("security", "2", &release{}, 3)
	u.seal()
	var got []string
	for _, p := range u.byName["a"] {
		got = append(got, p.Version)
	}
	if want := []string{"2", "1", "3", "4"}; !slices.Equal(got, want) {
		t.Errorf("order %v, want %v", got, want)
	}
}

func TestLinkerFollowsLLVM(t *testing.T) {
	for _, test := range []struct {
		name  string
		lines []string
		want  string
	}{
		{"the same LLVM", []string{"rustc 1: Depends: libllvm19", "libllvm19 1", "lld-19 1", "lld-22 1", "lld 1"}, "lld-19"},
		{"renamed for 64-bit time", []string{"rustc 1: Depends: libllvm19t64", "libllvm19t64 1", "lld-19 1", "lld-22 1"}, "lld-19"},
		{"not offered", []string{"rustc 1: Depends: libllvm23", "libllvm23 1", "lld-9 1", "lld-22 1", "lld 1"}, "lld-22"},
		{"LLVM linked in", []string{"rustc 1", "lld 1"}, "lld"},
		{"none", []string{"rustc 1"}, ""},
	} {
		u := world(t, true, test.lines...)
		c, err := u.resolve([]want{{Name: "rustc"}})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := u.linker(c); got != test.want || (err == nil) != (test.want != "") {
			t.Errorf("%s: %q, %v, want %q", test.name, got, err, test.want)
		}
	}
}

// The naming schemes of Debian and its derivatives.
func TestOffers(t *testing.T) {
	u := world(t, true,
		"rustc-web 1.96.0+dfsg1-1~deb12u2", "cargo-web 1.96.0+dfsg1-1~deb12u2", "rust-web-src 1.96.0+dfsg1-1~deb12u2",
		"rustc-web 1.85.0+dfsg3-1", "cargo-web 1.85.0+dfsg3-1", "rust-web-src 1.85.0+dfsg3-1",
		"rustc 1.63.0+dfsg1-2", "cargo 0.66.0+ds1-1", "rust-src 1.63.0+dfsg1-2",
		"rustc-1.97 1.97.1+dfsg0ubuntu1-1", "cargo-1.97 1.97.1+dfsg0ubuntu1-1", "rust-1.97-src 1.97.1+dfsg0ubuntu1-1",
		"rustc-1.98 1.98.0-1", "cargo-1.98 1.98.0-1", // no sources: not usable
	)
	var got []string
	for _, c := range u.offers() {
		got = append(got, c.Version+" "+c.family.rustc)
	}
	if want := []string{"1.97.1 rustc-1.97", "1.96.0 rustc-web", "1.85.0 rustc-web", "1.63.0 rustc"}; !slices.Equal(got, want) {
		t.Errorf("offers %q, want %q", got, want)
	}
}
