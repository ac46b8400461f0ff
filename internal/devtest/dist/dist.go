// Package dist serves a Rust distribution on the loopback interface that is
// made of real compilers: those of a rustup installation, with the lists of
// files that its components came with, or those of an unpacked Debian
// toolchain. It is for tests of what espalier does with a distribution; the
// formats are those of rust-installer 3 and channel manifest 2.
package dist

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Component is one component for one triple ("*" for all).
type Component struct {
	Name    string // "rustc"
	Triple  string
	Version string            // "1.97.0-nightly (4d1f98451 2026-05-15)"
	Files   map[string]string // path below the prefix: host file, regular or symlink
}

// Server is a distribution server.
type Server struct {
	URL string // without a trailing slash, as RUSTUP_DIST_SERVER has it

	dir   string
	mu    sync.Mutex
	asked []string
}

// New starts an empty server, which ends with the test.
func New(t testing.TB) *Server {
	t.Helper()
	s := &Server{dir: t.TempDir()}
	files := http.FileServer(http.Dir(s.dir))
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.asked = append(s.asked, strings.TrimPrefix(r.URL.Path, "/"))
		s.mu.Unlock()
		files.ServeHTTP(w, r)
	}))
	t.Cleanup(h.Close)
	s.URL = h.URL
	return s
}

// Asked lists the paths that were requested so far.
func (s *Server) Asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

// Publish packs components and makes them a channel: names are manifests below
// dist/ without "channel-rust-" and ".toml", such as "nightly" or
// "2026-05-20/nightly".
func (s *Server) Publish(t testing.TB, date string, components []Component, names ...string) {
	t.Helper()
	folder := filepath.Join(s.dir, "dist", date)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	var m strings.Builder
	fmt.Fprintf(&m, "manifest-version = \"2\"\ndate = %q\n", date)
	version := ""
	components = slices.Clone(components)
	slices.SortStableFunc(components, func(a, b Component) int { return strings.Compare(a.Name, b.Name) })
	for _, c := range components {
		name := c.Name
		if c.Triple != "*" {
			name += "-" + c.Triple
		}
		hash, err := pack(filepath.Join(folder, name+".tar.gz"), name, c)
		if err != nil {
			t.Fatal(err)
		}
		if head := fmt.Sprintf("\n[pkg.%s]\nversion = %q\n", c.Name, c.Version); head != version {
			m.WriteString(head)
			version = head
		}
		fmt.Fprintf(&m, "[pkg.%s.target.%q]\navailable = true\nurl = \"https://dist.invalid/dist/%s/%s.tar.gz\"\nhash = %q\n",
			c.Name, c.Triple, date, name, hash)
	}
	m.WriteString("\n[profiles]\nminimal = [\"rustc\", \"cargo\", \"rust-std\"]\ndefault = [\"rustc\", \"cargo\", \"rust-std\"]\n")
	sum := sha256.Sum256([]byte(m.String()))
	for _, n := range names {
		dir, base := filepath.Split(n)
		file := filepath.Join(s.dir, "dist", dir, "channel-rust-"+base+".toml")
		for path, text := range map[string]string{file: m.String(), file + ".sha256": hex.EncodeToString(sum[:]) + "  " + filepath.Base(file) + "\n"} {
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// pack writes a component archive and returns its SHA-256. It is packed
// quickly, not tightly.
func pack(file, name string, c Component) (hash string, err error) {
	f, err := os.Create(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	out := bufio.NewWriterSize(io.MultiWriter(f, sum), 1<<20)
	z, err := gzip.NewWriterLevel(out, gzip.BestSpeed)
	if err != nil {
		return "", err
	}
	w := tar.NewWriter(z)
	text := func(path, s string) {
		if err == nil {
			err = w.WriteHeader(&tar.Header{Name: name + "/" + path, Typeflag: tar.TypeReg, Size: int64(len(s)), Mode: 0o644})
		}
		if err == nil {
			_, err = io.WriteString(w, s)
		}
	}
	text("components", name+"\n")
	text("rust-installer-version", "3\n")
	paths := slices.Sorted(maps.Keys(c.Files))
	text(name+"/manifest.in", "file:"+strings.Join(paths, "\nfile:")+"\n")
	for _, p := range paths {
		if err == nil {
			err = add(w, name+"/"+name+"/"+p, c.Files[p])
		}
	}
	for _, end := range []func() error{w.Close, z.Close, out.Flush} {
		if e := end(); err == nil {
			err = e
		}
	}
	return hex.EncodeToString(sum.Sum(nil)), err
}

func add(w *tar.Writer, name, host string) error {
	info, err := os.Lstat(host)
	if err != nil {
		return err
	}
	h := &tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644}
	if info.Mode()&fs.ModeSymlink != 0 {
		h.Typeflag = tar.TypeSymlink
		if h.Linkname, err = os.Readlink(host); err != nil {
			return err
		}
		return w.WriteHeader(h)
	}
	if info.Mode()&0o111 != 0 {
		h.Mode = 0o755
	}
	h.Size = info.Size()
	if err := w.WriteHeader(h); err != nil {
		return err
	}
	f, err := os.Open(host)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(w, f)
	return err
}
