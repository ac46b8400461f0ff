package store

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"
)

// Put of a large file, and hashing alone, which is the lower bound.
func BenchmarkPut(b *testing.B) {
	data := noise(b, 64<<20)
	b.Run("sha256", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			io.Copy(sha256.New(), bytes.NewReader(data))
		}
	})
	b.Run("put", func(b *testing.B) {
		s := open(b, b.TempDir())
		d := DigestOf(data)
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			if _, err := s.Put(b.Context(), bytes.NewReader(data)); err != nil {
				b.Fatal(err)
			}
			os.Remove(s.path(blobDir, d.Hash))
		}
	})
	b.Run("get", func(b *testing.B) {
		s := open(b, b.TempDir())
		d := mustPut(b, s, data)
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			r, err := s.Get(b.Context(), d)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, struct{ io.Reader }{r}); err != nil {
				b.Fatal(err)
			}
			r.Close()
		}
	})
}

// A tree like the pruned root file system of a toolchain: 5,600 files in 600
// directories.
func BenchmarkTree(b *testing.B) {
	const files, folders = 5600, 600
	s := open(b, b.TempDir())
	content := noise(b, 20_000)
	own := 0 // content of a file that makes each tree another one
	make := func() Digest {
		t, err := s.NewTree()
		if err != nil {
			b.Fatal(err)
		}
		defer t.Close()
		src := t.Source("bench")
		for i := range files {
			content[0], content[1] = byte(i), byte(i>>8)
			if _, err := src.File(b.Context(), fmt.Sprintf("usr/lib/%d/deeper/file-%d", i%folders, i), false, bytes.NewReader(content)); err != nil {
				b.Fatal(err)
			}
		}
		own++
		if _, err := src.File(b.Context(), "own", false, strings.NewReader(fmt.Sprint(own))); err != nil {
			b.Fatal(err)
		}
		root, err := t.Commit(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		return root
	}
	root := make()
	b.Run("build-shared", func(b *testing.B) { // all files but one exist already
		b.SetBytes(int64(files * len(content)))
		for b.Loop() {
			make()
		}
	})
	b.Run("seal-shared", func(b *testing.B) { // after another tree has got a link to every file
		b.SetBytes(int64(files * len(content)))
		for b.Loop() {
			b.StopTimer()
			make()
			s.state(root).good.Store(false)
			b.StartTimer()
			if _, err := s.TreePath(b.Context(), root); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("materialise", func(b *testing.B) {
		b.SetBytes(int64(files * len(content)))
		for b.Loop() {
			if err := s.Materialise(b.Context(), root, b.TempDir(), MaterialiseOptions{}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("build", func(b *testing.B) {
		b.SetBytes(int64(files * len(content)))
		for b.Loop() {
			// Another tree each time: ext4 is slow at creating files right
			// after many were removed.
			content[2]++
			make()
		}
	})
	b.Run("seal", func(b *testing.B) {
		for b.Loop() {
			s.state(root).good.Store(false)
			if _, err := s.TreePath(b.Context(), root); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("again", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.TreePath(b.Context(), root); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("verify", func(b *testing.B) {
		b.SetBytes(int64(files * len(content)))
		for b.Loop() {
			if err := s.VerifyTree(b.Context(), root); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("walk", func(b *testing.B) {
		for b.Loop() {
			if err := s.Walk(b.Context(), root, func(Entry) error { return nil }); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// Memory use must not grow with the amount of data.
func TestMemoryIsBounded(t *testing.T) {
	s := open(t, t.TempDir())
	const size = 64 << 20
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	d, err := s.Put(t.Context(), io.LimitReader(neverEnding{}, size))
	if err != nil {
		t.Fatal(err)
	}
	f, err := s.OpenVerified(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; d.Size != size || got > 4<<20 {
		t.Errorf("%d bytes through the store allocated %d", d.Size, got)
	}
}
