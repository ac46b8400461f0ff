package rustdist_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ulikunitz/xz"

	"espalier.dev/espalier/internal/supply/rustdist"
)

// dist is a distribution server on the loopback interface with the files of
// one channel.
type dist struct {
	t       *testing.T
	server  *httptest.Server
	mu      sync.Mutex
	files   map[string][]byte // by path below the server
	asked   []string
	version string
	date    string
	pkgs    map[string]map[string]string // component -> triple -> address part
}

const host = "x86_64-unknown-linux-gnu"

func newDist(t *testing.T, version, date string) *dist {
	d := &dist{t: t, files: map[string][]byte{}, version: version, date: date, pkgs: map[string]map[string]string{}}
	d.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.mu.Lock()
		defer d.mu.Unlock()
		name := strings.TrimPrefix(r.URL.Path, "/")
		d.asked = append(d.asked, name)
		b, ok := d.files[name]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Write(b)
	}))
	t.Cleanup(d.server.Close)
	return d
}

// add publishes a component with these files, in both compressions.
func (d *dist) add(component, triple string, files map[string]string) {
	name := component + "-" + d.version
	if triple != "*" {
		name += "-" + triple
	}
	part := component
	if triple != "*" {
		part += "-" + triple
	}
	raw := archive(name, part, files)
	var gz, x bytes.Buffer
	zw := gzip.NewWriter(&gz)
	zw.Write(raw)
	zw.Close()
	xw, err := xz.WriterConfig{DictCap: 1 << 16}.NewWriter(&x) // the default allocates and clears 8 MiB
	if err != nil {
		d.t.Fatal(err)
	}
	xw.Write(raw)
	xw.Close()
	at := "dist/" + d.date + "/" + name
	d.files[at+".tar.gz"], d.files[at+".tar.xz"] = gz.Bytes(), x.Bytes()
	if d.pkgs[component] == nil {
		d.pkgs[component] = map[string]string{}
	}
	d.pkgs[component][triple] = at
}

// archive makes the tar of a component as rust-installer does.
func archive(name, part string, files map[string]string) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	put := func(path, text string, mode int64) {
		w.WriteHeader(&tar.Header{Name: name + "/" + path, Typeflag: tar.TypeReg, Size: int64(len(text)), Mode: mode})
		w.Write([]byte(text))
	}
	put("components", part+"\n", 0o644)
	put("rust-installer-version", "3\n", 0o644)
	put("install.sh", "exit 1\n", 0o755)
	var list strings.Builder
	for _, f := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(&list, "file:%s\n", f)
	}
	put(part+"/manifest.in", list.String(), 0o644)
	for _, f := range slices.Sorted(maps.Keys(files)) {
		mode := int64(0o644)
		if strings.HasPrefix(f, "bin/") {
			mode = 0o755
		}
		put(part+"/"+f, files[f], mode)
	}
	w.Close()
	return b.Bytes()
}

// publish writes the channel's manifest and checksum.
func (d *dist) publish(channel string) {
	d.put(channel, d.manifest())
}

func (d *dist) put(channel string, manifest []byte) {
	d.files[channel] = manifest
	sum := sha256.Sum256(manifest)
	d.files[channel+".sha256"] = []byte(hex.EncodeToString(sum[:]) + "  " + filepath.Base(channel) + "\n")
}

func (d *dist) manifest() []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "manifest-version = \"2\"\ndate = %q\n", d.date)
	for _, c := range slices.Sorted(maps.Keys(d.pkgs)) {
		fmt.Fprintf(&b, "\n[pkg.%s]\nversion = \"%s (0123456789 2026-05-19)\"\n", c, d.version)
		for _, triple := range slices.Sorted(maps.Keys(d.pkgs[c])) {
			at := d.pkgs[c][triple]
			hash := func(ext string) string {
				sum := sha256.Sum256(d.files[at+ext])
				return hex.EncodeToString(sum[:])
			}
			fmt.Fprintf(&b, "[pkg.%s.target.%q]\navailable = true\n", c, triple)
			fmt.Fprintf(&b, "url = \"https://dist.invalid/%s.tar.gz\"\nhash = %q\n", at, hash(".tar.gz"))
			fmt.Fprintf(&b, "xz_url = \"https://dist.invalid/%s.tar.xz\"\nxz_hash = %q\n", at, hash(".tar.xz"))
		}
	}
	b.WriteString("\n[renames.clippy]\nto = \"clippy-preview\"\n")
	b.WriteString("[profiles]\nminimal = [\"rustc\", \"cargo\", \"rust-std\", \"rust-mingw\"]\n")
	b.WriteString("default = [\"rustc\", \"cargo\", \"rust-std\", \"rust-mingw\", \"rust-docs\", \"rustfmt-preview\", \"clippy-preview\"]\n")
	return []byte(b.String())
}

// nightly is a whole small channel.
func nightly(t *testing.T) *dist {
	d := newDist(t, "1.97.0-nightly", "2026-05-20")
	d.add("rustc", host, map[string]string{"bin/rustc": "rustc", "lib/librustc_driver.so": "driver", "share/doc/README.md": "text", "share/man/man1/rustc.1": "page"})
	d.add("cargo", host, map[string]string{"bin/cargo": "cargo", "etc/bash_completion.d/cargo": "completion"})
	d.add("rust-std", host, map[string]string{"lib/rustlib/" + host + "/lib/libcore.rlib": "host core"})
	d.add("rust-std", "riscv32imc-unknown-none-elf", map[string]string{"lib/rustlib/riscv32imc-unknown-none-elf/lib/libcore.rlib": "core"})
	d.add("rust-src", "*", map[string]string{"lib/rustlib/src/rust/library/Cargo.lock": "version = 4\n", "lib/rustlib/src/rust/library/core/src/lib.rs": "//",
		"lib/rustlib/src/rust/library/vendor/cfg-if/src/lib.rs": "//", "lib/rustlib/src/rust/library/.cargo/config.toml": "[source.crates-io]\nreplace-with = \"vendored-sources\"\n"})
	d.add("clippy-preview", host, map[string]string{"bin/cargo-clippy": "clippy"})
	d.add("rustfmt-preview", host, map[string]string{"bin/rustfmt": "fmt"})
	d.publish("dist/2026-05-20/channel-rust-nightly.toml")
	d.publish("dist/channel-rust-nightly.toml")
	return d
}

func TestServers(t *testing.T) {
	home := t.TempDir()
	dir := filepath.Join(home, ".rustup", "toolchains", "stable-"+host, "lib", "rustlib")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	text := "manifest-version = \"2\"\n\n[pkg.cargo.target.x]\navailable = true\nurl = \"https://rust.example/mirror/dist/2026-05-20/cargo.tar.gz\"\n"
	if err := os.WriteFile(filepath.Join(dir, "multirust-channel-manifest.toml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"RUSTUP_DIST_SERVER": "https://fast.example/rust"}
	lookup := func(k string) (string, bool) { v, ok := env[k]; return v, ok }
	got := rustdist.Servers(lookup, home, []string{"https://ours.example", "https://fast.example/rust/"})
	want := []string{"https://ours.example/", "https://fast.example/rust/", "https://rust.example/mirror/"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	none := func(string) (string, bool) { return "", false }
	if got := rustdist.Servers(none, "", nil); len(got) > 0 {
		t.Errorf("a machine without configuration asks %q", got)
	}
}
