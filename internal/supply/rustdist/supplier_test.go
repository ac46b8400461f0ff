package rustdist_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/progress"
	"espalier.dev/espalier/internal/store"
	"espalier.dev/espalier/internal/supply/fetch"
	"espalier.dev/espalier/internal/supply/rustdist"
)

func testStore(t *testing.T) *store.Store {
	st, err := store.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return st
}

func (d *dist) supplier(keys ...[]byte) *rustdist.Supplier {
	d.t.Helper()
	s, err := rustdist.New(rustdist.Config{
		Servers: []string{d.server.URL + "/"}, Keys: keys,
		Client: fetch.New(fetch.Config{Backoff: time.Millisecond, Retries: -1}),
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return s
}

func names(tc lock.Toolchain) []string {
	var out []string
	for _, p := range tc.Packages {
		out = append(out, p.Name+" "+p.Arch)
	}
	return out
}

func TestLock(t *testing.T) {
	d := nightly(t)
	st := testStore(t)
	base := []string{"cargo " + host, "rust-std " + host, "rustc " + host}
	with := func(more ...string) []string {
		out := append(slices.Clone(base), more...)
		slices.Sort(out)
		return out
	}
	for _, tc := range []struct {
		name string
		r    rustdist.Request
		want []string
	}{
		{"minimal", rustdist.Request{Channel: "nightly"}, base},
		{"dated", rustdist.Request{Channel: "nightly-2026-05-20"}, base},
		{"default", rustdist.Request{Channel: "nightly", Profile: "default"}, with("clippy-preview "+host, "rustfmt-preview "+host)},
		{"components", rustdist.Request{Channel: "nightly", Components: []string{"rust-src", "clippy", "rust-docs"}}, with("clippy-preview "+host, "rust-src *")},
		{"source", rustdist.Request{Channel: "nightly", Source: true}, with("rust-src *")},
		{"target", rustdist.Request{Channel: "nightly", Targets: []string{"riscv32imc-unknown-none-elf"}}, with("rust-std riscv32imc-unknown-none-elf")},
		{"target as component", rustdist.Request{Channel: "nightly", Components: []string{"rust-std-riscv32imc-unknown-none-elf"}}, with("rust-std riscv32imc-unknown-none-elf")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.r.Host = "linux/amd64"
			got, err := d.supplier().Lock(t.Context(), st, tc.r, progress.Discard)
			if err != nil {
				t.Fatal(err)
			}
			list := names(got)
			slices.Sort(list)
			if !slices.Equal(list, tc.want) {
				t.Errorf("packages %q, want %q", list, tc.want)
			}
			if got.Supplier != "rust:nightly-2026-05-20" || len(got.Index) != 1 || !st.Has(got.Index[0].Digest) {
				t.Errorf("supplier %s, evidence %v", got.Supplier, got.Index)
			}
			for _, p := range got.Packages {
				if p.Format != rustdist.Format || !strings.HasPrefix(p.Path, "dist/2026-05-20/") || !strings.HasSuffix(p.Path, ".tar.xz") {
					t.Errorf("package %+v", p)
				}
			}
			if !rustdist.Covers(got, tc.r) {
				t.Error("the new pins do not cover their own request")
			}
			if rustdist.Covers(got, rustdist.Request{Host: "linux/amd64", Components: []string{"llvm-tools"}}) {
				t.Error("the pins cover a component that they lack")
			}
		})
	}
}

// A channel that knows a target and has no library for it has the sources.
func TestLibraryFromSource(t *testing.T) {
	const target = "riscv32imc-unknown-none-elf"
	const dated = "dist/2026-05-20/channel-rust-nightly.toml"
	head := []byte(fmt.Sprintf("[pkg.rust-std.target.%q]\navailable = ", target))
	r := rustdist.Request{Host: "linux/amd64", Channel: "nightly-2026-05-20", Targets: []string{target}}
	d, st := nightly(t), testStore(t)
	ready, err := d.supplier().Lock(t.Context(), st, r, progress.Discard)
	if err != nil || !rustdist.ReadyMade(ready, target) {
		t.Fatalf("%v: %q", err, names(ready))
	}
	if !bytes.Contains(d.files[dated], head) {
		t.Fatal("the manifest has another form")
	}
	d.put(dated, bytes.Replace(d.files[dated], append(head, "true"...), append(head, "false"...), 1))
	got, err := d.supplier().Lock(t.Context(), st, r, progress.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if rustdist.ReadyMade(got, target) || !slices.Contains(names(got), "rust-src *") || !rustdist.Covers(got, r) {
		t.Errorf("packages %q", names(got))
	}
	d.put(dated, bytes.Replace(d.files[dated], []byte("[pkg.rust-src.target.\"*\"]\navailable = true"), []byte("[pkg.rust-src.target.\"*\"]\navailable = false"), 1))
	if _, err := d.supplier().Lock(t.Context(), st, r, progress.Discard); fault.KindOf(err) != fault.Pins || !strings.Contains(err.Error(), "without rust-std for "+target) {
		t.Errorf("neither library nor sources: %v", err)
	}
}

// A server can be wrong about everything that it says; what it says wrong is
// named, and nothing of it becomes a pin.
func TestLyingServer(t *testing.T) {
	const dated = "dist/2026-05-20/channel-rust-nightly.toml"
	for _, tc := range []struct {
		name   string
		r      rustdist.Request
		change func(*dist)
		want   string
	}{
		{"no such day", rustdist.Request{Channel: "nightly-2026-05-21"}, nil, "no server has it"},
		{"no such version", rustdist.Request{Channel: "1.4.0"}, nil, "no server has it"},
		{"manifest of another day", rustdist.Request{Channel: "nightly-2026-05-20"}, func(d *dist) {
			d.put(dated, bytes.ReplaceAll(d.files[dated], []byte(`date = "2026-05-20"`), []byte(`date = "2026-05-19"`)))
		}, "the manifest of 2026-05-19"},
		{"checksum", rustdist.Request{Channel: "nightly-2026-05-20"}, func(d *dist) { d.files[dated+".sha256"] = []byte(strings.Repeat("0", 64) + "  x\n") }, "its checksum file says"},
		{"no TOML", rustdist.Request{Channel: "nightly-2026-05-20"}, func(d *dist) { d.put(dated, []byte("<html>\n")) }, "channel manifest:1"},
		{"version 3", rustdist.Request{Channel: "nightly-2026-05-20"}, func(d *dist) { d.put(dated, []byte("manifest-version = \"3\"\n")) }, "only version 2"},
		{"empty", rustdist.Request{Channel: "nightly-2026-05-20"}, func(d *dist) { d.put(dated, []byte("manifest-version = \"2\"\n")) }, "without a rustc"},
		{"hash", rustdist.Request{Channel: "nightly-2026-05-20"}, func(d *dist) {
			d.put(dated, bytes.ReplaceAll(d.files[dated], []byte(`xz_hash = "`), []byte(`xz_hash = "zz`)))
		}, "hash"},
		{"address", rustdist.Request{Channel: "nightly-2026-05-20"}, func(d *dist) {
			d.put(dated, bytes.ReplaceAll(d.files[dated], []byte("/dist/2026-05-20/"), []byte("/dist/../../")))
		}, "not a plain path"},
		{"component", rustdist.Request{Channel: "nightly-2026-05-20", Components: []string{"rust-scr"}}, nil, `component "rust-scr" is not part of`},
		{"target", rustdist.Request{Channel: "nightly-2026-05-20", Targets: []string{"riscv32imac-unknown-none-elf"}}, nil, "published without rust-std for riscv32imac"},
		{"host", rustdist.Request{Host: "plan9/amd64", Channel: "nightly"}, nil, "plan9/amd64"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := nightly(t)
			if tc.change != nil {
				tc.change(d)
			}
			if tc.r.Host == "" {
				tc.r.Host = "linux/amd64"
			}
			_, err := d.supplier().Lock(t.Context(), testStore(t), tc.r, progress.Discard)
			if k := fault.KindOf(err); k != fault.Pins && k != fault.Usage || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v; want %q", err, tc.want)
			}
			if strings.Contains(fmt.Sprint(err), "\n") {
				t.Errorf("more than one line: %q", err)
			}
		})
	}
	t.Run("no server", func(t *testing.T) {
		s, err := rustdist.New(rustdist.Config{Client: fetch.New(fetch.Config{})})
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Lock(t.Context(), testStore(t), rustdist.Request{Host: "linux/amd64", Channel: "nightly"}, progress.Discard)
		if fault.KindOf(err) != fault.Usage || len(fault.Hints(err)) == 0 {
			t.Errorf("%v", err)
		}
	})
}

func TestSignature(t *testing.T) {
	e, err := openpgp.NewEntity("Rust", "", "rust@example.org", nil)
	if err != nil {
		t.Fatal(err)
	}
	var key bytes.Buffer
	w, err := armor.Encode(&key, openpgp.PublicKeyType, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Serialize(w); err != nil {
		t.Fatal(err)
	}
	w.Close()
	d := nightly(t)
	r := rustdist.Request{Host: "linux/amd64", Channel: "nightly"}
	const path = "dist/channel-rust-nightly.toml"

	if _, err := d.supplier(key.Bytes()).Lock(t.Context(), testStore(t), r, progress.Discard); fault.KindOf(err) != fault.Pins {
		t.Errorf("a missing signature is accepted: %v", err)
	}
	sign := func(text []byte) {
		var sig bytes.Buffer
		if err := openpgp.ArmoredDetachSign(&sig, e, bytes.NewReader(text), nil); err != nil {
			t.Fatal(err)
		}
		d.files[path+".asc"] = sig.Bytes()
	}
	sign(d.files[path])
	tc, err := d.supplier(key.Bytes()).Lock(t.Context(), testStore(t), r, progress.Discard)
	want := strings.ToUpper(hex.EncodeToString(e.PrimaryKey.Fingerprint))
	if err != nil || !tc.Index[0].Verified || tc.Index[0].Signer != want {
		t.Errorf("%v: %+v", err, tc.Index)
	}
	if tc, err := d.supplier().Lock(t.Context(), testStore(t), r, progress.Discard); err != nil || tc.Index[0].Verified {
		t.Errorf("without a key: %v, verified %t", err, tc.Index[0].Verified)
	}
	sign([]byte("another text"))
	if _, err := d.supplier(key.Bytes()).Lock(t.Context(), testStore(t), r, progress.Discard); fault.KindOf(err) != fault.Pins || !strings.Contains(err.Error(), "signature") {
		t.Errorf("a wrong signature is accepted: %v", err)
	}
}

// collector is a Sink that keeps everything.
type collector map[string]string

func (c collector) File(_ context.Context, path string, exec bool, r io.Reader) (store.Digest, error) {
	b, err := io.ReadAll(r)
	if exec {
		path += "*"
	}
	c[path] = string(b)
	return store.DigestOf(b), err
}
func (c collector) Symlink(path, target string) error { c[path] = "-> " + target; return nil }
func (c collector) Dir(string) error                  { return nil }

func unpack(name string, b []byte) (collector, error) {
	c := collector{}
	err := rustdist.Unpack(context.Background(), name, func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }, c)
	return c, err
}

func TestUnpack(t *testing.T) {
	d := nightly(t)
	for _, ext := range []string{".tar.xz", ".tar.gz"} {
		at := d.pkgs["rustc"][host] + ext
		got, err := unpack(at, d.files[at])
		if err != nil || len(got) != 2 || got["usr/bin/rustc*"] != "rustc" || got["usr/lib/librustc_driver.so"] != "driver" {
			t.Errorf("%s: %v, %v", ext, got, err)
		}
		for _, n := range []int{0, 1, len(d.files[at]) / 2, len(d.files[at]) - 1} {
			if _, err := unpack(at, d.files[at][:n]); err == nil {
				t.Errorf("%s cut after %d bytes is accepted", ext, n)
			}
		}
	}
	at := d.pkgs["rust-src"]["*"] + ".tar.xz"
	if got, err := unpack(at, d.files[at]); err != nil || len(got) != 2 {
		t.Errorf("rust-src has %v, %v: want the library without its copy of other crates", got, err)
	}
	files := map[string]string{"bin/rustc": "x", "lib/a": "y"}
	for _, tc := range []struct {
		name   string
		change func(string) string
		want   string
	}{
		{"list lacks a file", func(s string) string { return strings.Replace(s, "file:lib/a\n", "file:lib/b\n", 1) }, "its list of files lacks"},
		{"list too long", func(s string) string { return strings.Replace(s, "file:lib/a\n", "dir:lib/aa\n", 1) }, "lib/a"},
		{"leaves", func(s string) string { return strings.Replace(s, "n/p/lib/a", "n/../../a", 1) }, ""},
		{"other folder", func(s string) string { return strings.Replace(s, "n/p/lib/a", "m/p/lib/a", 1) }, ""},
	} {
		raw := string(archive("n", "p", files))
		changed := tc.change(raw)
		if changed == raw || len(changed) != len(raw) {
			t.Fatalf("%s: the test changes nothing, or lengths", tc.name)
		}
		changed = fixChecksums(changed)
		if _, err := unpack("n.tar.gz", gz(changed)); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
	if _, err := unpack("n.tar.gz", gz(fixChecksums(strings.Replace(string(archive("n", "p", files)), "3\n", "4\n", 1)))); err == nil || !strings.Contains(err.Error(), "installer version") {
		t.Errorf("another installer version: %v", err)
	}
	if _, err := unpack("n.zip", nil); err == nil {
		t.Error("a zip is accepted")
	}
}

// A symlink may point within its component only.
func TestUnpackSymlink(t *testing.T) {
	for target, ok := range map[string]bool{"b": true, "../bin/b": true, "../../b": false, "/b": false} {
		raw := linkArchive("n", "p", "lib/a", target)
		if got, err := unpack("n.tar.gz", gz(raw)); (err == nil) != ok || ok && got["usr/lib/a"] != "-> "+target {
			t.Errorf("link to %s: %v, %v", target, got, err)
		}
	}
}

func FuzzParseManifest(f *testing.F) {
	f.Add([]byte("manifest-version = \"2\"\n[pkg.rustc]\nversion = \"1.85.0 (x)\"\n[pkg.rustc.target.\"*\"]\navailable = true\nurl = \"https://a/dist/b.tar.gz\"\nhash = \"00\"\n"))
	f.Fuzz(func(t *testing.T, b []byte) { rustdist.ParseManifest(b) })
}

func FuzzUnpack(f *testing.F) {
	f.Add(gz(string(archive("n", "p", map[string]string{"bin/rustc": "x"}))))
	f.Add(gz(linkArchive("n", "p", "lib/a", "b")))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := unpack("n.tar.gz", b)
		if err != nil {
			return
		}
		for p := range got {
			if !strings.HasPrefix(p, "usr/") || strings.Contains(p, "..") && slices.Contains(strings.Split(p, "/"), "..") {
				t.Fatalf("wrote %q", p)
			}
		}
	})
}
