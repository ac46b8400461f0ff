package build_test

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"espalier.dev/espalier/internal/action"
	"espalier.dev/espalier/internal/build"
	"espalier.dev/espalier/internal/devtest/cacheserver"
	"espalier.dev/espalier/internal/devtest/cluster"
	"espalier.dev/espalier/internal/devtest/tcpproxy"
	"espalier.dev/espalier/internal/remote"
	"espalier.dev/espalier/internal/sandbox"
	"espalier.dev/espalier/internal/store"
)

// TestSharedFirmware builds a firmware with one store, and gets it in another,
// empty one through a real cache server: the same ELF, nothing compiled. The
// server is killed in the middle of being written and of being read; each time
// the build ends with the same ELF and one warning.
func TestSharedFirmware(t *testing.T) {
	one := newBench(t)
	one.lock(1700000001)
	want := one.build()
	other := one.elsewhere()
	dir := t.TempDir()
	srv := cacheserver.Start(t, dir)
	proxy := tcpproxy.New(t, srv.GRPC)

	// Killed while it is written: what it has of the layer is no result.
	writer, warned := one.cache(proxy.Addr)
	proxy.After(1<<20, 0, srv.Kill)
	one.offer(writer, want)
	if text := warned(); len(text) != 1 {
		t.Errorf("killed while it was written: warnings %q", text)
	}
	proxy.To(cacheserver.Start(t, dir).GRPC)
	reader, warned := other.cache(proxy.Addr)
	deps := want.Steps[0]
	if _, err := reader.Find(t.Context(), other.st, deps.Result.Digest, deps.Step.Outputs); !errors.Is(err, store.ErrMissing) {
		t.Errorf("half a layer is a result: %v", err)
	}
	if text := warned(); len(text) != 0 {
		t.Errorf("half a layer: warnings %q", text)
	}

	// Written completely, to a server that was never killed: bazel-remote may say
	// that it has a blob of which it got a part, and then not find it. That is a
	// miss, and the layer would be compiled.
	srv = cacheserver.Start(t, t.TempDir())
	proxy.To(srv.GRPC)
	proxy.Reset()
	writer, warned = one.cache(proxy.Addr)
	one.offer(writer, want)
	whole := proxy.Sent.Load()
	if text := warned(); len(text) != 0 || whole < 2<<20 {
		t.Fatalf("%d bytes written, warnings %q", whole, text)
	}

	// An empty store: one digest, nothing compiled, the layer is not read.
	proxy.Reset()
	begin := time.Now()
	cache, warned := other.cache(proxy.Addr)
	got, compiled := other.buildWith(cache)
	if got.ELF != want.ELF || len(compiled) > 0 || len(warned()) > 0 {
		t.Errorf("through the cache: %s, compiled %v, want %s and nothing", got.ELF, compiled, want.ELF)
	}
	t.Logf("first build with the cache %v; %d bytes written, %d read", time.Since(begin), whole, proxy.Received.Load())
	if proxy.Sent.Load() > 16<<10 || proxy.Received.Load() > whole/10 {
		t.Errorf("%d bytes sent and %d received for the application alone", proxy.Sent.Load(), proxy.Received.Load())
	}

	// Nothing changed: the server is not asked.
	proxy.Reset()
	cache, _ = other.cache(proxy.Addr)
	if same, compiled := other.buildWith(cache); same.ELF != want.ELF || len(compiled) > 0 {
		t.Errorf("nothing changed: %s, compiled %v", same.ELF, compiled)
	}
	if n := proxy.Sent.Load(); n != 0 {
		t.Errorf("nothing changed: %d bytes sent", n)
	}

	// An edit needs the layer, which is read; the application is written.
	other.edit(1)
	cache, warned = other.cache(proxy.Addr)
	edited, compiled := other.buildWith(cache)
	if len(warned()) > 0 || len(compiled["dependencies"]) > 0 || len(compiled) != 1 {
		t.Errorf("an edit on the layer of the cache compiled %v", compiled)
	}
	one.edit(1)
	cache, _ = one.cache(proxy.Addr)
	proxy.Reset()
	if here, compiled := one.buildWith(cache); here.ELF != edited.ELF {
		t.Errorf("an edit on the layer of the cache: %s, want %s", edited.ELF, here.ELF)
	} else if n := proxy.Sent.Load(); len(compiled) == 0 && n > 16<<10 {
		t.Errorf("%d bytes sent for a result of the cache", n)
	}

	// Killed while the application is read: it is compiled instead.
	one.edit(2)
	cache, _ = one.cache(proxy.Addr)
	want, _ = one.buildWith(cache)
	one.offer(cache, want) // when the store had it
	other.edit(2)
	cache, warned = other.cache(proxy.Addr)
	proxy.After(0, noise/2, srv.Kill)
	got, compiled = other.buildWith(cache)
	if text := warned(); len(text) != 1 {
		t.Errorf("killed while it was read: warnings %q", text)
	}
	if got.ELF != want.ELF || len(compiled) != 1 {
		t.Errorf("killed while it was read: %s, compiled %v, want %s", got.ELF, compiled, want.ELF)
	}
}

const noise = 30_000

// edit gives the program content that cannot be compressed.
func (b *bench) edit(seed uint64) {
	r := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16), byte(seed >> 24)})
	content := make([]byte, noise)
	_, _ = r.Read(content)
	b.file("app/src/noise", string(content))
	text := b.text("app/src/main.rs")
	if !strings.Contains(text, "NOISE") {
		b.file("app/src/main.rs", strings.Replace(text, "    loop {}", "    core::hint::black_box(&NOISE);\n    loop {}", 1)+
			"\nstatic NOISE: [u8; 30_000] = *include_bytes!(\"noise\");\n")
	}
}

// elsewhere is the same project with an empty store on another machine: it has
// the toolchain and the crates, which are not in a cache, and no result.
func (b *bench) elsewhere() *bench {
	b.t.Helper()
	other := newBench(b.t)
	st, err := store.Open(b.t.Context(), b.t.TempDir())
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { st.Close() })
	other.st, other.pins = st, b.pins
	other.file("Cargo.lock", b.text("Cargo.lock"))
	tc, err := b.pins.ToolchainFor(b.session().Host)
	if err != nil {
		b.t.Fatal(err)
	}
	if got := copyTree(b.t, b.st, st, tc.Rootfs); got != tc.Rootfs {
		b.t.Fatalf("the copy of the toolchain is %s, want %s", got, tc.Rootfs)
	}
	for _, c := range b.pins.Crates {
		copyBlob(b.t, b.st, st, c.Digest)
	}
	return other
}

func copyTree(t *testing.T, from, to *store.Store, root store.Digest) store.Digest {
	t.Helper()
	got, err := to.MakeTree(t.Context(), func(b *store.TreeBuilder) error {
		src := b.Source("another store")
		return from.Walk(t.Context(), root, func(e store.Entry) error {
			switch {
			case e.Path == "":
				return nil
			case e.Type == store.TypeDir:
				return src.Dir(e.Path)
			case e.Type == store.TypeSymlink:
				return src.Symlink(e.Path, e.Target)
			}
			f, err := from.Open(t.Context(), e)
			if err != nil {
				return err
			}
			_, err = src.File(t.Context(), e.Path, e.Executable, f)
			return errors.Join(err, f.Close())
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func copyBlob(t *testing.T, from, to *store.Store, d store.Digest) {
	t.Helper()
	f, err := from.Get(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	_, err = to.PutExpected(t.Context(), io.Reader(f), d)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

// cache is a client of a server that reads and writes, and a function that
// returns its warnings.
func (b *bench) cache(addr string) (*remote.Cache, func() []string) {
	b.t.Helper()
	var mu sync.Mutex
	var text []string
	c, err := remote.New(remote.Config{Address: "grpc://" + addr, Write: true, Debug: b.t.Logf, Warn: func(s string) {
		mu.Lock()
		defer mu.Unlock()
		b.t.Log(s)
		text = append(text, s)
	}})
	if err != nil {
		b.t.Fatal(err)
	}
	return c, func() []string {
		c.Wait()
		mu.Lock()
		defer mu.Unlock()
		return text
	}
}

// offer writes the results of a build to a cache, as the build that made them
// does.
func (b *bench) offer(c *remote.Cache, out build.Output) {
	for _, s := range out.Steps {
		c.Offer(b.t.Context(), b.st, s.Result.Digest)
	}
	r := b.runner()
	r.Cache = c
	if err := r.OfferUnits(b.t.Context(), b.plan(), out.Steps[0].Result.Trees["/target"]); err != nil {
		b.t.Fatal(err)
	}
	c.Wait()
}

func (b *bench) text(name string) string {
	b.t.Helper()
	text, err := os.ReadFile(filepath.Join(b.dir, filepath.FromSlash(name)))
	if err != nil {
		b.t.Fatal(err)
	}
	return string(text)
}

// buildWith builds with a cache, and returns the crates that were compiled, by
// phase.
func (b *bench) buildWith(c *remote.Cache) (build.Output, map[string][]string) {
	b.t.Helper()
	b.rec.take()
	r := b.runner()
	r.Cache = c
	out, err := r.Run(context.WithoutCancel(b.t.Context()), b.plan())
	if err != nil {
		b.t.Fatal(err)
	}
	c.Wait()
	return out, b.rec.take()
}

// TestExecutedFirmware compiles an application on a real cluster: the same ELF as
// here, and the result is filed under the step's own digest. The second build
// moves the changed sources only.
func TestExecutedFirmware(t *testing.T) {
	b := newBench(t)
	b.lock(1700000001)
	want := b.build()
	c := cluster.Start(t)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(c.Logs())
		}
	})
	proxy := tcpproxy.New(t, c.Storage)
	cfg := func(addr string) remote.Config {
		return remote.Config{Address: "grpc://" + addr, Write: true, Debug: t.Logf, Warn: func(s string) { t.Error(s) }}
	}
	e, err := remote.NewCluster(cfg(c.Execution), cfg(proxy.Addr))
	if err != nil {
		t.Fatal(err)
	}
	e.Program = func() (io.ReadCloser, error) { return os.Open("/proc/self/exe") }
	run := func() build.Output {
		t.Helper()
		r := b.runner()
		r.Executor = e
		begin := time.Now()
		proxy.Reset()
		out, err := r.Run(t.Context(), b.plan())
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%v, %d bytes sent, %d received, compiled %v", time.Since(begin), proxy.Sent.Load(), proxy.Received.Load(), b.rec.take())
		return out
	}
	b.edit(rand.Uint64()) // no earlier run has left it in the store
	got := run()
	first := proxy.Sent.Load()
	last := got.Steps[len(got.Steps)-1]
	if last.Result.Cached || !got.Hermetic {
		t.Errorf("not executed: %+v", last.Result)
	}
	if id, err := action.Digest(t.Context(), b.st, last.Step); err != nil || last.Result.Digest != id {
		t.Errorf("the result is that of %s, not of the step %s, %v", last.Result.Digest, id, err)
	}
	here, err := sandbox.Local{}.Run(t.Context(), b.st, last.Step, action.RunOptions{})
	if err != nil || here.Outputs["app"] != got.ELF || got.ELF == want.ELF || here.Digest != last.Result.Digest {
		t.Errorf("on the cluster %s, here %+v, %v; before the edit %s", got.ELF, here, err, want.ELF)
	}
	b.edit(rand.Uint64())
	run()
	if n := proxy.Sent.Load(); n > first/20 {
		t.Errorf("the second build sent %d bytes, the first one %d", n, first)
	}
}
