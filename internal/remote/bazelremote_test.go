package remote

import (
	"errors"
	"maps"
	"reflect"
	"testing"
	"time"

	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/internal/devtest/cacheserver"
	"espalier.dev/espalier/internal/store"
)

// bazelRemote runs the cache server of that name: addresses of its two
// protocols, and a function that kills it.
func bazelRemote(t testing.TB, args ...string) (grpcAddr, httpAddr string, kill func()) {
	t.Helper()
	s := cacheserver.Start(t, t.TempDir(), args...)
	return s.GRPC, s.HTTP, s.Kill
}

func TestBazelRemote(t *testing.T) {
	devtest.Long(t, "runs a server")
	for name, c := range map[string]struct {
		http bool
		args []string
	}{
		"gRPC":       {false, []string{"--storage_mode", "uncompressed"}},
		"gRPC, zstd": {false, []string{"--storage_mode", "zstd"}},
		"HTTP":       {true, nil},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			grpcAddr, httpAddr, kill := bazelRemote(t, c.args...)
			cfg := Config{Address: "grpc://" + grpcAddr, Write: true, Instance: "main"}
			if c.http {
				cfg.Address, cfg.Instance = "http://"+httpAddr, ""
			}
			a := open(t)
			content := files(1)
			want := result(t, a, "one", content)

			writer, n, warned := client(t, cfg)
			if _, err := writer.Fetch(ctx, a, want.Digest, outputs, "it"); !errors.Is(err, store.ErrMissing) {
				t.Fatalf("before: %v", err)
			}
			writer.Offer(ctx, a, want.Digest)
			writer.Wait()
			if n.written.Load() < 6<<20 {
				t.Errorf("wrote %d bytes", n.written.Load())
			}
			n.written.Store(0)
			writer.Offer(ctx, a, want.Digest)
			writer.Wait()
			if got := n.written.Load(); got != 0 {
				t.Errorf("wrote %d bytes again", got)
			}

			b := open(t)
			reader, n, warnedToo := client(t, cfg)
			found, err := reader.Find(ctx, b, want.Digest, outputs)
			want.Cached = true
			if err != nil || !reflect.DeepEqual(found, want) {
				t.Errorf("Find = %+v, %v\nwant   %+v", found, err, want)
			}
			if b.HasContent(ctx, want.Trees["/target"]) == nil || n.read.Load() > 1<<20 {
				t.Errorf("Find has read the content: %d bytes", n.read.Load())
			}
			calls := n.calls.Load()
			if _, err := reader.Find(ctx, b, want.Digest, outputs); err != nil || n.calls.Load() != calls {
				t.Errorf("a found result is asked for again: %v", err)
			}
			got, err := reader.Fetch(ctx, b, want.Digest, outputs, "it")
			if err != nil || !maps.Equal(got.Trees, want.Trees) || !maps.Equal(got.Outputs, want.Outputs) {
				t.Fatalf("Fetch = %+v, %v", got, err)
			}
			if err := b.VerifyTree(ctx, want.Trees["/target"]); err != nil {
				t.Error(err)
			}
			if elf, err := b.ReadBlob(ctx, got.Outputs["firmware"], 1<<20); err != nil || len(elf) != 300_000 {
				t.Errorf("firmware: %d bytes, %v", len(elf), err)
			}

			// Another layer with one other file moves that file.
			content["large"] = append([]byte("new "), content["large"]...)
			next := result(t, a, "two", content)
			writer.Offer(ctx, a, next.Digest)
			writer.Wait()
			n.read.Store(0)
			if _, err := reader.Fetch(ctx, b, next.Digest, outputs, "it"); err != nil {
				t.Fatal(err)
			}
			if got, most := n.read.Load(), int64(len(content["large"])+400_000); got > most {
				t.Errorf("read %d bytes for one changed file, want at most %d", got, most)
			}

			// A server that is gone costs one warning.
			kill()
			third := result(t, a, "three", files(2))
			for range 3 {
				writer.Offer(ctx, a, third.Digest)
				if _, err := reader.Fetch(ctx, b, third.Digest, outputs, "it"); !errors.Is(err, store.ErrMissing) {
					t.Errorf("without a server: %v", err)
				}
			}
			writer.Wait()
			for _, w := range []*warnings{warned, warnedToo} {
				if text := w.take(); len(text) != 1 {
					t.Errorf("warnings %q", text)
				} else {
					t.Log(text[0])
				}
			}
		})
	}
}

// TestKilledServer kills the server while a layer is read: nothing incomplete is
// a result, and what has arrived is not read again.
func TestKilledServer(t *testing.T) {
	devtest.Long(t, "runs a server")
	ctx := t.Context()
	address, _, kill := bazelRemote(t)
	a, b := open(t), open(t)
	want := result(t, a, "one", files(1))
	writer, _, _ := client(t, Config{Address: "grpc://" + address, Write: true})
	writer.Offer(ctx, a, want.Digest)
	writer.Wait()
	reader, n, warned := client(t, Config{Address: "grpc://" + address})
	go func() {
		for n.read.Load() < 1<<20 {
			time.Sleep(time.Millisecond)
		}
		kill()
	}()
	_, err := reader.Fetch(ctx, b, want.Digest, outputs, "it")
	switch {
	case err == nil:
		t.Log("it was faster than the kill")
	case !errors.Is(err, store.ErrMissing):
		t.Error(err)
	default:
		if text := warned.take(); len(text) != 1 {
			t.Errorf("warnings %q", text)
		} else {
			t.Log(text[0])
		}
		if _, _, err := b.Result(ctx, want.Digest, true); !errors.Is(err, store.ErrMissing) {
			t.Errorf("a result is left: %v", err)
		}
	}
}
