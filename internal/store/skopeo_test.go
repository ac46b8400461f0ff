package store

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"espalier.dev/espalier/internal/devtest"
)

// The store is an OCI image layout for another tool, in spite of the other
// files in it; and gc keeps what that tool writes.
func TestSkopeoSharesTheStore(t *testing.T) {
	skopeo := devtest.Tool(t, "skopeo")
	s := open(t, t.TempDir())
	build(t, s, sample)
	layer := mustPut(t, s, noise(t, 1000))
	config := mustPut(t, s, []byte(`{"architecture":"riscv32","os":"none","rootfs":{"type":"layers","diff_ids":[]}}`))
	manifest := mustPut(t, s, fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",`+
		`"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:%s","size":%d},`+
		`"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"sha256:%s","size":%d}]}`,
		config.Hash, config.Size, layer.Hash, layer.Size))
	index := fmt.Appendf(nil, `{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json",`+
		`"digest":"sha256:%s","size":%d,"annotations":{"org.opencontainers.image.ref.name":"product"}}]}`, manifest.Hash, manifest.Size)
	if err := os.WriteFile(s.path("index.json"), index, 0o644); err != nil {
		t.Fatal(err)
	}
	run := func(from, to string) {
		t.Helper()
		if out, err := exec.Command(skopeo, "--insecure-policy", "copy", "--preserve-digests", "oci:"+from+":product", "oci:"+to+":product").CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	elsewhere, other := filepath.Join(t.TempDir(), "image"), open(t, t.TempDir())
	run(s.Dir(), elsewhere)
	run(elsewhere, other.Dir())
	other.Close()
	if _, err := GC(t.Context(), other.Dir(), Policy{}); err != nil {
		t.Fatal(err)
	}
	other = open(t, other.Dir())
	for _, d := range []Digest{layer, config, manifest} {
		if _, err := other.ReadBlob(t.Context(), d, 1<<20); err != nil {
			t.Error(err)
		}
	}
}
