package cli

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/devtest/mini"
	"espalier.dev/espalier/internal/lock"
)

// A compiler that is too old for a locked crate is refused before it is
// downloaded, although nothing but the crate itself says what it needs.
func TestCompilerTooOld(t *testing.T) {
	dir, env := miniProject(t)
	p := newPhases(t, dir, env)
	index, checksum := registryOfOne(t, "needy", "9.99")

	if err := os.Remove(filepath.Join(dir, lock.FileName)); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, ".cargo"), 0o777); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, ".cargo", "config.toml")
	old, _ := os.ReadFile(config)
	if err := os.WriteFile(config, append(old, "\n[registries.own]\nindex = \""+index+"\"\n"...), 0o666); err != nil {
		t.Fatal(err)
	}
	mini.Edit(t, dir, "cfg/Cargo.toml", "cfg-if = \"1\"\n", "cfg-if = \"1\"\nneedy = { version = \"1\", registry = \"own\" }\n")
	mini.Edit(t, dir, "Cargo.lock", " \"portable-atomic\",\n]", " \"needy\",\n \"portable-atomic\",\n]")
	mini.Edit(t, dir, "Cargo.lock", "[[package]]\nname = \"portable-atomic\"", fmt.Sprintf(
		"[[package]]\nname = \"needy\"\nversion = \"1.0.0\"\nsource = %q\nchecksum = %q\n\n[[package]]\nname = \"portable-atomic\"", index, checksum))

	var asked []string
	p.spoil = func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, ".deb") {
			p.mu.Lock()
			asked = append(asked, path.Base(r.URL.Path))
			p.mu.Unlock()
		}
		return false
	}
	cmd := espalier(t, p.env, "-C", dir, "lock")
	out, _ := cmd.CombinedOutput()
	if code := cmd.ProcessState.ExitCode(); code != 6 {
		t.Errorf("exit %d", code)
	}
	for _, want := range []string{
		`^fetching cargo: \d+ packages, \d+ MB`,
		`^espalier: needy 1\.0\.0 needs rustc 9\.99; this supplier offers 1\.[0-9., ]+$`,
		`^hint: lock older versions of the crates: `,
	} {
		if !regexp.MustCompile("(?m)" + want).Match(out) {
			t.Errorf("want %s in\n%s", want, out)
		}
	}
	if bytes.Contains(out, []byte("fetching the toolchain")) || slices.ContainsFunc(asked, func(name string) bool {
		return strings.HasPrefix(name, "rustc") || strings.HasPrefix(name, "libstd-rust") || strings.HasPrefix(name, "libllvm") || strings.HasPrefix(name, "gcc-12_")
	}) {
		t.Errorf("the toolchain was downloaded: %q\n%s", asked, out)
	}
	if !slices.ContainsFunc(asked, func(name string) bool { return strings.HasPrefix(name, "cargo") }) {
		t.Errorf("no cargo was asked for: %q", asked)
	}
	p.clean(t, 0)
}

// registryOfOne serves a registry with version 1.0.0 of one crate and returns
// its index and the checksum of the crate.
func registryOfOne(t *testing.T, name, rustVersion string) (index, checksum string) {
	t.Helper()
	var crate bytes.Buffer
	zw := gzip.NewWriter(&crate)
	tw := tar.NewWriter(zw)
	for file, text := range map[string]string{
		"Cargo.toml": fmt.Sprintf("[package]\nname = %q\nversion = \"1.0.0\"\nrust-version = %q\n", name, rustVersion),
		"src/lib.rs": "#![no_std]\n",
	} {
		if err := tw.WriteHeader(&tar.Header{Name: name + "-1.0.0/" + file, Mode: 0o644, Size: int64(len(text))}); err != nil {
			t.Fatal(err)
		}
		if _, err := tw.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if tw.Close() != nil || zw.Close() != nil {
		t.Fatal("writing a crate")
	}
	sum := sha256.Sum256(crate.Bytes())
	checksum = hex.EncodeToString(sum[:])
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	answer := func(pattern, text string) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) })
	}
	answer("/index/config.json", fmt.Sprintf("{\"dl\": %q}", server.URL+"/dl"))
	answer("/index/"+name[:2]+"/"+name[2:4]+"/"+name, fmt.Sprintf(`{"name":%q,"vers":"1.0.0","deps":[],"cksum":%q,"features":{},"yanked":false}`+"\n", name, checksum))
	answer("/dl/"+name+"/1.0.0/download", crate.String())
	return "sparse+" + server.URL + "/index/", checksum
}
