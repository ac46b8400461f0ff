package pin

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/action"
	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/progress"
	"espalier.dev/espalier/internal/sandbox"
	"espalier.dev/espalier/internal/store"
	"espalier.dev/espalier/internal/supply/crates"
	"espalier.dev/espalier/internal/supply/debian"
)

func TestMain(m *testing.M) {
	sandbox.Init()
	os.Exit(m.Run())
}

// The cargo of rustc 1.63, which has no "cargo info" and cannot read a manifest
// of edition 2024, brings the crate that has the chip's files. Its registry is a
// small one of this test.
func TestOneCrateWithOldCargo(t *testing.T) {
	devtest.Long(t, "fetches Debian's cargo of rustc 1.63")
	if runtime.GOOS != "linux" {
		devtest.Missing(t, "a Debian machine")
	}
	devtest.Tool(t, "apt-get")
	ctx := t.Context()
	st, err := store.Open(ctx, devtest.Store(t))
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	sup, err := debian.Discover("/", debian.Config{})
	if err != nil {
		t.Fatal(err)
	}
	tc, err := sup.Lock(ctx, st, debian.Request{Channel: "1.63"}, progress.Discard)
	if err != nil {
		devtest.Missing(t, "an archive with rustc 1.63: "+err.Error())
	}
	part, ok := sup.Cargo(tc)
	if !ok {
		t.Fatal("no cargo in the toolchain")
	}
	rootfs, err := sup.AssembleCargo(ctx, st, part, progress.Discard)
	if err != nil {
		t.Fatal(err)
	}

	for name, c := range map[string]struct {
		manifest, source string
		archive          string // what the registry sends in the place of the archive
		want             string
	}{
		"a program of edition 2024": {"edition = \"2024\"\n[dependencies]\nnowhere = \"1\"\n", "src/main.rs", "", ""},
		"a program of edition 2021": {"edition = \"2021\"\n[dependencies]\nnowhere = \"1\"\n", "src/main.rs", "", ""},
		"a library":                 {"edition = \"2021\"\n", "src/lib.rs", "", ""},
		"not there":                 {"edition = \"2021\"\n", "src/main.rs", "404", "cargo install: failed to download"},
		"another archive":           {"edition = \"2021\"\n", "src/main.rs", "not a crate", "cargo install: failed to download"},
	} {
		t.Run(name, func(t *testing.T) {
			archive := packed(t, "carrier-1.0.0", map[string]string{
				"Cargo.toml": "[package]\nname = \"carrier\"\nversion = \"1.0.0\"\n" + c.manifest, c.source: "", "unique": t.Name() + fmt.Sprint(t.TempDir()),
			})
			want := lock.Crate{Name: "carrier", Version: "1.0.0", Digest: store.DigestOf(archive)}
			registry := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch r.URL.Path {
				case "/config.json":
					fmt.Fprintf(w, "{\"dl\":\"http://%s/archive\"}", r.Host)
				case "/ca/rr/carrier":
					fmt.Fprintf(w, "{\"name\":\"carrier\",\"vers\":\"1.0.0\",\"deps\":[{\"name\":\"nowhere\",\"req\":\"1\",\"features\":[],\"optional\":false,"+
						"\"default_features\":true,\"target\":null,\"kind\":\"normal\"}],\"cksum\":%q,\"features\":{},\"yanked\":false}\n", want.Digest.Hash)
				case "/archive/carrier/1.0.0/download":
					switch c.archive {
					case "":
						w.Write(archive)
					case "404":
						http.NotFound(w, r)
					default:
						w.Write([]byte(c.archive))
					}
				default:
					http.NotFound(w, r)
				}
			}))
			defer registry.Close()
			f := &crates.Fetcher{
				Store: st, Rootfs: rootfs, Report: progress.Discard,
				// Registries that are read by HTTP were unstable then.
				Host: crates.HostCargo{Config: "[unstable]\nsparse-registry = true\n[source.crates-io]\nreplace-with = \"own\"\n[source.own]\nregistry = \"sparse+" + registry.URL + "/\"\n"},
				Run: func(ctx context.Context, step action.Step, opts action.RunOptions) (action.Result, error) {
					return sandbox.Local{}.Run(ctx, st, step, opts)
				},
			}
			err := f.One(ctx, want)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error %v, want %q", err, c.want)
			}
			if st.Has(want.Digest) != (c.want == "") {
				t.Error("the archive is in the store: ", st.Has(want.Digest))
			}
		})
	}
}

// packed makes the archive of a crate.
func packed(t *testing.T, folder string, files map[string]string) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	w := tar.NewWriter(z)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := w.WriteHeader(&tar.Header{Name: folder + "/" + name, Mode: 0o644, Size: int64(len(files[name]))}); err != nil {
			t.Fatal(err)
		}
		w.Write([]byte(files[name]))
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
