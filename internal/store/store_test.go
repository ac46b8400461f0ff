package store

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"espalier.dev/espalier/internal/fault"
)

func open(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func mustPut(t testing.TB, s *Store, b []byte) Digest {
	t.Helper()
	d, err := s.PutBytes(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func noise(t testing.TB, n int) []byte {
	t.Helper()
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// flip changes one byte of a file and restores its times: a fault of the disk,
// not of a program.
func flip(t testing.TB, path string, at int64) {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[at] ^= 1
	os.Chmod(path, 0o644)
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	os.Chmod(path, info.Mode())
	os.Chtimes(path, info.ModTime(), info.ModTime())
}

func entries(t testing.TB, dir string) []string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}

func TestOpenMakesAnImageLayout(t *testing.T) {
	dir := t.TempDir()
	s := open(t, filepath.Join(dir, "deep", "store"))
	for name, want := range map[string]string{
		"oci-layout": `{"imageLayoutVersion":"1.0.0"}`,
		"index.json": `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}`,
	} {
		b, err := os.ReadFile(filepath.Join(s.Dir(), name))
		if err != nil || string(b) != want {
			t.Errorf("%s = %q, %v", name, b, err)
		}
	}
	if left := entries(t, s.path(tempDir)); len(left) > 0 {
		t.Errorf("tmp holds %v", left)
	}
	// An index that another program has written is kept.
	os.WriteFile(s.path("index.json"), []byte(`{"schemaVersion":2,"manifests":[{}]}`), 0o644)
	open(t, s.Dir())
	if b, _ := os.ReadFile(s.path("index.json")); !bytes.Contains(b, []byte("{}")) {
		t.Error("index.json was overwritten")
	}
}

func TestPutGet(t *testing.T) {
	s := open(t, t.TempDir())
	for _, n := range []int{0, 1, 4096, 1<<16 + 17, 1 << 20, 3<<20 + 17} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			b := noise(t, n)
			d, err := s.Put(t.Context(), iotest.HalfReader(bytes.NewReader(b)))
			if err != nil {
				t.Fatal(err)
			}
			if d != DigestOf(b) {
				t.Fatalf("Put = %v, want %v", d, DigestOf(b))
			}
			for _, want := range []Digest{d, {d.Hash, -1}} {
				if !s.Has(want) {
					t.Errorf("Has(%v) = false", want)
				}
				r, err := s.Get(t.Context(), want)
				if err != nil {
					t.Fatal(err)
				}
				if r.Size() != int64(n) {
					t.Errorf("Size = %d", r.Size())
				}
				if n > 1<<17 { // TestReader reads byte by byte, which is the same for all sizes
					if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, b) {
						t.Errorf("Get: %v", err)
					}
				} else if err := iotest.TestReader(r, b); err != nil {
					t.Error(err)
				}
				if err := r.Close(); err != nil {
					t.Error(err)
				}
				got, err := s.ReadBlob(t.Context(), want, int64(n))
				if err != nil || !bytes.Equal(got, b) {
					t.Errorf("ReadBlob: %v", err)
				}
				f, err := s.OpenVerified(t.Context(), want)
				if err != nil {
					t.Fatal(err)
				}
				got, _ = io.ReadAll(f)
				f.Close()
				if !bytes.Equal(got, b) {
					t.Error("OpenVerified gave other bytes")
				}
			}
			if s.Has(Digest{d.Hash, int64(n) + 1}) {
				t.Error("Has with another size")
			}
		})
	}
	if left := entries(t, s.path(tempDir)); len(left) > 0 {
		t.Errorf("tmp holds %v", left)
	}
}

func TestReadBlobLimit(t *testing.T) {
	s := open(t, t.TempDir())
	d := mustPut(t, s, noise(t, 100))
	if _, err := s.ReadBlob(t.Context(), d, 99); err == nil || !strings.Contains(err.Error(), "larger than 99") {
		t.Errorf("err = %v", err)
	}
	if !s.Has(d) {
		t.Error("a limit is no damage")
	}
}

func TestMissing(t *testing.T) {
	s := open(t, t.TempDir())
	d := DigestOf([]byte("never stored"))
	_, err := s.Get(t.Context(), d)
	if !errors.Is(err, ErrMissing) || fault.KindOf(err) != fault.Pins || len(fault.Hints(err)) == 0 || !strings.Contains(err.Error(), d.Hash) {
		t.Errorf("err = %v", err)
	}
	for _, bad := range []string{"", "../../etc/passwd", strings.Repeat("A", 64), strings.Repeat("a", 63) + "/"} {
		if _, err := s.Get(t.Context(), Digest{bad, 1}); err == nil || errors.Is(err, ErrMissing) {
			t.Errorf("Get(%q): %v", bad, err)
		}
		if s.Has(Digest{bad, -1}) {
			t.Errorf("Has(%q)", bad)
		}
		if _, err := s.PutExpected(t.Context(), strings.NewReader(""), Digest{bad, -1}); err == nil {
			t.Errorf("PutExpected(%q)", bad)
		}
	}
}

func TestPutExpected(t *testing.T) {
	b := []byte("the wanted bytes")
	other := []byte("the other bytes!")
	want := DigestOf(b)
	cut := errors.New("connection reset")
	for _, tc := range []struct {
		name string
		want Digest
		r    io.Reader
		err  string
	}{
		{"right", want, bytes.NewReader(b), ""},
		{"right, size unknown", Digest{want.Hash, -1}, bytes.NewReader(b), ""},
		{"other bytes", want, bytes.NewReader(other), "sha256 mismatch: want " + want.String() + ", got " + DigestOf(other).String()},
		{"other bytes, size unknown", Digest{want.Hash, -1}, bytes.NewReader(other), "got " + DigestOf(other).String()},
		{"too short", want, bytes.NewReader(b[:5]), "got " + DigestOf(b[:5]).String()},
		{"endless", want, neverEnding{}, "got more than 16 bytes"},
		{"wrong size", Digest{want.Hash, 17}, bytes.NewReader(b), "mismatch: want sha256:" + want.Hash + "/17, got " + want.String()},
		{"cut off", want, io.MultiReader(bytes.NewReader(b[:5]), iotest.ErrReader(cut)), cut.Error()},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := open(t, t.TempDir())
			got, err := s.PutExpected(t.Context(), tc.r, tc.want)
			if tc.err == "" {
				if err != nil || got != want || !s.Has(want) {
					t.Fatalf("PutExpected = %v, %v", got, err)
				}
				if _, err := s.PutExpected(t.Context(), iotest.ErrReader(errors.New("read again")), tc.want); err != nil {
					t.Errorf("second time: %v", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tc.err) {
				t.Fatalf("err = %v, want %q", err, tc.err)
			}
			if errors.Is(err, cut) != (tc.name == "cut off") {
				t.Errorf("the reader's error must come back: %v", err)
			}
			var m *MismatchError
			if tc.name != "cut off" && (!errors.As(err, &m) || fault.KindOf(err) != fault.Pins) {
				t.Errorf("err is %T", err)
			}
			if names := append(entries(t, s.path(tempDir)), entries(t, s.path(blobDir))...); len(names) > 0 {
				t.Errorf("left behind: %v", names)
			}
		})
	}
}

type neverEnding struct{}

func (neverEnding) Read(b []byte) (int, error) { return len(b), nil }

func TestFlippedByteOfABlob(t *testing.T) {
	b := noise(t, 700_000)
	for _, tc := range []struct {
		name   string
		damage func(t *testing.T, path string)
	}{
		{"first byte", func(t *testing.T, p string) { flip(t, p, 0) }},
		{"last byte", func(t *testing.T, p string) { flip(t, p, int64(len(b)-1)) }},
		{"truncated", func(t *testing.T, p string) { os.Chmod(p, 0o644); os.Truncate(p, 5) }},
		{"empty", func(t *testing.T, p string) { os.Chmod(p, 0o644); os.Truncate(p, 0) }},
		{"longer", func(t *testing.T, p string) { os.WriteFile(p, append(b[:len(b):len(b)], 0), 0o644) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			read := map[string]func(*Store, Digest) error{
				"Get": func(s *Store, d Digest) error {
					r, err := s.Get(t.Context(), d)
					if err != nil {
						return err
					}
					defer r.Close()
					_, err = io.Copy(io.Discard, r)
					return err
				},
				"Get without EOF": func(s *Store, d Digest) error { // gzip and tar stop at the end of their data
					r, err := s.Get(t.Context(), d)
					if err != nil {
						return err
					}
					if _, err := io.ReadFull(r, make([]byte, 4)); err != nil && tc.name != "empty" {
						t.Errorf("first bytes: %v", err)
					}
					return r.Close()
				},
				"ReadBlob":     func(s *Store, d Digest) error { _, err := s.ReadBlob(t.Context(), d, 1<<30); return err },
				"OpenVerified": func(s *Store, d Digest) error { _, err := s.OpenVerified(t.Context(), d); return err },
			}
			for name, fn := range read {
				for _, sized := range []bool{true, false} {
					s := open(t, t.TempDir())
					d := mustPut(t, s, b)
					tc.damage(t, s.path(blobDir, d.Hash))
					ask := d
					if !sized {
						ask.Size = -1
					}
					err := fn(s, ask)
					if !errors.Is(err, ErrCorrupt) || fault.KindOf(err) != fault.Pins {
						if name == "Get without EOF" && tc.name == "empty" && !sized && err == nil {
							continue // reading the four bytes has already failed
						}
						t.Fatalf("%s (sized %v): err = %v, want ErrCorrupt", name, sized, err)
					}
					if s.Has(ask) {
						t.Errorf("%s: still there", name)
					}
					if q := entries(t, s.path(quarantineDir)); len(q) != 1 || !strings.HasPrefix(q[0], d.Hash) {
						t.Errorf("%s: quarantine holds %v", name, q)
					}
					if _, err := s.PutExpected(t.Context(), bytes.NewReader(b), d); err != nil {
						t.Errorf("%s: healing: %v", name, err)
					}
					if err := fn(s, ask); err != nil {
						t.Errorf("%s: after healing: %v", name, err)
					}
				}
			}
		})
	}
}

func TestPartial(t *testing.T) {
	b := noise(t, 1<<20)
	want := DigestOf(b)
	for _, ask := range []Digest{want, {want.Hash, -1}} {
		t.Run(fmt.Sprint("size ", ask.Size), func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir)
			p, err := s.Partial(t.Context(), ask)
			if err != nil {
				t.Fatal(err)
			}
			if p.Offset() != 0 {
				t.Fatalf("Offset = %d", p.Offset())
			}
			p.Write(b[:300_000])
			p.Close()

			s = open(t, dir) // another process
			p, err = s.Partial(t.Context(), ask)
			if err != nil || p.Offset() != 300_000 {
				t.Fatalf("resumed at %d, %v", p.Offset(), err)
			}
			if _, err := io.Copy(struct{ io.Writer }{p}, bytes.NewReader(b[p.Offset():])); err != nil {
				t.Fatal(err)
			}
			got, err := p.Commit()
			if err != nil || got != want {
				t.Fatalf("Commit = %v, %v", got, err)
			}
			if err := p.Close(); err != nil {
				t.Error(err)
			}
			if _, err := s.Partial(t.Context(), ask); !errors.Is(err, ErrPresent) {
				t.Errorf("again: %v", err)
			}
			if left := entries(t, s.path(partialDir)); len(left) > 0 {
				t.Errorf("partial holds %v", left)
			}
		})
	}
}

func TestPartialMismatchStartsAnew(t *testing.T) {
	s := open(t, t.TempDir())
	want := DigestOf([]byte("right"))
	p, err := s.Partial(t.Context(), want)
	if err != nil {
		t.Fatal(err)
	}
	p.Write([]byte("wrong"))
	_, err = p.Commit()
	var m *MismatchError
	if !errors.As(err, &m) || m.Want != want || m.Got != DigestOf([]byte("wrong")) {
		t.Fatalf("err = %v", err)
	}
	p, err = s.Partial(t.Context(), want)
	if err != nil || p.Offset() != 0 {
		t.Fatalf("second attempt at %d, %v", p.Offset(), err)
	}
	p.Write([]byte("wr"))
	if err := p.Reset(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Write([]byte("right, and more")); !errors.As(err, &m) {
		t.Errorf("too long: %v", err)
	}
	p.Write([]byte("right"))
	if _, err := p.Commit(); err != nil {
		t.Error(err)
	}
}

// Two downloads of one blob: the second waits, and then finds the blob.
func TestPartialIsExclusive(t *testing.T) {
	dir := t.TempDir()
	b := noise(t, 10_000)
	a, other := open(t, dir), open(t, dir)
	p, err := a.Partial(t.Context(), DigestOf(b))
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan error)
	go func() {
		_, err := other.Partial(t.Context(), DigestOf(b))
		got <- err
	}()
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("ctrl-c")
	cancel(stop)
	if _, err := a.Partial(ctx, DigestOf(b)); !errors.Is(err, stop) {
		t.Errorf("cancelled wait: %v", err)
	}
	p.Write(b)
	if _, err := p.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := <-got; !errors.Is(err, ErrPresent) {
		t.Errorf("the one who waited: %v", err)
	}
}

func TestPutFromManyGoroutines(t *testing.T) {
	dir := t.TempDir()
	stores := []*Store{open(t, dir), open(t, dir)}
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			b := bytes.Repeat([]byte{byte(i % 8)}, 50_000)
			s := stores[i%2]
			d, err := s.Put(t.Context(), bytes.NewReader(b))
			if err != nil || d != DigestOf(b) {
				t.Errorf("Put: %v", err)
			}
			if got, err := s.ReadBlob(t.Context(), d, 1<<20); err != nil || !bytes.Equal(got, b) {
				t.Errorf("ReadBlob: %v", err)
			}
		})
	}
	wg.Wait()
	if n := len(entries(t, stores[0].path(blobDir))); n != 8 {
		t.Errorf("%d blobs, want 8", n)
	}
}

func TestPutStopsWithItsContext(t *testing.T) {
	s := open(t, t.TempDir())
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("ctrl-c")
	r := iotest.ErrReader(io.ErrUnexpectedEOF)
	endless := io.MultiReader(bytes.NewReader(noise(t, 1<<20)), readFunc(func(b []byte) (int, error) { cancel(stop); return len(b), nil }), r)
	if _, err := s.Put(ctx, endless); !errors.Is(err, stop) {
		t.Errorf("err = %v", err)
	}
	if left := entries(t, s.path(tempDir)); len(left) > 0 {
		t.Errorf("tmp holds %v", left)
	}
}

type readFunc func([]byte) (int, error)

func (f readFunc) Read(b []byte) (int, error) { return f(b) }

// Open removes what is left in tmp, but not what another process is writing
// there.
func TestOpenAtOnce(t *testing.T) {
	dir := t.TempDir()
	for range 20 {
		var wg sync.WaitGroup
		for i := range 6 {
			wg.Go(func() {
				s, err := Open(t.Context(), dir)
				if err != nil {
					t.Error(err)
					return
				}
				defer s.Close()
				if _, err := s.Put(t.Context(), strings.NewReader(fmt.Sprint(i))); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
}
