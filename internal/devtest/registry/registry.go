// Package registry serves a sparse cargo registry on the loopback interface, to
// which tests publish crates while it is in use. Only tests import it.
package registry

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Crate is one version of a crate.
type Crate struct {
	Name    string
	Version string
	Rust    string            // rust-version; "" for none
	Depends map[string]string // names and requirements of crates of this registry
	Lib     string            // src/lib.rs; "" for an empty library
	Yanked  bool
}

// Registry is a served registry.
type Registry struct {
	URL string // as in [registries.NAME] index

	mu     sync.Mutex
	crates []Crate
	files  map[string][]byte // archives by "name/version"
}

// Serve starts a registry that ends with the test.
func Serve(t testing.TB) *Registry {
	r := &Registry{files: map[string][]byte{}}
	server := httptest.NewServer(http.HandlerFunc(r.answer))
	t.Cleanup(server.Close)
	r.URL = "sparse+" + server.URL + "/index/"
	return r
}

// Publish adds versions, or replaces them.
func (r *Registry) Publish(t testing.TB, crates ...Crate) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range crates {
		b, err := c.archive(r.URL)
		if err != nil {
			t.Fatal(err)
		}
		r.crates = slices.DeleteFunc(r.crates, func(o Crate) bool { return o.Name == c.Name && o.Version == c.Version })
		r.crates = append(r.crates, c)
		r.files[c.Name+"/"+c.Version] = b
	}
}

func (c Crate) archive(index string) ([]byte, error) {
	m := fmt.Sprintf("[package]\nname = %q\nversion = %q\nedition = \"2021\"\n", c.Name, c.Version)
	if c.Rust != "" {
		m += fmt.Sprintf("rust-version = %q\n", c.Rust)
	}
	for _, d := range slices.Sorted(maps.Keys(c.Depends)) {
		m += fmt.Sprintf("[dependencies.%s]\nversion = %q\nregistry-index = %q\n", d, c.Depends[d], index)
	}
	lib := c.Lib
	if lib == "" {
		lib = "#![no_std]\n"
	}
	var b bytes.Buffer
	zw := gzip.NewWriter(&b)
	tw := tar.NewWriter(zw)
	for _, f := range [][2]string{{"Cargo.toml", m}, {"src/lib.rs", lib}} {
		if err := tw.WriteHeader(&tar.Header{Name: c.Name + "-" + c.Version + "/" + f[0], Mode: 0o644, Size: int64(len(f[1]))}); err != nil {
			return nil, err
		}
		if _, err := tw.Write([]byte(f[1])); err != nil {
			return nil, err
		}
	}
	if err := tw.Close(); err != nil {
		return nil, err
	}
	if err := zw.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// answer serves /index/config.json, /index/<prefix>/<name> and
// /dl/<name>/<version>/download (The Cargo Book, Registries).
func (r *Registry) answer(w http.ResponseWriter, q *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	name := q.URL.Path[strings.LastIndexByte(q.URL.Path, '/')+1:]
	switch {
	case name == "config.json":
		fmt.Fprintf(w, "{\"dl\": %q}", "http://"+q.Host+"/dl")
		return
	case name == "download":
		if b, ok := r.files[strings.TrimSuffix(strings.TrimPrefix(q.URL.Path, "/dl/"), "/download")]; ok {
			_, _ = w.Write(b)
			return
		}
	default:
		found := false
		for _, c := range r.crates {
			if c.Name == name {
				found = true
				_, _ = w.Write(append(r.line(c), '\n'))
			}
		}
		if found {
			return
		}
	}
	http.NotFound(w, q)
}

func (r *Registry) line(c Crate) []byte {
	sum := sha256.Sum256(r.files[c.Name+"/"+c.Version])
	deps := []map[string]any{}
	for _, d := range slices.Sorted(maps.Keys(c.Depends)) {
		deps = append(deps, map[string]any{"name": d, "req": c.Depends[d], "features": []string{}, "optional": false, "default_features": true,
			"target": nil, "kind": "normal"})
	}
	entry := map[string]any{"name": c.Name, "vers": c.Version, "deps": deps, "cksum": hex.EncodeToString(sum[:]), "features": map[string]any{}, "yanked": c.Yanked}
	if c.Rust != "" {
		entry["rust_version"] = c.Rust
	}
	b, err := json.Marshal(entry)
	if err != nil {
		panic(err)
	}
	return b
}

// Archive returns the .crate file of a version, nil when it was not published.
func (r *Registry) Archive(name, version string) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.files[name+"/"+version]
}
