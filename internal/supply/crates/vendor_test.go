package crates

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/progress"
	"espalier.dev/espalier/internal/store"
)

func openStore(t testing.TB) *store.Store {
	t.Helper()
	st, err := store.Open(context.Background(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return st
}

// archive makes a .crate, a gzipped tar of the headers. The content of an entry
// is the value "text" of its PAXRecords.
func archive(t testing.TB, entries ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, h := range entries {
		text := h.PAXRecords["text"]
		h.PAXRecords = nil
		if h.Typeflag == 0 {
			h.Typeflag = tar.TypeReg
		}
		if h.Mode == 0 {
			h.Mode = 0o644
		}
		if h.Size == 0 {
			h.Size = int64(len(text))
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, text); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func file(name, text string) tar.Header {
	return tar.Header{Name: name, PAXRecords: map[string]string{"text": text}}
}

func put(t testing.TB, st *store.Store, name, version string, b []byte) lock.Crate {
	t.Helper()
	d, err := st.PutBytes(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	return lock.Crate{Name: name, Version: version, Digest: d}
}

// contents lists a tree: path to text, "-> target" for links; executable files
// have "*" after the name.
func contents(t *testing.T, st *store.Store, tree store.Digest) map[string]string {
	t.Helper()
	got := map[string]string{}
	err := st.Walk(t.Context(), tree, func(e store.Entry) error {
		switch e.Type {
		case store.TypeSymlink:
			got[e.Path] = "-> " + e.Target
		case store.TypeFile:
			b, err := st.ReadBlob(t.Context(), e.Digest, 1<<20)
			if err != nil {
				dir, err := st.TreePath(t.Context(), tree)
				if err != nil {
					return err
				}
				if b, err = os.ReadFile(filepath.Join(dir, e.Path)); err != nil {
					return err
				}
			}
			name := e.Path
			if e.Executable {
				name += "*"
			}
			got[name] = string(b)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestVendor(t *testing.T) {
	st := openStore(t)
	a := put(t, st, "a", "1.0.0", archive(t,
		tar.Header{Name: "a-1.0.0/", Typeflag: tar.TypeDir},
		file("a-1.0.0/Cargo.toml", "[package]"),
		file("a-1.0.0/src/lib.rs", "// a"),
		tar.Header{Name: "a-1.0.0/run.sh", Mode: 0o755, PAXRecords: map[string]string{"text": "#!"}},
		tar.Header{Name: "a-1.0.0/src/link.rs", Typeflag: tar.TypeSymlink, Linkname: "lib.rs"},
		file("a-1.0.0/.cargo-checksum.json", `{"files":{"src/lib.rs":"0"}}`), // a checksum file in the archive is ignored
	))
	a2 := put(t, st, "a", "2.0.0", archive(t, file("a-2.0.0/Cargo.toml", "[package] # 2")))
	want := map[string]string{
		"a-1.0.0/Cargo.toml": "[package]", "a-1.0.0/src/lib.rs": "// a", "a-1.0.0/run.sh*": "#!", "a-1.0.0/src/link.rs": "-> lib.rs",
		"a-1.0.0/.cargo-checksum.json": `{"files":{},"package":"` + a.Digest.Hash + `"}`,
		"a-2.0.0/Cargo.toml":           "[package] # 2",
		"a-2.0.0/.cargo-checksum.json": `{"files":{},"package":"` + a2.Digest.Hash + `"}`,
	}
	tree, err := Vendor(t.Context(), st, []lock.Crate{a, a2}, progress.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if got := contents(t, st, tree); !maps.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	again, err := Vendor(t.Context(), st, []lock.Crate{a2, a}, progress.Discard)
	if err != nil || again != tree {
		t.Errorf("the order of the list is in the tree: %v, %v; want %v", again, err, tree)
	}
	if text, err := Manifest(t.Context(), st, a2); err != nil || string(text) != "[package] # 2" {
		t.Errorf("Manifest = %q, %v", text, err)
	}

	b := lock.Crate{Name: "b", Version: "1.0.0", Digest: store.DigestOf([]byte("never stored"))}
	_, err = Vendor(t.Context(), st, []lock.Crate{a, b}, progress.Discard)
	if fault.KindOf(err) != fault.Pins || !strings.Contains(err.Error(), "crate b 1.0.0") || !slices.Contains(fault.Hints(err), "espalier fetch") {
		t.Errorf("missing crate: %v, hints %q", err, fault.Hints(err))
	}
	if _, err := Manifest(t.Context(), st, b); !errors.Is(err, store.ErrMissing) {
		t.Errorf("Manifest of a missing crate: %v", err)
	}
}

func TestBadArchives(t *testing.T) {
	good := archive(t, file("a-1.0.0/Cargo.toml", strings.Repeat("x", 2000)), file("a-1.0.0/y", strings.Repeat("y", 2000)))
	for name, c := range map[string]struct {
		archive []byte
		want    string
	}{
		"climbs out":          {archive(t, file("a-1.0.0/../../etc/passwd", "x")), "is outside a-1.0.0"},
		"absolute":            {archive(t, file("/a-1.0.0/x", "x")), "is outside a-1.0.0"},
		"other directory":     {archive(t, file("a-1.0.1/x", "x")), "is outside a-1.0.0"},
		"longer name":         {archive(t, file("a-1.0.00/x", "x")), "is outside a-1.0.0"},
		"no directory":        {archive(t, file("x", "x")), "is outside a-1.0.0"},
		"directory is a file": {archive(t, file("a-1.0.0", "x")), "is outside a-1.0.0"},
		"backslash":           {archive(t, file(`a-1.0.0/..\..\x`, "x")), "is outside a-1.0.0"},
		"link out":            {archive(t, tar.Header{Name: "a-1.0.0/l", Typeflag: tar.TypeSymlink, Linkname: "../b"}), "leaves a-1.0.0"},
		"link out, deep":      {archive(t, tar.Header{Name: "a-1.0.0/x/l", Typeflag: tar.TypeSymlink, Linkname: "../../b/c"}), "leaves a-1.0.0"},
		"link to the root":    {archive(t, tar.Header{Name: "a-1.0.0/l", Typeflag: tar.TypeSymlink, Linkname: "/etc"}), "leaves a-1.0.0"},
		"file through a link": {archive(t, tar.Header{Name: "a-1.0.0/l", Typeflag: tar.TypeSymlink, Linkname: "src"}, file("a-1.0.0/l/x", "x")), "a-1.0.0"},
		"hard link":           {archive(t, file("a-1.0.0/x", "x"), tar.Header{Name: "a-1.0.0/y", Typeflag: tar.TypeLink, Linkname: "a-1.0.0/x"}), "unexpected type"},
		"device":              {archive(t, tar.Header{Name: "a-1.0.0/d", Typeflag: tar.TypeChar}), "unexpected type"},
		"pipe":                {archive(t, tar.Header{Name: "a-1.0.0/d", Typeflag: tar.TypeFifo}), "unexpected type"},
		"one name twice":      {archive(t, file("a-1.0.0/x", "x"), file("a-1.0.0/x", "y")), "a-1.0.0/x"},
		"truncated":           {good[:len(good)-12], "unexpected EOF"},
		"cut in the middle":   {good[:len(good)/2], "unexpected EOF"},
		"no gzip":             {[]byte("<html><body>404 not found</body></html>"), "gzip"},
		"empty":               {nil, "EOF"},
		"wrong gzip checksum": {append(bytes.Clone(good[:len(good)-8]), 1, 2, 3, 4, 5, 6, 7, 8), "checksum"},
	} {
		t.Run(name, func(t *testing.T) {
			st := openStore(t)
			_, err := Vendor(t.Context(), st, []lock.Crate{put(t, st, "a", "1.0.0", c.archive)}, progress.Discard)
			if fault.KindOf(err) != fault.Pins || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "a 1.0.0") {
				t.Errorf("%v (kind %d); want a pins fault that names the crate, with %q", err, fault.KindOf(err), c.want)
			}
		})
	}
}

// The limits hold wherever they fall: a tar reader takes the end of input
// between two entries for the end of the archive.
func TestLimits(t *testing.T) {
	var entries []tar.Header
	for i := range 8 {
		entries = append(entries, file(fmt.Sprintf("a-1.0.0/%d", i), strings.Repeat("x", 512)))
	}
	b := archive(t, entries...)
	const whole = 8*1024 + 1024
	count := func(l limits) (int, error) {
		n := 0
		err := extract(bytes.NewReader(b), "a-1.0.0", l, func(_ string, _ bool, _ string, r io.Reader) error {
			n++
			_, err := io.Copy(io.Discard, r)
			return err
		})
		return n, err
	}
	for max := int64(1); max < whole; max += 256 {
		if n, err := count(limits{max, 100}); err == nil {
			t.Errorf("limit %d: %d of 8 files and no error", max, n)
		}
	}
	if n, err := count(limits{whole, 100}); err != nil || n != 8 {
		t.Errorf("exactly as large as permitted: %d files, %v", n, err)
	}
	if _, err := count(limits{whole, 6}); err == nil {
		t.Error("more files than permitted pass")
	}
}

func FuzzExtract(f *testing.F) {
	f.Add(archive(f, file("a-1.0.0/Cargo.toml", "x")))
	f.Add(archive(f, file("a-1.0.0/../b", "x"), tar.Header{Name: "a-1.0.0/l", Typeflag: tar.TypeSymlink, Linkname: "../b"}))
	f.Add([]byte{0x1f, 0x8b})
	f.Fuzz(func(t *testing.T, b []byte) {
		var total int64
		err := extract(bytes.NewReader(b), "a-1.0.0", limits{1 << 20, 1000}, func(name string, _ bool, target string, r io.Reader) error {
			if !filepath.IsLocal(name) || strings.Contains(name, "..") && !filepath.IsLocal(filepath.Clean(name)) {
				t.Errorf("path %q", name)
			}
			if target != "" {
				if !filepath.IsLocal(filepath.Join(filepath.Dir(name), target)) {
					t.Errorf("link %q to %q", name, target)
				}
				return nil
			}
			n, err := io.Copy(io.Discard, r)
			total += n
			return err
		})
		if total > 1<<20 {
			t.Errorf("%d bytes came out (%v)", total, err)
		}
	})
}
