package debian

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/progress"
	"espalier.dev/espalier/internal/store"
	"espalier.dev/espalier/internal/supply/fetch"
)

// notes is a reporter that records the notes.
type notes struct {
	progress.Reporter
	mu    sync.Mutex
	lines []string
}

func (n *notes) Start(phase string, unit progress.Unit, total int64) progress.Task {
	return progress.Discard.Start(phase, unit, total)
}

func (n *notes) Note(format string, args ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lines = append(n.lines, fmt.Sprintf(format, args...))
}

func TestLockAndAssemble(t *testing.T) {
	m := newMirror(t)
	m.publish("testing-suite", rustPackages("1.96.0+dfsg1-1~deb12u2")...)
	ctx, st := context.Background(), testStore(t)
	s := m.discover(Config{})
	tc, err := s.Lock(ctx, st, Request{}, progress.Discard)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range tc.Packages {
		names = append(names, p.Name)
	}
	if want := []string{"cargo-web", "gcc", "libc6-dev", "libllvm22", "lld-22", "rust-web-src", "rustc-web"}; !slices.Equal(names, want) {
		t.Errorf("packages %v, want %v", names, want)
	}
	if tc.Supplier != "debian:testing-suite" || tc.Channel != "stable" || tc.Prune != PruneVersion || tc.Host != "linux/amd64" {
		t.Errorf("toolchain %+v", tc)
	}
	if len(tc.Index) != 2 || tc.Index[0].File != "testing-suite InRelease" || !tc.Index[0].Verified || tc.Index[0].Signer != fingerprint(m.key.PrimaryKey) || tc.Index[0].Date != "2026-11-20T10:00:00Z" {
		t.Errorf("evidence %+v", tc.Index)
	}
	for _, e := range tc.Index {
		if !st.Has(e.Digest) {
			t.Errorf("%s is not in the store", e.File)
		}
	}
	r, err := s.Assemble(ctx, st, tc, progress.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if r.Rustc != "1.96.0" || r.StdSource != "/usr/src/rustc-1.96.0/library" || r.StdLock != store.DigestOf([]byte("rust-web-src 1.96.0+dfsg1-1~deb12u2 usr/src/rustc-1.96.0/library/Cargo.lock")) {
		t.Errorf("rootfs %+v", r)
	}
	entries := map[string]string{}
	if err := st.Walk(ctx, r.Digest, func(e store.Entry) error {
		entries[e.Path] = e.Target
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"bin": "usr/bin", "lib64": "usr/lib64", "usr/bin/cc": "gcc", "usr/bin/rust-lld": "lld-22", "usr/bin/ld.lld": "ld.lld-22",
		"usr/bin/rustc": "", "home/espalier": "", "etc/passwd": "", "cargo": "", "out": ""} {
		if got, ok := entries[name]; !ok || got != target {
			t.Errorf("%s -> %q (%v), want %q", name, got, ok, target)
		}
	}
	if _, ok := entries["usr/src/rustc-1.96.0/src"]; ok {
		t.Error("the compiler's source is not pruned")
	}

	t.Run("the same tree from a lock alone, in other orders, elsewhere", func(t *testing.T) {
		for i := range 3 {
			st := testStore(t)
			tc := tc
			tc.Packages = slices.Clone(tc.Packages)
			for range i {
				tc.Packages = append(tc.Packages[1:], tc.Packages[0])
			}
			tc.Rootfs = r.Digest
			bare, err := Discover(t.TempDir(), Config{Host: "linux/amd64", Prefixes: []string{m.url}, Fetch: quickFetch(fetch.Config{})})
			if err != nil {
				t.Fatal(err)
			}
			if got, err := bare.Assemble(context.Background(), st, tc, progress.Discard); err != nil || got != r {
				t.Errorf("%+v, %v", got, err)
			}
		}
	})
	t.Run("nothing is asked for when the tree is there", func(t *testing.T) {
		tc := tc
		tc.Rootfs = r.Digest
		m.asked = nil
		if got, err := s.Assemble(ctx, st, tc, progress.Discard); err != nil || got != r || len(m.asked) > 0 {
			t.Errorf("%+v, %v, asked for %v", got, err, m.asked)
		}
	})
	t.Run("a lock that promises another tree", func(t *testing.T) {
		tc := tc
		tc.Rootfs = store.DigestOf([]byte("other"))
		if _, err := s.Assemble(ctx, st, tc, progress.Discard); fault.KindOf(err) != fault.Pins || !strings.Contains(err.Error(), "espalier.lock says") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("a rule from the future", func(t *testing.T) {
		tc := tc
		tc.Prune = PruneVersion + 1
		if _, err := s.Assemble(ctx, st, tc, progress.Discard); fault.KindOf(err) != fault.Pins || !strings.Contains(err.Error(), "rule 2") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("offline", func(t *testing.T) {
		off := m.discover(Config{Fetch: fetch.Config{Offline: true}})
		_, err := off.Assemble(ctx, testStore(t), tc, progress.Discard)
		if fault.KindOf(err) != fault.Pins || !strings.Contains(err.Error(), "rustc-web 1.96.0") || !strings.Contains(fault.Hints(err)[0], "espalier fetch") {
			t.Errorf("error %v, hints %q", err, fault.Hints(err))
		}
	})
	t.Run("a machine that knows no location", func(t *testing.T) {
		bare, err := Discover(t.TempDir(), Config{Host: "linux/amd64"})
		if err != nil {
			t.Fatal(err)
		}
		_, err = bare.Assemble(ctx, testStore(t), tc, progress.Discard)
		if fault.KindOf(err) != fault.Usage || !strings.Contains(strings.Join(fault.Hints(err), ""), "prefixes") {
			t.Errorf("error %v, hints %q", err, fault.Hints(err))
		}
	})
}

// Errors of mirrors and packages.
func TestBadInput(t *testing.T) {
	good := rustPackages("1.96.0-1")
	const suite = "testing-suite"
	debOf := func(m *mirror, name string) string {
		for path, b := range m.files {
			if strings.HasPrefix(path, "pool/") && bytes.Equal(b, buildDeb(m.t, good[slices.IndexFunc(good, func(p testPkg) bool { return strings.HasPrefix(p.control, "Package: "+name+"\n") })])) {
				return path
			}
		}
		m.t.Fatal("no package " + name)
		return ""
	}
	release := func(m *mirror) []byte { return m.files["dists/"+suite+"/InRelease"] }
	tests := []struct {
		name string
		harm func(m *mirror)
		kind fault.Kind
		want []string
		hint string
	}{
		{"stale index", func(m *mirror) {
			m.publishIndex(suite, "", "Valid-Until: Thu, 19 Nov 2026 10:00:00 UTC\n")
		}, fault.Pins, []string{"package index testing-suite", "valid until 2026-11-19 10:00 UTC"}, "check-valid-until=no"},
		{"index from the future", func(m *mirror) {
			m.publishIndex(suite, "", "Date: Sat, 21 Nov 2026 10:00:00 UTC\n")
		}, fault.Pins, []string{"in the future", "clock"}, ""},
		{"index of another suite", func(m *mirror) {
			m.files["dists/"+suite+"/InRelease"] = signed(t, releaseText("other", "", map[string]store.Digest{"x": store.DigestOf(nil)}), today, crypto.SHA256, m.key)
		}, fault.Pins, []string{"its Release file is that of"}, ""},
		{"signed by a stranger", func(m *mirror) {
			m.key = newKey(t, "Stranger", nil)
			m.publish(suite, good...)
		}, fault.Pins, []string{"signed by", "is not in /etc/apt/test.asc"}, "keyring package"},
		{"changed after signing", func(m *mirror) {
			m.files["dists/"+suite+"/InRelease"] = bytes.Replace(release(m), []byte("Origin: Test"), []byte("Origin: Evil"), 1)
		}, fault.Pins, []string{"changed after signing"}, ""},
		{"text after the signature", func(m *mirror) {
			m.files["dists/"+suite+"/InRelease"] = append(release(m), "SHA256:\n"...)
		}, fault.Pins, []string{"text after the signature"}, ""},
		{"text before the signature", func(m *mirror) {
			m.files["dists/"+suite+"/InRelease"] = append([]byte("SHA256:\n"), release(m)...)
		}, fault.Pins, []string{"not clear-signed"}, ""},
		{"login page", func(m *mirror) {
			m.files["dists/"+suite+"/InRelease"] = []byte("<html>please log in</html>")
		}, fault.Pins, []string{"not clear-signed", "login page"}, ""},
		{"cut off", func(m *mirror) {
			m.files["dists/"+suite+"/InRelease"] = release(m)[:len(release(m))-300]
		}, fault.Pins, []string{"package index"}, ""},
		{"key expired", func(m *mirror) {
			old := newKey(t, "Old", &packet.Config{KeyLifetimeSecs: 3600})
			m.write("etc/apt/test.asc", armoured(t, old))
			m.key = old
			m.publish(suite, good...)
		}, fault.Pins, []string{"no valid signature", "key expired"}, ""},
		{"key file missing", func(m *mirror) {
			m.write("etc/apt/sources.list", "deb [signed-by=/etc/apt/none.asc] "+m.url+" testing-suite main\n")
		}, fault.Pins, []string{"/etc/apt/sources.list:1", "none.asc"}, ""},
		{"fingerprint of another key", func(m *mirror) {
			m.write("etc/apt/trusted.gpg.d/test.asc", armoured(t, m.key))
			m.write("etc/apt/sources.list", "deb [signed-by=0123456789ABCDEF0123456789ABCDEF01234567] "+m.url+" testing-suite main\n")
		}, fault.Pins, []string{"not among the fingerprints"}, ""},
		{"index tampered with", func(m *mirror) {
			b := m.files["dists/"+suite+"/main/binary-amd64/Packages.xz"]
			b[len(b)/2] ^= 1
		}, fault.Pins, []string{"testing-suite main/binary-amd64/Packages.xz", "sha256"}, "update"},
		{"index lost", func(m *mirror) {
			delete(m.files, "dists/"+suite+"/main/binary-amd64/Packages.xz")
		}, fault.Pins, []string{"Packages.xz", "404"}, "middle of an update"},
		{"index malformed", func(m *mirror) { m.publishIndex(suite, "Package: a\nnonsense\n", "") },
			fault.Pins, []string{"testing-suite main/binary-amd64/Packages.xz:2", "nonsense"}, ""},
		{"index with a path that leaves the archive", func(m *mirror) {
			m.publishIndex(suite, control("a", "1", "Filename: ../../etc/passwd\nSize: 1\nSHA256: "+store.DigestOf(nil).Hash+"\n"), "")
		}, fault.Pins, []string{"Packages.xz:1", "../../etc/passwd"}, ""},
		{"suite gone", func(m *mirror) { clear(m.files) }, fault.Pins, []string{"404", m0}, "another mirror"},
		{"no compiler", func(m *mirror) { m.publish(suite, good[3:]...) }, fault.Pins, []string{"offer no rustc"}, "rust-web-src"},
		{"no linker", func(m *mirror) {
			m.publish(suite, slices.DeleteFunc(slices.Clone(good), func(p testPkg) bool { return strings.Contains(p.control, "Package: lld") })...)
		}, fault.Pins, []string{"no lld"}, ""},
		{"unmet dependency", func(m *mirror) {
			m.publish(suite, slices.DeleteFunc(slices.Clone(good), func(p testPkg) bool { return strings.Contains(p.control, "Package: libllvm22") })...)
		}, fault.Pins, []string{"rustc-web 1.96.0-1 depends on libllvm22, which no configured suite has"}, "all suites of one release"},
		{"conflict", func(m *mirror) {
			g := slices.Clone(good)
			g[3].control += "Conflicts: gcc\n"
			m.publish(suite, g...)
		}, fault.Pins, []string{"libllvm22 1.96.0-1 conflicts with gcc 1.96.0-1", "rustc-web depends on it"}, ""},
		{"package tampered with", func(m *mirror) {
			b := bytes.Clone(m.files[debOf(m, "rustc-web")])
			b[len(b)/2] ^= 1
			m.files[debOf(m, "rustc-web")] = b
		}, fault.Pins, []string{"fetching rustc-web 1.96.0-1", "sha256"}, "other content"},
		{"package truncated", func(m *mirror) {
			n := debOf(m, "gcc")
			m.files[n] = m.files[n][:100]
		}, fault.Pins, []string{"fetching gcc 1.96.0-1", "has 100 bytes, want"}, ""},
		{"package lost", func(m *mirror) { delete(m.files, debOf(m, "gcc")) },
			fault.Pins, []string{"fetching gcc 1.96.0-1", "404"}, "no location has pool/main/"},
		{"package that leaves the root", func(m *mirror) {
			m.publish(suite, withEntries(good, "gcc", tar.Header{Name: "./usr/../../etc/cron.d/evil"})...)
		}, fault.Pins, []string{"unpacking gcc 1.96.0-1", "leaves the package"}, ""},
		{"package with an absolute path", func(m *mirror) {
			m.publish(suite, withEntries(good, "gcc", tar.Header{Name: "/etc/passwd"})...)
		}, fault.Pins, []string{"absolute path"}, ""},
		{"package with a device", func(m *mirror) {
			m.publish(suite, withEntries(good, "gcc", tar.Header{Name: "./dev/sda", Typeflag: tar.TypeBlock})...)
		}, fault.Pins, []string{"is a device"}, ""},
		{"package that writes through a symlink", func(m *mirror) {
			m.publish(suite, withEntries(good, "gcc", tar.Header{Name: "./opt", Typeflag: tar.TypeSymlink, Linkname: "/etc"}, tar.Header{Name: "./opt/passwd"})...)
		}, fault.Pins, []string{"opt"}, ""},
		{"package with a dangling hard link", func(m *mirror) {
			m.publish(suite, withEntries(good, "gcc", tar.Header{Name: "./usr/bin/x", Typeflag: tar.TypeLink, Linkname: "./usr/bin/none"})...)
		}, fault.Pins, []string{"hard link", "usr/bin/none"}, ""},
		{"two packages disagree", func(m *mirror) {
			m.publish(suite, withEntries(good, "gcc", tar.Header{Name: "./usr/bin/rustc"})...)
		}, fault.Pins, []string{"usr/bin/rustc", "gcc 1.96.0-1", "rustc-web 1.96.0-1"}, ""},
		{"no package at all", func(m *mirror) {
			g := slices.Clone(good)
			g[6] = testPkg{control: g[6].control, raw: []byte("this is no package")}
			m.publish(suite, g...)
		}, fault.Pins, []string{"unpacking gcc 1.96.0-1", "!<arch>"}, ""},
		{"sources with a mistake", func(m *mirror) { m.write("etc/apt/sources.list", "# fine\ndeb http://x testing-suite\n") },
			fault.Usage, []string{"/etc/apt/sources.list:2: suite \"testing-suite\" without components"}, "apt-get"},
		{"stanza with a mistake", func(m *mirror) {
			m.write("etc/apt/sources.list.d/a.sources", "Types: deb\nURIs: http://x\nComponents: main\n")
		},
			fault.Usage, []string{"/etc/apt/sources.list.d/a.sources:1: stanza without Suites"}, ""},
		{"no sources", func(m *mirror) { m.write("etc/apt/sources.list", "# none\n") },
			fault.Usage, []string{"no package source"}, "[[supply.source]]"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := newMirror(t)
			m.publish(suite, good...)
			test.harm(m)
			st, ctx := testStore(t), context.Background()
			var tc lock.Toolchain
			s, err := m.tryDiscover(Config{})
			if err == nil {
				tc, err = s.Lock(ctx, st, Request{}, progress.Discard)
			}
			if err == nil {
				_, err = s.Assemble(ctx, st, tc, progress.Discard)
			}
			if err == nil {
				t.Fatal("no error")
			}
			if k := fault.KindOf(err); k != test.kind {
				t.Errorf("kind %d, want %d: %v", k, test.kind, err)
			}
			for _, want := range test.want {
				if want == m0 {
					want = m.url
				}
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
			if h := strings.Join(fault.Hints(err), "\n"); !strings.Contains(h, test.hint) {
				t.Errorf("hints %q do not say %q", h, test.hint)
			}
		})
	}
}

// m0 is replaced by the mirror's URL in tables.
const m0 = "\x00mirror"

// withEntries adds entries to one package.
func withEntries(packages []testPkg, name string, entries ...tar.Header) []testPkg {
	out := slices.Clone(packages)
	for i := range out {
		if strings.HasPrefix(out[i].control, "Package: "+name+"\n") {
			out[i].entries = append(slices.Clone(out[i].entries), entries...)
			out[i].content = maps.Clone(out[i].content)
			for _, e := range entries {
				out[i].content[e.Name] = "spoiled"
			}
		}
	}
	return out
}

func TestToolchainChoice(t *testing.T) {
	m := newMirror(t)
	old := rustPackages("1.85.0-1")
	for i := range old {
		old[i].control = strings.ReplaceAll(old[i].control, "libllvm22", "libllvm21")
	}
	m.publish("testing-suite", append(old, rustPackages("1.96.0-1")...)...)
	for _, test := range []struct {
		name string
		req  Request
		want string // version of rustc-web, or substring of the error
		hint string
		kind fault.Kind
	}{
		{name: "nothing asked", want: "1.96.0-1"},
		{name: "stable", req: Request{Channel: "stable", MinRustc: "1.95", MinFor: "esp-hal 1.2.2"}, want: "1.96.0-1"},
		{name: "too old", req: Request{MinRustc: "1.97", MinFor: "esp-hal 9.0.0"}, want: "esp-hal 9.0.0 needs rustc 1.97; this supplier offers 1.96.0, 1.85.0", kind: fault.Pins, hint: "newer rustc"},
		{name: "exact", req: Request{Channel: "1.85.0"}, want: "1.85.0-1"},
		{name: "minor", req: Request{Channel: "1.85"}, want: "1.85.0-1"},
		{name: "exact but too old", req: Request{Channel: "1.85", ChannelOrigin: "rust-toolchain.toml:2", MinRustc: "1.90.0"}, want: "the project needs rustc 1.90.0; this supplier offers 1.85.0", kind: fault.Pins, hint: "rustc 1.96.0 is offered: change the channel (rust-toolchain.toml:2)"},
		{name: "exact and absent", req: Request{Channel: "1.9"}, want: "rustc 1.9 is asked for; this supplier offers 1.96.0, 1.85.0", kind: fault.Pins, hint: `channel = "stable"`},
		{name: "nightly", req: Request{Channel: "nightly-2026-01-01", ChannelOrigin: "rust-toolchain:1"}, want: `the channel "nightly-2026-01-01" is asked for (rust-toolchain:1); this supplier offers only stable compilers: 1.96.0, 1.85.0`, kind: fault.Pins},
		{name: "components it has", req: Request{Components: []string{"rust-src", "rust-std", "cargo"}}, want: "1.96.0-1"},
		{name: "component it has not", req: Request{Components: []string{"llvm-tools-preview"}}, want: `the component "llvm-tools-preview" is asked for`, kind: fault.Pins},
		{name: "component whose package is missing", req: Request{Components: []string{"clippy"}}, want: "rust-web-clippy, which no configured suite has", kind: fault.Pins},
	} {
		t.Run(test.name, func(t *testing.T) {
			m.mu.Lock()
			m.asked = nil
			m.mu.Unlock()
			tc, err := m.discover(Config{}).Lock(context.Background(), testStore(t), test.req, progress.Discard)
			if slices.ContainsFunc(m.asked, func(p string) bool { return strings.HasSuffix(p, ".deb") }) {
				t.Error("a package was downloaded")
			}
			if test.kind != fault.OK {
				var lacks *NotOfferedError
				if errors.As(err, &lacks) == (test.name == "component whose package is missing") {
					t.Errorf("%v: another supplier may have it: %v", err, lacks != nil)
				}
				if fault.KindOf(err) != test.kind || !strings.Contains(err.Error(), test.want) || !strings.Contains(strings.Join(fault.Hints(err), "\n"), test.hint) {
					t.Errorf("%v, hints %q", err, fault.Hints(err))
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range tc.Packages {
				if p.Name == "rustc-web" && p.Version != test.want {
					t.Errorf("rustc-web %s, want %s", p.Version, test.want)
				}
			}
		})
	}
}

// Cargo alone needs the libraries that it is linked with, and their
// dependencies.
func TestCargoAlone(t *testing.T) {
	m := newMirror(t)
	list := rustPackages("1.96.0-1")
	for i := range list {
		list[i].control = strings.Replace(list[i].control, "Depends: rustc-web (= 1.96.0-1)\n",
			"Depends: rustc-web (= 1.96.0-1), binutils | gcc, libcurl4 (>= 7) | libcurl5, gcc | c-compiler\n", 1)
	}
	list = append(list, testPkg{control: control("libcurl4", "8", "Depends: tls-library, libc-dev\n")}, testPkg{control: control("libtls", "1", "Provides: tls-library\n")})
	m.publish("testing-suite", list...)
	s, st := m.discover(Config{}), testStore(t)
	if _, ok := s.Cargo(lock.Toolchain{}); ok {
		t.Error("a part of nothing")
	}
	tc, err := s.Lock(context.Background(), st, Request{}, progress.Discard)
	if err != nil {
		t.Fatal(err)
	}
	part, ok := s.Cargo(tc)
	var names []string
	for _, p := range part.Packages {
		names = append(names, p.Name)
	}
	slices.Sort(names)
	if got := strings.Join(names, " "); !ok || got != "cargo-web libc6-dev libcurl4 libtls" {
		t.Errorf("%v: %s", ok, got)
	}
	m.mu.Lock()
	m.asked = nil
	m.mu.Unlock()
	root, err := s.AssembleCargo(context.Background(), st, part, progress.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.Lookup(context.Background(), root, "usr/bin/cargo"); err != nil {
		t.Error(err)
	}
	if _, err := st.Lookup(context.Background(), root, "usr/bin/rustc"); err == nil {
		t.Error("the compiler is there, too")
	}
	if len(m.asked) != len(names) {
		t.Errorf("asked for %q", m.asked)
	}
	if again, err := s.AssembleCargo(context.Background(), st, part, progress.Discard); err != nil || again != root || len(m.asked) != len(names) {
		t.Errorf("the second time %v, %v, asked for %q", again, err, m.asked)
	}
}

// A failure of a third-party source is a note; one of the machine's own
// security suite is an error.
func TestWhichSourcesMayFail(t *testing.T) {
	m := newMirror(t)
	m.publish("testing-suite", rustPackages("1.96.0-1")...)
	own := fmt.Sprintf("deb [signed-by=/etc/apt/test.asc] %s testing-suite main\n", m.url)
	m.write("etc/apt/sources.list", own+"deb http://user:secret@127.0.0.1:1/ nodistro main\n"+m.line("vendor stable")+"deb-src http://127.0.0.1:1/ testing-suite main\n"+"deb [arch=arm64] http://127.0.0.1:1/ testing-suite main\n")
	rep := &notes{}
	if _, err := m.discover(Config{}).Lock(context.Background(), testStore(t), Request{}, rep); err != nil {
		t.Fatal(err)
	}
	all := strings.Join(rep.lines, "\n")
	if len(rep.lines) != 2 || !strings.Contains(all, "nodistro (/etc/apt/sources.list:2)") || !strings.Contains(all, "vendor") || strings.Contains(all, "secret") {
		t.Errorf("notes %q", rep.lines)
	}
	m.write("etc/apt/sources.list", own+m.line("testing-suite-security main"))
	if _, err := m.discover(Config{}).Lock(context.Background(), testStore(t), Request{}, rep); fault.KindOf(err) != fault.Pins || !strings.Contains(err.Error(), "testing-suite-security") {
		t.Errorf("error %v", err)
	}
}

func (m *mirror) line(rest string) string {
	return "deb [signed-by=/etc/apt/test.asc] " + m.url + " " + rest + "\n"
}

// By-hash files are preferred to names, so that an update of the mirror does
// not interfere.
func TestByHash(t *testing.T) {
	m := newMirror(t)
	m.publish("testing-suite", rustPackages("1.96.0-1")...)
	name := "dists/testing-suite/main/binary-amd64/Packages.xz"
	b := m.files[name]
	d := store.DigestOf(b)
	m.files["dists/testing-suite/main/binary-amd64/by-hash/SHA256/"+d.Hash] = b
	m.files[name] = []byte("newer than the InRelease")
	m.files["dists/testing-suite/InRelease"] = signed(t, releaseText("testing-suite", "Acquire-By-Hash: yes\n", map[string]store.Digest{"main/binary-amd64/Packages.xz": d}), today, crypto.SHA256, m.key)
	if _, err := m.discover(Config{}).Lock(context.Background(), testStore(t), Request{}, progress.Discard); err != nil {
		t.Fatal(err)
	}
	// The name is used when there is no by-hash file.
	m.files[name] = b
	delete(m.files, "dists/testing-suite/main/binary-amd64/by-hash/SHA256/"+d.Hash)
	if _, err := m.discover(Config{}).Lock(context.Background(), testStore(t), Request{}, progress.Discard); err != nil {
		t.Fatal(err)
	}
}

// A machine without apt: sources and keys come from the configuration.
func TestWithoutApt(t *testing.T) {
	m := newMirror(t)
	m.publish("testing-suite", rustPackages("1.96.0-1")...)
	m.write("etc/apt/sources.list", "")
	s := m.discover(Config{Sources: []string{"deb [signed-by=/etc/apt/test.asc] " + m.url + " testing-suite main"}})
	if _, err := s.Lock(context.Background(), testStore(t), Request{}, progress.Discard); err != nil {
		t.Fatal(err)
	}
	if _, err := m.tryDiscover(Config{Sources: []string{"deb http://x"}}); fault.KindOf(err) != fault.Usage || !strings.Contains(err.Error(), "archive and suite 1") {
		t.Errorf("error %v", err)
	}
	// Without signed-by the embedded keys are used, which do not include that
	// of this archive.
	s = m.discover(Config{Sources: []string{"deb " + m.url + " testing-suite main"}})
	if _, err := s.Lock(context.Background(), testStore(t), Request{}, progress.Discard); err == nil || !strings.Contains(err.Error(), "inside espalier") {
		t.Errorf("error %v", err)
	}
}
