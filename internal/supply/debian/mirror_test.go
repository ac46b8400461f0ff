package debian

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"espalier.dev/espalier/internal/store"
	"espalier.dev/espalier/internal/supply/fetch"
)

// today is the current time in all tests here.
var today = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// mirror is a small archive on the loopback interface, signed by its own key.
type mirror struct {
	t     *testing.T
	key   *openpgp.Entity
	url   string // with a trailing slash
	root  string // of a machine whose apt uses it
	mu    sync.Mutex
	files map[string][]byte
	asked []string
}

func newKey(t *testing.T, name string, cfg *packet.Config) *openpgp.Entity {
	t.Helper()
	if cfg == nil {
		cfg = &packet.Config{}
	}
	if cfg.Time == nil {
		cfg.Time = func() time.Time { return today.AddDate(-1, 0, 0) }
	}
	cfg.Algorithm = packet.PubKeyAlgoEdDSA
	e, err := openpgp.NewEntity(name, "", "archive@example.invalid", cfg)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func armoured(t *testing.T, keys ...*openpgp.Entity) string {
	t.Helper()
	var b bytes.Buffer
	w, err := armor.Encode(&b, openpgp.PublicKeyType, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		if err := k.Serialize(w); err != nil {
			t.Fatal(err)
		}
	}
	w.Close()
	return b.String() + "\n"
}

// signed clear-signs content.
func signed(t *testing.T, content string, when time.Time, hash crypto.Hash, keys ...*openpgp.Entity) []byte {
	t.Helper()
	var b bytes.Buffer
	var private []*packet.PrivateKey
	for _, k := range keys {
		private = append(private, k.PrivateKey)
	}
	w, err := clearsign.EncodeMulti(&b, private, &packet.Config{DefaultHash: hash, Time: func() time.Time { return when }})
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(w, content)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	// gpgv requires the armour's checksum, which the library omits.
	text, sig, _ := bytes.Cut(b.Bytes(), []byte("-----BEGIN PGP SIGNATURE-----"))
	block, err := armor.Decode(bytes.NewReader(append([]byte("-----BEGIN PGP SIGNATURE-----"), append(sig, '\n')...)))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(block.Body)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	out.Write(text)
	a, err := armor.EncodeWithChecksumOption(&out, block.Type, nil, true)
	if err != nil {
		t.Fatal(err)
	}
	a.Write(raw)
	a.Close()
	out.WriteByte('\n')
	return out.Bytes()
}

func newMirror(t *testing.T) *mirror {
	t.Helper()
	m := &mirror{t: t, key: newKey(t, "Test Archive", nil), files: map[string][]byte{}, root: t.TempDir()}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.mu.Lock()
		m.asked = append(m.asked, r.URL.Path)
		b, ok := m.files[strings.TrimPrefix(r.URL.Path, "/")]
		m.mu.Unlock()
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Write(b)
	}))
	t.Cleanup(s.Close)
	m.url = s.URL + "/"
	m.write("etc/os-release", "VERSION_CODENAME=testing-suite\n")
	m.write("etc/apt/test.asc", armoured(t, m.key))
	m.write("etc/apt/sources.list", fmt.Sprintf("deb [signed-by=/etc/apt/test.asc] %s testing-suite main\n", m.url))
	return m
}

// write creates a file on the machine.
func (m *mirror) write(name, content string) {
	m.t.Helper()
	name = filepath.Join(m.root, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		m.t.Fatal(err)
	}
}

// testPkg is one package to publish.
type testPkg struct {
	control string // without Filename, Size, SHA256; "Package: x\nVersion: 1\n…"
	entries []tar.Header
	content map[string]string
	ext     string // of data.tar: ".xz" (default), ".zst", ".gz", ""
	raw     []byte // instead of a real package
}

func compress(t testing.TB, b []byte, ext string) []byte {
	t.Helper()
	var out bytes.Buffer
	var w io.WriteCloser
	var err error
	switch ext {
	case ".xz":
		w, err = xz.WriterConfig{DictCap: 1 << 16}.NewWriter(&out) // the default allocates and clears 8 MiB
	case ".zst":
		w, err = zstd.NewWriter(&out)
	case ".gz":
		w = gzip.NewWriter(&out)
	default:
		return b
	}
	if err == nil {
		_, err = w.Write(b)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// buildDeb makes a binary package like dpkg-deb.
func buildDeb(t testing.TB, p testPkg) []byte {
	t.Helper()
	if p.raw != nil {
		return p.raw
	}
	ext := p.ext
	if ext == "" {
		ext = ".xz"
	}
	pack := func(headers []tar.Header, content map[string]string) []byte {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		for _, h := range headers {
			body := content[h.Name]
			if h.Typeflag == 0 {
				h.Typeflag = tar.TypeReg
			}
			if h.Typeflag == tar.TypeReg {
				h.Size = int64(len(body))
			} else {
				body = ""
			}
			if h.Mode == 0 {
				h.Mode = 0o644
			}
			h.ModTime = time.Unix(1_700_000_000, 0)
			if err := w.WriteHeader(&h); err != nil {
				t.Fatal(err)
			}
			io.WriteString(w, body)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	control := pack([]tar.Header{{Name: "./control"}}, map[string]string{"./control": p.control})
	var out bytes.Buffer
	out.WriteString(arMagic)
	member := func(name string, b []byte) {
		fmt.Fprintf(&out, "%-16s%-12d%-6d%-6d%-8s%-10d`\n", name, 1700000000, 0, 0, "100644", len(b))
		out.Write(b)
		if len(b)%2 == 1 {
			out.WriteByte('\n')
		}
	}
	member("debian-binary", []byte("2.0\n"))
	member("control.tar.gz", compress(t, control, ".gz"))
	name := "data.tar" + ext
	if ext == ".none" {
		name = "data.tar"
	}
	member(name, compress(t, pack(p.entries, p.content), ext))
	return out.Bytes()
}

// publish fills the suite with packages and signs its index.
func (m *mirror) publish(suite string, packages ...testPkg) {
	m.t.Helper()
	var index strings.Builder
	for i, p := range packages {
		deb := buildDeb(m.t, p)
		name := fmt.Sprintf("pool/main/p%d_%s.deb", i, suite)
		m.files[name] = deb
		d := store.DigestOf(deb)
		fmt.Fprintf(&index, "%sFilename: %s\nSize: %d\nSHA256: %s\n\n", p.control, name, d.Size, d.Hash)
	}
	m.publishIndex(suite, index.String(), "")
}

// publishIndex signs a Packages file. extra has more lines for the Release
// file.
func (m *mirror) publishIndex(suite, index, extra string) {
	packed := compress(m.t, []byte(index), ".xz")
	d := store.DigestOf(packed)
	path := "main/binary-amd64/Packages.xz"
	m.files["dists/"+suite+"/"+path] = packed
	m.files["dists/"+suite+"/InRelease"] = signed(m.t, releaseText(suite, extra, map[string]store.Digest{path: d}), today, crypto.SHA512, m.key)
}

func releaseText(suite, extra string, files map[string]store.Digest) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Origin: Test\nSuite: stable\nCodename: %s\n", suite)
	if !strings.Contains(extra, "Date:") {
		b.WriteString("Date: Fri, 20 Nov 2026 10:00:00 UTC\n")
	}
	b.WriteString(extra)
	b.WriteString("Architectures: amd64\nComponents: main\nSHA256:\n")
	var names []string
	for n := range files {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, n := range names {
		fmt.Fprintf(&b, " %s %d %s\n", files[n].Hash, files[n].Size, n)
	}
	return b.String()
}

// control writes a stanza with the given extra fields.
func control(name, version, extra string) string {
	return fmt.Sprintf("Package: %s\nVersion: %s\nArchitecture: amd64\n%s", name, version, extra)
}

// rustPackages is the minimal set of packages of a toolchain.
func rustPackages(version string) []testPkg {
	one := func(name, extra string, files ...string) testPkg {
		p := testPkg{control: control(name, version, extra), content: map[string]string{}}
		for _, f := range files {
			p.entries = append(p.entries, tar.Header{Name: "./" + f, Mode: 0o755})
			p.content["./"+f] = name + " " + version + " " + f
		}
		return p
	}
	src := one("rust-web-src", "", "usr/src/rustc-1.96.0/library/Cargo.lock", "usr/src/rustc-1.96.0/library/core/src/lib.rs", "usr/src/rustc-1.96.0/src/tools/big.rs")
	src.entries = append(src.entries, tar.Header{Name: "./usr/lib/rustlib/src/rust", Typeflag: tar.TypeSymlink, Linkname: "../../../src/rustc-1.96.0"})
	return []testPkg{
		one("rustc-web", "Provides: rustc (= "+version+")\nDepends: libllvm22, gcc, libc-dev\nConflicts: rustc\n", "usr/bin/rustc"),
		one("cargo-web", "Depends: rustc-web (= "+version+")\n", "usr/bin/cargo"),
		src,
		one("libllvm22", "", "usr/lib/libLLVM.so.22"),
		one("lld-21", "", "usr/bin/lld-21", "usr/bin/ld.lld-21"),
		one("lld-22", "Depends: libllvm22\n", "usr/bin/lld-22", "usr/bin/ld.lld-22"),
		one("gcc", "Provides: c-compiler\n", "usr/bin/gcc"),
		one("libc6-dev", "Provides: libc-dev\n", "usr/include/stdio.h"),
	}
}

func (m *mirror) discover(cfg Config) *Supplier {
	m.t.Helper()
	s, err := m.tryDiscover(cfg)
	if err != nil {
		m.t.Fatal(err)
	}
	return s
}

func (m *mirror) tryDiscover(cfg Config) (*Supplier, error) {
	cfg.Host = "linux/amd64"
	cfg.Now = func() time.Time { return today }
	cfg.Fetch = quickFetch(cfg.Fetch)
	return Discover(m.root, cfg)
}

func quickFetch(c fetch.Config) fetch.Config {
	c.Backoff = time.Nanosecond
	c.Environ = func(string) string { return "" }
	return c
}

func testStore(t *testing.T) *store.Store {
	t.Helper()
	st, err := store.Open(context.Background(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return st
}
