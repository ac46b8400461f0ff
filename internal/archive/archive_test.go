package archive

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/progress"
	"espalier.dev/espalier/internal/store"
)

const host = "linux/amd64"

func open(t testing.TB) *store.Store {
	t.Helper()
	st, err := store.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return st
}

// sample fills a store with one of everything that an archive has.
func sample(t testing.TB, st *store.Store) Contents {
	t.Helper()
	put := func(text string) store.Digest {
		d, err := st.PutBytes(t.Context(), []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	tree := func(name string) store.Digest {
		d, err := st.MakeTree(t.Context(), func(b *store.TreeBuilder) error {
			to := b.Source("")
			for _, path := range []string{name + "/main.rs", "run.sh", name + "/empty", strings.Repeat("long/", 30) + "name"} {
				text := path
				if strings.HasSuffix(path, "empty") {
					text = ""
				}
				if _, err := to.File(context.Background(), path, path == "run.sh", strings.NewReader(text)); err != nil {
					return err
				}
			}
			if err := to.Symlink("link", "../outside"); err != nil {
				return err
			}
			return to.Dir("ä empty")
		})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	crate := func(name, version string) lock.Crate {
		d := put(name)
		d.Size = -1 // Cargo.lock has no sizes
		return lock.Crate{Name: name, Version: version, Digest: d, For: []string{"project"}}
	}
	gone := store.DigestOf([]byte("an index that gc has removed"))
	f := &lock.File{
		Tool: "espalier 0.1.0", Project: lock.Project{SourceDateEpoch: 1_700_000_000, Layout: 1, CargoLock: put("Cargo.lock")},
		Toolchains: []lock.Toolchain{{
			Host: host, Supplier: "debian:stable", Channel: "stable", Rustc: "1.96.0 (ac68faa20 2026-05-25)", Prune: 1, Rootfs: store.DigestOf([]byte("not assembled")),
			Index: []lock.Evidence{{File: "stable InRelease", Digest: put("signed"), Verified: true}, {File: "stable Packages.xz", Digest: gone, Verified: true}},
			Packages: []lock.Package{
				{Name: "rustc", Version: "1:1.96", Arch: "amd64", Digest: put(strings.Repeat("rustc", 3000)), Path: "pool/rustc.deb"},
				{Name: "rust-std", Version: "1.96.0", Arch: "riscv32imc", Digest: put("rust-std"), Path: "dist/rust-std.tar.xz", Format: "rust"},
			},
		}},
		Crates: []lock.Crate{crate("heapless", "0.8.0"), crate("nb", "1.1.0")},
		Git:    []lock.Git{{URL: "https://git.example.invalid/net.git", Commit: strings.Repeat("01", 20), Tree: tree("net"), Crates: []string{"net 0.1.0"}}},
		Blobs:  []lock.Blob{{Name: "bootloader", Digest: put("bootloader"), From: "x 1.0.0: boot.bin"}, {Name: "rom-rev3", Digest: put("rom"), From: "x 1.0.0: rom.elf"}},
	}
	text, err := lock.Encode(f)
	if err != nil {
		t.Fatal(err)
	}
	return Contents{
		Config: Config{
			Version: Version, Project: "app", Revision: strings.Repeat("ab", 20), Host: host, Tool: "0.1.0", Workspace: "app", Source: tree("app"),
			Lock: store.DigestOf(text), Results: map[string]store.Digest{"app.elf": put("elf"), "app.bin": put("image")},
		},
		Pins: f, Lock: text,
		Programs: []Program{{"program/linux-amd64/espalier", func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("program")), nil }}},
	}
}

func write(t testing.TB, st *store.Store, c Contents) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := Write(t.Context(), st, &out, c, progress.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if w.Bytes != int64(out.Len()) || !slices.Equal(w.Absent, []string{"stable Packages.xz"}) {
		t.Fatalf("%+v, and %d bytes were written", w, out.Len())
	}
	return out.Bytes()
}

func file(t testing.TB, b []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "app.oci")
	if err := os.WriteFile(name, b, 0o666); err != nil {
		t.Fatal(err)
	}
	return name
}

// check opens and checks an archive; the error has the whole report.
func check(t testing.TB, name string) error {
	t.Helper()
	l, err := Open(name)
	if err != nil {
		return err
	}
	defer l.Close()
	c, err := Check(t.Context(), l, progress.Discard)
	if err != nil {
		return fmt.Errorf("%w %+v", err, c)
	}
	return nil
}

func TestRoundTrip(t *testing.T) {
	st := open(t)
	c := sample(t, st)
	b := write(t, st, c)
	other := open(t)
	if again := write(t, other, sample(t, other)); !bytes.Equal(b, again) {
		t.Error("equal contents in two stores are two archives")
	}
	restored(t, file(t, b), c)
}

// restored restores an archive into an empty store and compares everything.
func restored(t *testing.T, name string, c Contents) {
	t.Helper()
	if err := check(t, name); err != nil {
		t.Fatal(err)
	}
	l, err := Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	to := open(t)
	got, err := Restore(t.Context(), to, l, progress.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Lock, c.Lock) {
		t.Error("another lock came back")
	}
	tc := c.Pins.Toolchains[0]
	for what, d := range map[string]store.Digest{
		"package": tc.Packages[0].Digest, "component": tc.Packages[1].Digest, "crate": c.Pins.Crates[0].Digest, "blob": c.Pins.Blobs[1].Digest, "evidence": tc.Index[0].Digest,
	} {
		if d, err := to.Complete(d); err != nil {
			t.Errorf("%s: %v", what, err)
		} else if _, err := to.ReadBlob(t.Context(), d, 1<<20); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, d := range []store.Digest{c.Config.Source, c.Pins.Git[0].Tree} {
		if err := to.VerifyTree(t.Context(), d); err != nil {
			t.Errorf("tree: %v", err)
		}
	}
}

func TestMissing(t *testing.T) {
	st := open(t)
	c := sample(t, st)
	c.Pins.Crates = append(c.Pins.Crates, lock.Crate{Name: "lost", Version: "1.0.0", Digest: store.DigestOf([]byte("lost"))})
	var out bytes.Buffer
	_, err := Write(t.Context(), st, &out, c, progress.Discard)
	if fault.KindOf(err) != fault.Pins || !strings.Contains(err.Error(), "crates/lost-1.0.0.crate") || out.Len() > 0 {
		t.Errorf("%v after %d bytes", err, out.Len())
	}
}

// TestFlips changes one bit at a time: there is no bit of an archive whose
// change Check does not find.
func TestFlips(t *testing.T) {
	st := open(t)
	b := write(t, st, sample(t, st))
	name := file(t, b)
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := rand.New(rand.NewPCG(1, 2))
	step := 13 // a prime: every field of a header has its turn
	if testing.Short() {
		step = 331
	}
	for at := 0; at < len(b); at += step {
		bit := byte(1) << r.IntN(8)
		if _, err := f.WriteAt([]byte{b[at] ^ bit}, int64(at)); err != nil {
			t.Fatal(err)
		}
		if err := check(t, name); err == nil {
			t.Errorf("bit %#x of byte %d (in %q) is changed and nothing is wrong", bit, at, b[max(0, at-20):min(len(b), at+20)])
		} else if fault.KindOf(err) != fault.Pins {
			t.Errorf("byte %d: kind %d: %v", at, fault.KindOf(err), err)
		}
		if _, err := f.WriteAt(b[at:at+1], int64(at)); err != nil {
			t.Fatal(err)
		}
	}
	if err := check(t, name); err != nil {
		t.Fatal(err) // the file is as it was
	}
}

func TestTruncated(t *testing.T) {
	st := open(t)
	b := write(t, st, sample(t, st))
	for n := 0; n < len(b); n += 256 {
		err := check(t, file(t, b[:n]))
		if fault.KindOf(err) != fault.Pins {
			t.Fatalf("%d of %d bytes: %v", n, len(b), err)
		}
	}
	if err := check(t, file(t, append(slices.Clone(b), "more"...))); err == nil || !strings.Contains(err.Error(), "after the last file") {
		t.Errorf("bytes after the end: %v", err)
	}
}

// TestInstructions follows README.md of the archive in a shell.
func TestInstructions(t *testing.T) {
	st := open(t)
	c := sample(t, st)
	name := file(t, write(t, st, c))
	var script strings.Builder
	for line := range strings.Lines(instructions[strings.Index(instructions, "## With sh"):]) {
		if code, ok := strings.CutPrefix(line, "    "); ok {
			script.WriteString(code)
		}
	}
	cmd := exec.Command(devtest.Tool(t, "sh"), "-euc", strings.ReplaceAll(script.String(), "FILE", name))
	cmd.Dir = t.TempDir()
	out, err := cmd.CombinedOutput()
	if err != nil || string(out) != "complete\n" {
		t.Fatalf("%v: %s\n%s", err, out, script.String())
	}
	for title, text := range map[string]string{
		"firmware/app.elf": "elf", "espalier.lock": string(c.Lock), "crates/nb-1.1.0.crate": "nb", "evidence/stable_InRelease": "signed",
		"packages/rustc_1:1.96_amd64.deb": strings.Repeat("rustc", 3000), "program/linux-amd64/espalier": "program",
	} {
		b, err := os.ReadFile(filepath.Join(cmd.Dir, "archive", "files", title))
		if err != nil || string(b) != text {
			t.Errorf("%s: %v, %.40q", title, err, b)
		}
	}
	list := exec.Command(devtest.Tool(t, "tar"), "-tf", filepath.Join(cmd.Dir, "archive/files/source.tar"))
	if out, err := list.CombinedOutput(); err != nil || !strings.Contains(string(out), "app/main.rs\n") {
		t.Errorf("source.tar: %v: %s", err, out)
	}
}

// TestSkopeo lets another implementation of OCI layouts read the archive and
// copy it, and reads the copies.
func TestSkopeo(t *testing.T) {
	skopeo := devtest.Tool(t, "skopeo")
	st := open(t)
	c := sample(t, st)
	name := file(t, write(t, st, c))
	dir := t.TempDir()
	run := func(args ...string) string {
		t.Helper()
		cmd := exec.Command(skopeo, append([]string{"--tmpdir", dir}, args...)...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("skopeo %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	if raw := run("inspect", "--raw", "oci-archive:"+name); !strings.Contains(raw, typeArchive) {
		t.Errorf("skopeo shows %s", raw)
	}
	run("--insecure-policy", "copy", "oci-archive:"+name, "oci:"+dir+"/copy")
	restored(t, dir+"/copy", c)
	run("--insecure-policy", "copy", "oci:"+dir+"/copy", "oci-archive:"+dir+"/copy.tar")
	restored(t, dir+"/copy.tar", c)
}

// entry is a file of a tar that a test makes by hand.
type entry struct {
	tar.Header
	text string
}

func tarOf(t testing.TB, list ...entry) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, e := range list {
		if e.Typeflag == 0 {
			e.Typeflag = tar.TypeReg
		}
		if e.Typeflag == tar.TypeReg && e.Size == 0 {
			e.Size = int64(len(e.text))
		}
		if err := w.WriteHeader(&e.Header); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, e.text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestHostileLayouts(t *testing.T) {
	at := func(name string, kind byte, link string) entry {
		return entry{Header: tar.Header{Name: name, Typeflag: kind, Linkname: link}}
	}
	version := entry{tar.Header{Name: layoutFile}, string(layoutText)}
	for name, tc := range map[string]struct {
		b    []byte
		want string
	}{
		"empty":           {nil, "truncated"},
		"no tar":          {bytes.Repeat([]byte("no tar "), 1000), "neither a tar file"},
		"no layout":       {tarOf(t, entry{tar.Header{Name: "hello"}, "x"}), "oci-layout"},
		"leaves":          {tarOf(t, version, entry{tar.Header{Name: "../../etc/passwd"}, "x"}), "leaves the archive"},
		"absolute":        {tarOf(t, version, entry{tar.Header{Name: "/etc/passwd"}, "x"}), "leaves the archive"},
		"symlink":         {tarOf(t, version, at("index.json", tar.TypeSymlink, "/etc/passwd")), "neither a plain file"},
		"device":          {tarOf(t, version, at("index.json", tar.TypeChar, "")), "neither a plain file"},
		"twice":           {tarOf(t, version, version), "twice"},
		"another version": {tarOf(t, entry{tar.Header{Name: layoutFile}, `{"imageLayoutVersion":"2.0.0"}`}), "1.0.0"},
		"index too large": {tarOf(t, version, entry{tar.Header{Name: indexFile}, strings.Repeat(" ", maxIndex+1)}), "not read"},
		"no JSON":         {tarOf(t, version, entry{tar.Header{Name: indexFile}, "{"}), "index.json"},
		"another image":   {tarOf(t, version, entry{tar.Header{Name: indexFile}, `{"schemaVersion":2,"manifests":[]}`}), "not an archive of espalier"},
		"manifest of 1 TB": {tarOf(t, version, entry{tar.Header{Name: indexFile},
			`{"schemaVersion":2,"manifests":[{"mediaType":"` + typeManifest + `","digest":"sha256:` + strings.Repeat("0", 64) + `","size":1000000000000}]}`}), "not read"},
		"negative size": {tarOf(t, version, entry{tar.Header{Name: indexFile},
			`{"schemaVersion":2,"manifests":[{"mediaType":"` + typeManifest + `","digest":"sha256:` + strings.Repeat("0", 64) + `","size":-1}]}`}), "valid digest"},
	} {
		t.Run(name, func(t *testing.T) {
			err := check(t, file(t, tc.b))
			if fault.KindOf(err) != fault.Pins || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, want %q", err, tc.want)
			}
		})
	}
}

// TestHostileConfig changes what the archive says of itself, with right digests.
func TestHostileConfig(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*Contents)
		want   string
	}{
		"newer":               {func(c *Contents) { c.Config.Version = 2 }, "format 2"},
		"none":                {func(c *Contents) { c.Config.Version = 0 }, "incomplete"},
		"workspace outside":   {func(c *Contents) { c.Config.Workspace = "../up" }, "not a path in it"},
		"workspace absolute":  {func(c *Contents) { c.Config.Workspace = "/etc" }, "not a path in it"},
		"another lock":        {func(c *Contents) { c.Config.Lock = store.DigestOf([]byte("x")) }, "espalier.lock is missing"},
		"a lock that is none": {func(c *Contents) { c.Lock = []byte("x = 1"); c.Config.Lock = store.DigestOf(c.Lock) }, "no version"},
		"another host":        {func(c *Contents) { c.Config.Host = "linux/arm64" }, "linux/arm64"},
	} {
		t.Run(name, func(t *testing.T) {
			st := open(t)
			c := sample(t, st)
			pins := *c.Pins
			pins.Toolchains = append([]lock.Toolchain{{Host: "linux/arm64"}}, pins.Toolchains...)
			tc.change(&c)
			c.Pins = &pins
			var out bytes.Buffer
			if _, err := Write(t.Context(), st, &out, c, progress.Discard); err != nil {
				t.Fatal(err)
			}
			l, err := Open(file(t, out.Bytes()))
			if err == nil {
				defer l.Close()
				_, err = Restore(t.Context(), open(t), l, progress.Discard)
			}
			if fault.KindOf(err) != fault.Pins || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, want %q", err, tc.want)
			}
		})
	}
}

func TestHostileTrees(t *testing.T) {
	for name, tc := range map[string]struct {
		list []entry
		want string
	}{
		"leaves":           {[]entry{{tar.Header{Name: "../x"}, "x"}}, "leaves the tree"},
		"absolute":         {[]entry{{tar.Header{Name: "/x"}, "x"}}, "leaves the tree"},
		"dot":              {[]entry{{tar.Header{Name: "a/../b"}, "x"}}, "leaves the tree"},
		"hard link":        {[]entry{{tar.Header{Name: "a", Typeflag: tar.TypeLink, Linkname: "/etc/passwd"}, ""}}, "neither file"},
		"device":           {[]entry{{tar.Header{Name: "a", Typeflag: tar.TypeBlock}, ""}}, "neither file"},
		"through a link":   {[]entry{{tar.Header{Name: "a", Typeflag: tar.TypeSymlink, Linkname: "/etc"}, ""}, {tar.Header{Name: "a/passwd"}, "x"}}, "conflict at a"},
		"twice, different": {[]entry{{tar.Header{Name: "a"}, "x"}, {tar.Header{Name: "a"}, "y"}}, "conflict at a"},
		"another tree":     {[]entry{{tar.Header{Name: "a"}, "x"}}, "sha256"},
	} {
		t.Run(name, func(t *testing.T) {
			b := tarOf(t, tc.list...)
			err := readTree(t.Context(), open(t), bytes.NewReader(b), int64(len(b)), store.DigestOf([]byte("want")))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, want %q", err, tc.want)
			}
		})
	}
	t.Run("bomb", func(t *testing.T) {
		// A sparse file: a terabyte of zeros that takes one block of the tar.
		b := sparse(1 << 40)
		err := readTree(t.Context(), open(t), bytes.NewReader(b), int64(len(b)), store.DigestOf([]byte("want")))
		if err == nil || !strings.Contains(err.Error(), "larger than the archive") {
			t.Error(err)
		}
	})
}

// sparse is a tar with one sparse file in GNU's old format: a map of one
// fragment without data at the end.
func sparse(size int64) []byte {
	h := make([]byte, 3*block)
	copy(h[0:], "zeros")
	copy(h[100:], "0000644\x00")
	copy(h[108:], "0000000\x000000000\x0000000000000\x0000000000000\x00")
	h[156] = 'S'
	copy(h[257:], "ustar  \x00")
	number := func(at int, v int64) { // base 256
		h[at] = 0x80
		for i := range 8 {
			h[at+11-i] = byte(v >> (8 * i))
		}
	}
	number(386, size) // offset of the fragment
	number(398, 0)
	number(483, size) // real size
	copy(h[148:], "        ")
	sum := 0
	for _, b := range h[:block] {
		sum += int(b)
	}
	copy(h[148:], fmt.Sprintf("%06o\x00 ", sum))
	return h
}

func FuzzOpen(f *testing.F) {
	st := open(f)
	f.Add(write(f, st, sample(f, st)))
	f.Add(sparse(1 << 40))
	f.Add(tarOf(f, entry{tar.Header{Name: layoutFile}, string(layoutText)}, entry{tar.Header{Name: indexFile}, `{"schemaVersion":2,"manifests":[]}`}))
	f.Fuzz(func(t *testing.T, b []byte) {
		name := file(t, b)
		if err := check(t, name); err != nil && fault.KindOf(err) != fault.Pins {
			t.Errorf("kind %d: %v", fault.KindOf(err), err)
		}
	})
}
