package remote

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"espalier.dev/espalier/internal/action"
	"espalier.dev/espalier/internal/reapi"
	"espalier.dev/espalier/internal/store"
)

// step is a step with a file and a tree among its outputs.
var outputs = []string{"firmware", "/target"}

func open(t testing.TB) *store.Store {
	t.Helper()
	st, err := store.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return st
}

// files are those of a layer: many small ones, some large ones, of which one is
// noise; equal ones, empty ones, executables and links.
func files(seed uint64) map[string][]byte {
	r := rand.New(rand.NewPCG(seed, 0))
	noise := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return b
	}
	out := map[string][]byte{"empty": nil, "large": bytes.Repeat([]byte("a dependency layer "), 200_000), "noise": noise(3 << 20), "exec*": noise(100), "same/a": noise(70_000)}
	out["same/b"], out["same/c*"] = out["same/a"], out["same/a"]
	for i := range 600 {
		out["small/"+string(rune('a'+i%26))+"/"+strings.Repeat("x", i%40)+string(rune('0'+i/60))] = noise(i % 900)
	}
	return out
}

// result stores the result of an action that is called name.
func result(t testing.TB, st *store.Store, name string, content map[string][]byte) action.Result {
	t.Helper()
	ctx := t.Context()
	root, err := st.MakeTree(ctx, func(b *store.TreeBuilder) error {
		src := b.Source("test")
		for path, data := range content {
			if _, err := src.File(ctx, strings.TrimSuffix(path, "*"), strings.HasSuffix(path, "*"), bytes.NewReader(data)); err != nil {
				return err
			}
		}
		return errors.Join(src.Symlink("link", "small/a"), src.Dir("nothing"))
	})
	if err != nil {
		t.Fatal(err)
	}
	elf, err1 := st.PutBytes(ctx, bytes.Repeat([]byte("ELF"), 100_000))
	log, err2 := st.PutBytes(ctx, []byte("warning: unused"))
	id := store.DigestOf([]byte("action " + name))
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	res := action.Result{Digest: id, Hermetic: true, Outputs: map[string]store.Digest{"firmware": elf}, Trees: map[string]store.Digest{"/target": root}, Stderr: log}
	if err := action.Save(ctx, st, res); err != nil {
		t.Fatal(err)
	}
	return res
}

// counting counts what a server is asked.
type counting struct {
	server
	read, written atomic.Int64 // bytes of blobs
	calls         atomic.Int64
}

func (s *counting) limits(ctx context.Context) (limits, error) {
	s.calls.Add(1)
	return s.server.limits(ctx)
}

func (s *counting) result(ctx context.Context, id store.Digest) (*reapi.ActionResult, error) {
	s.calls.Add(1)
	return s.server.result(ctx, id)
}

func (s *counting) putResult(ctx context.Context, id store.Digest, r *reapi.ActionResult) error {
	s.calls.Add(1)
	return s.server.putResult(ctx, id, r)
}

func (s *counting) missing(ctx context.Context, blobs []store.Digest) ([]store.Digest, error) {
	s.calls.Add(1)
	return s.server.missing(ctx, blobs)
}

func (s *counting) readBatch(ctx context.Context, blobs []store.Digest, fn func(store.Digest, []byte) error) error {
	s.calls.Add(1)
	s.read.Add(total(blobs))
	return s.server.readBatch(ctx, blobs, fn)
}

func (s *counting) writeBatch(ctx context.Context, blobs []blob) error {
	s.calls.Add(1)
	for _, b := range blobs {
		s.written.Add(b.digest.Size)
	}
	return s.server.writeBatch(ctx, blobs)
}

func (s *counting) read1(d store.Digest, offset int64) { s.calls.Add(1); s.read.Add(d.Size - offset) }

func (s *counting) write(ctx context.Context, d store.Digest, open func() (io.ReadCloser, error)) error {
	s.calls.Add(1)
	s.written.Add(d.Size)
	return s.server.write(ctx, d, open)
}

type countingReads struct{ *counting }

func (s countingReads) read(ctx context.Context, d store.Digest, offset int64) (io.ReadCloser, error) {
	s.read1(d, offset)
	return s.server.read(ctx, d, offset)
}

// warnings collects what a cache warns of.
type warnings struct {
	t    testing.TB
	mu   sync.Mutex
	text []string
}

func (w *warnings) add(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text = append(w.text, text)
	if w.t != nil {
		w.t.Log(text)
	}
}

func (w *warnings) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := w.text
	w.text = nil
	return out
}

// client returns a cache that counts.
func client(t testing.TB, cfg Config) (*Cache, *counting, *warnings) {
	t.Helper()
	w := &warnings{t: t}
	cfg.Warn, cfg.Debug = w.add, t.Logf
	if cfg.stall == 0 {
		cfg.stall = 5 * time.Second
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	n := &counting{server: c.srv}
	c.srv = countingReads{n}
	t.Cleanup(c.Wait)
	return c, n, w
}
