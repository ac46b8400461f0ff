package main

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/devtest"
)

// TestContainerImage reads the image with skopeo, for both platforms: configuration,
// digests of the layers, and what is in the file system.
func TestContainerImage(t *testing.T) {
	skopeo, tar := devtest.Tool(t, "skopeo"), devtest.Tool(t, "tar")
	programs := map[string][]byte{"amd64": []byte("program of amd64"), "arm64": []byte("program of arm64")}
	r := release{version: "1.2.3", commit: strings.Repeat("ab", 20), date: day}
	image, err := containerImage(programs, []file{{"LICENSE-MIT", 0o644, []byte("licence")}}, r)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := containerImage(programs, []file{{"LICENSE-MIT", 0o644, []byte("licence")}}, r); err != nil || !bytes.Equal(again, image) {
		t.Errorf("the same programs give another image, %v", err)
	}
	dir := t.TempDir()
	name := filepath.Join(dir, "image.tar")
	if err := os.WriteFile(name, image, 0o666); err != nil {
		t.Fatal(err)
	}
	for arch, program := range programs {
		run := func(args ...string) []byte {
			t.Helper()
			cmd := exec.Command(skopeo, append([]string{"--insecure-policy", "--tmpdir", dir, "--override-os", "linux", "--override-arch", arch}, args...)...)
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("skopeo %q: %v\n%s", args, err, stderr.Bytes())
			}
			return out
		}
		var info struct {
			Architecture, Os, Created string
			Labels                    map[string]string
		}
		if err := json.Unmarshal(run("inspect", "oci-archive:"+name+":1.2.3"), &info); err != nil {
			t.Fatal(err)
		}
		if info.Architecture != arch || info.Os != "linux" || info.Created != "2026-02-03T04:05:06Z" || info.Labels["org.opencontainers.image.revision"] != r.commit {
			t.Errorf("%s: %+v", arch, info)
		}
		var config ociConfig
		if err := json.Unmarshal(run("inspect", "--config", "oci-archive:"+name+":1.2.3"), &config); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(config.Config.Entrypoint, []string{"/usr/bin/espalier"}) || config.Config.WorkingDir != "/work" {
			t.Errorf("%s: %+v", arch, config)
		}
		// A copy compares every digest, also those of the unpacked layers.
		copied := filepath.Join(dir, arch)
		run("copy", "--quiet", "oci-archive:"+name+":1.2.3", "oci:"+copied+":x")
		layers, err := filepath.Glob(filepath.Join(copied, "blobs", "sha256", "*"))
		if err != nil {
			t.Fatal(err)
		}
		root := filepath.Join(dir, "root-"+arch)
		if err := os.Mkdir(root, 0o777); err != nil {
			t.Fatal(err)
		}
		for _, l := range layers {
			if b, err := os.ReadFile(l); err == nil && bytes.HasPrefix(b, []byte{0x1f, 0x8b}) {
				if out, err := exec.Command(tar, "-xpzf", l, "-C", root).CombinedOutput(); err != nil {
					t.Fatalf("%v: %s", err, out)
				}
			}
		}
		if b, err := os.ReadFile(filepath.Join(root, "usr/bin/espalier")); err != nil || !bytes.Equal(b, program) {
			t.Errorf("%s: %v: %q", arch, err, b)
		}
		if st, err := os.Stat(filepath.Join(root, "cache")); err != nil || st.Mode()&os.ModeSticky == 0 || st.Mode().Perm() != 0o777 {
			t.Errorf("%s: /cache: %v, %v", arch, st, err)
		}
		b, err := os.ReadFile(filepath.Join(root, "etc/ssl/certs/ca-certificates.crt"))
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for block, rest := pem.Decode(b); block != nil; block, rest = pem.Decode(rest) {
			n++
		}
		if n < 100 {
			t.Errorf("%s: %d authorities", arch, n)
		}
	}
}
