package debian

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/internal/store"
)

func TestEntryPath(t *testing.T) {
	for in, want := range map[string]string{
		"./": "", ".": "", "./usr/bin/x": "usr/bin/x", "usr//bin/./x": "usr/bin/x", "./bin/x": "usr/bin/x", "lib/x86_64-linux-gnu/libc.so.6": "usr/lib/x86_64-linux-gnu/libc.so.6",
		"./lib64/ld.so": "usr/lib64/ld.so", "./lib": "lib", "./library/x": "library/x", "./etc/x/": "etc/x",
		"/etc/passwd": "error", "../x": "error", "./a/../../x": "error", "a/..": "error", "a\x00b": "error",
	} {
		got, err := entryPath(in)
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("entryPath(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestLinkTarget(t *testing.T) {
	for _, test := range []struct{ name, target, want string }{
		{"usr/bin/cc", "gcc", "gcc"},
		{"usr/lib/rustlib/src/rust", "../../../src/rustc-1.96.0", "../../../src/rustc-1.96.0"},
		{"usr/lib/x86_64-linux-gnu/libanl.so", "/lib/x86_64-linux-gnu/libanl.so.1", "libanl.so.1"},
		{"lib64/ld-linux-x86-64.so.2", "/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", "../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"},
		{"lib/x86_64-linux-gnu/libz.so.1", "libz.so.1.2", "libz.so.1.2"},
		{"lib/x/a", "../../usr/share/b", "../../share/b"},
		{"lib/x/a", "../../etc/b", "../../../etc/b"},
		{"usr/lib/x/a", "../../../lib/y/b", "../../../lib/y/b"},
		{"etc/a", "/usr/share/b", "../usr/share/b"},
		{"etc/a", "/lib", "../usr/lib"},
		{"usr/bin/a", "/", "../.."},
		{"usr/bin/a", "../../../../../etc/passwd", "../../etc/passwd"},
		{"a", "..", "."},
		{"usr/bin/a", "/../../etc/passwd", "../../etc/passwd"},
		{"usr/bin/a", "", "error"},
	} {
		got, err := linkTarget(test.name, test.target)
		if err != nil {
			got = "error"
		}
		if got != test.want {
			t.Errorf("%s -> %s gives %q, want %q", test.name, test.target, got, test.want)
		}
	}
}

func TestPruned(t *testing.T) {
	for name, want := range map[string]bool{
		"usr/share/doc/gcc/copyright": true, "usr/share/doc/": true, "usr/share/man/man1/gcc.1.gz": true, "usr/share/locale/de/": true,
		"usr/share/cargo/x": false, "usr/bin/gcc": false, "usr/bin/x86_64-linux-gnu-lto-dump-12": true, "usr/bin/gp-archive": true, "usr/bin/gprof": false,
		"usr/src/rustc-1.96.0/": false, "usr/src/rustc-1.96.0/library/": false, "usr/src/rustc-1.96.0/library/core/src/lib.rs": false, "usr/src/rustc-1.96.0/library/vendor/libc-0.2/x": false,
		"usr/src/rustc-1.96.0/Cargo.lock": false, "usr/src/rustc-1.96.0/src/": true, "usr/src/rustc-1.96.0/src/llvm/x": true, "usr/src/rustc-1.96.0/compiler/rustc/x": true,
		"usr/src/rustc-1.97.1/library/.cargo/": true, "usr/src/rustc-1.97.1/library/.cargo/config.toml": true, "usr/src/rustc-1.96.0/RELEASES.md": true, "usr/src/rustc-1.63.0/vendor/cc/x": false, "usr/src/linux/x": false,
	} {
		if got := pruned(name); got != want {
			t.Errorf("pruned(%q) = %v", name, got)
		}
	}
}

// recordingSink is a Sink that records its entries.
type recordingSink struct {
	mu      sync.Mutex
	entries map[string]string
}

func newPaper() *recordingSink { return &recordingSink{entries: map[string]string{}} }

func (p *recordingSink) put(path, what string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if path == "" || strings.HasPrefix(path, "/") || slices.Contains(strings.Split(path, "/"), "..") || filepath.Clean(path) != path {
		return fmt.Errorf("path %q reached the store", path)
	}
	p.entries[path] = what
	return nil
}

func (p *recordingSink) File(ctx context.Context, path string, executable bool, r io.Reader) (store.Digest, error) {
	b, err := io.ReadAll(r)
	if err != nil {
		return store.Digest{}, err
	}
	d := store.DigestOf(b)
	return d, p.put(path, fmt.Sprintf("file %v %s", executable, d.Hash))
}
func (p *recordingSink) Symlink(path, target string) error { return p.put(path, "link "+target) }
func (p *recordingSink) Dir(path string) error             { return p.put(path, "dir") }

func openBytes(b []byte) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }
}

func TestUnpack(t *testing.T) {
	p := testPkg{control: control("x", "1", ""), entries: []tar.Header{
		{Name: "./", Typeflag: tar.TypeDir}, {Name: "./bin/", Typeflag: tar.TypeDir}, {Name: "./bin/tool", Mode: 0o4755},
		{Name: "./usr/share/doc/x/", Typeflag: tar.TypeDir}, {Name: "./usr/share/doc/x/readme"}, {Name: "./etc/empty/", Typeflag: tar.TypeDir},
		{Name: "./etc/conf"}, {Name: "./usr/bin/same", Typeflag: tar.TypeLink, Linkname: "./bin/tool", Mode: 0o755},
		{Name: "./usr/bin/again", Typeflag: tar.TypeLink, Linkname: "bin/tool", Mode: 0o755}, {Name: "./usr/bin/license", Typeflag: tar.TypeLink, Linkname: "./usr/share/doc/x/readme"},
		{Name: "./usr/bin/link", Typeflag: tar.TypeSymlink, Linkname: "/bin/tool"},
	}, content: map[string]string{"./bin/tool": "tool", "./etc/conf": "conf", "./usr/share/doc/x/readme": "readme"}}
	file := func(exec bool, s string) string {
		return fmt.Sprintf("file %v %s", exec, store.DigestOf([]byte(s)).Hash)
	}
	want := map[string]string{
		"usr/bin/tool": file(true, "tool"), "usr/bin/same": file(true, "tool"), "usr/bin/again": file(true, "tool"), "usr/bin/license": file(false, "readme"),
		"usr/bin/link": "link tool", "etc/empty": "dir", "etc/conf": file(false, "conf"),
	}
	for _, ext := range []string{".xz", ".zst", ".gz", ".none"} {
		p.ext = ext
		got := newPaper()
		if err := unpack(context.Background(), openBytes(buildDeb(t, p)), got); err != nil {
			t.Fatalf("%s: %v", ext, err)
		}
		if fmt.Sprint(got.entries) != fmt.Sprint(want) {
			t.Errorf("%s: got\n%v\nwant\n%v", ext, got.entries, want)
		}
	}
}

func TestDamagedDebs(t *testing.T) {
	good := buildDeb(t, testPkg{control: control("x", "1", ""), entries: []tar.Header{{Name: "./a"}}, content: map[string]string{"./a": strings.Repeat("hello", 1000)}})
	data := bytes.Index(good, []byte("data.tar.xz"))
	tests := map[string]struct {
		b    []byte
		want string
	}{
		"empty":              {nil, "not an ar archive"},
		"other file":         {[]byte("<html>not found</html>"), "!<arch>"},
		"only magic":         {good[:8], "unexpected EOF"},
		"cut in a header":    {good[:40], "unexpected EOF"},
		"no data":            {good[:data], "no data.tar"},
		"cut in the data":    {good[:len(good)-40], "unexpected EOF"},
		"bad header":         {bytes.Replace(good, []byte("`\n"), []byte("!!"), 1), "damaged archive member"},
		"other first member": {bytes.Replace(good, []byte("debian-binary"), []byte("debian-bizarr"), 1), "first member"},
		"other format":       {bytes.Replace(good, []byte("2.0\n"), []byte("3.0\n"), 1), "format"},
		"data first":         {bytes.Replace(good, []byte("control.tar.gz"), []byte("data.tar.gz   "), 1), "before control.tar"},
		"unknown member":     {bytes.Replace(good, []byte("control.tar.gz"), []byte("contrel.tar.gz"), 1), "unexpected member"},
		"lzma":               {bytes.Replace(good, []byte("data.tar.xz  "), []byte("data.tar.lzma"), 1), ".lzma is not supported"},
		"flipped": {func() []byte {
			b := bytes.Clone(good)
			b[data+60+60] ^= 0xff
			return b
		}(), "data.tar"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := unpack(context.Background(), openBytes(test.b), newPaper())
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}

// The tree is that of dpkg-deb -x for real packages, apart from the rules of
// PruneVersion 1.
func TestUnpackLikeDpkg(t *testing.T) {
	devtest.Long(t, "downloads packages")
	dpkg := devtest.Tool(t, "dpkg-deb")
	apt := devtest.Tool(t, "apt-get")
	dir := t.TempDir()
	for _, name := range []string{"libc6", "libc6-dev", "gcc", "binutils", "lld-22", "perl-base", "tzdata", "zlib1g"} {
		cmd := exec.Command(apt, "download", name)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil && name != "lld-22" {
			devtest.Missing(t, fmt.Sprintf("apt-get download %s: %v %s", name, err, out))
		}
	}
	debs, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err != nil || len(debs) < 5 {
		t.Fatalf("%v, %v", debs, err)
	}
	for _, deb := range debs {
		t.Run(filepath.Base(deb), func(t *testing.T) {
			out := t.TempDir()
			if b, err := exec.Command(dpkg, "-x", deb, out).CombinedOutput(); err != nil {
				t.Fatalf("%v %s", err, b)
			}
			want := newPaper()
			err := filepath.WalkDir(out, func(p string, d fs.DirEntry, err error) error {
				if err != nil || p == out {
					return err
				}
				rel, err := filepath.Rel(out, p)
				if err != nil {
					return err
				}
				name := merge(rel)
				info, err := d.Info()
				if err != nil {
					return err
				}
				switch {
				case d.IsDir() && !isMerged(name) && !pruned(name+"/"):
					return want.Dir(name)
				case info.Mode().IsRegular() && !pruned(name):
					f, err := os.Open(p)
					if err != nil {
						return err
					}
					defer f.Close()
					_, err = want.File(context.Background(), name, info.Mode()&0o111 != 0, f)
					return err
				case info.Mode()&fs.ModeSymlink != 0 && !pruned(name):
					target, err := os.Readlink(p)
					if err != nil {
						return err
					}
					rewritten, err := linkTarget(rel, target)
					if err != nil {
						return err
					}
					return want.Symlink(name, rewritten)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			got := newPaper()
			if err := unpack(context.Background(), func() (io.ReadCloser, error) { return os.Open(deb) }, got); err != nil {
				t.Fatal(err)
			}
			if len(got.entries) < 3 {
				t.Fatalf("only %d entries", len(got.entries))
			}
			for name := range want.entries {
				if got.entries[name] != want.entries[name] {
					t.Errorf("%s is %q, dpkg-deb has %q", name, got.entries[name], want.entries[name])
				}
			}
			for name := range got.entries {
				if _, ok := want.entries[name]; !ok {
					t.Errorf("%s is not in dpkg-deb's tree", name)
				}
			}
		})
	}
}

func FuzzDeb(f *testing.F) {
	p := testPkg{control: control("x", "1", ""), entries: []tar.Header{{Name: "./a"}, {Name: "./lib/b", Typeflag: tar.TypeSymlink, Linkname: "/a"}, {Name: "./c", Typeflag: tar.TypeLink, Linkname: "a"}}, content: map[string]string{"./a": "x"}}
	for _, ext := range []string{".xz", ".zst", ".gz", ".none"} {
		p.ext = ext
		f.Add(buildDeb(f, p))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		to := newPaper()
		if err := unpack(context.Background(), openBytes(b), to); err != nil && strings.Contains(err.Error(), "reached the store") {
			t.Error(err)
		}
		for name, what := range to.entries {
			if target, ok := strings.CutPrefix(what, "link "); ok {
				if to := filepath.Join(filepath.Dir(name), target); filepath.IsAbs(target) || to == ".." || strings.HasPrefix(to, "../") {
					t.Errorf("symlink %q -> %q leaves the root", name, target)
				}
			}
		}
	})
}

func FuzzAr(f *testing.F) {
	f.Add(buildDeb(f, testPkg{control: control("x", "1", "")}))
	f.Add([]byte(arMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := newArReader(bytes.NewReader(b))
		if err != nil {
			return
		}
		for {
			m, err := a.next()
			if err != nil {
				if !errors.Is(err, io.EOF) && err.Error() == "" {
					t.Error("an error without words")
				}
				return
			}
			n, _ := io.Copy(io.Discard, a)
			if n > m.size || n > int64(len(b)) {
				t.Errorf("%d bytes of a member of %d", n, m.size)
			}
		}
	})
}

func FuzzInRelease(f *testing.F) {
	f.Add([]byte("-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nDate: x\n-----BEGIN PGP SIGNATURE-----\n\nAAAA\n-----END PGP SIGNATURE-----\n"), "Date: Wed, 18 Nov 2026 22:17:41 UTC\nSHA256:\n "+store.DigestOf(nil).Hash+" 0 main/x\n")
	f.Fuzz(func(t *testing.T, whole []byte, text string) {
		if rel, err := openInRelease(whole, &keyring{}, today); err == nil {
			t.Errorf("believed without a key: %+v", rel)
		}
		if rel, err := parseRelease([]byte(text)); err == nil {
			_ = rel.fresh(&Source{}, &aptConf{}, today)
		}
	})
}
