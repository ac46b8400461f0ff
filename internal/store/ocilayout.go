package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
)

// maxManifest bounds an OCI manifest, as registries do.
const maxManifest = 4 << 20

// ociNode has every field of an OCI index or manifest that names a blob.
type ociNode struct {
	Config    *ociDescriptor  `json:"config"`
	Subject   *ociDescriptor  `json:"subject"`
	Layers    []ociDescriptor `json:"layers"`
	Manifests []ociDescriptor `json:"manifests"`
}

type ociDescriptor struct {
	MediaType string `json:"mediaType"`
	Digest    string `json:"digest"`
}

func (n *ociNode) descriptors() []ociDescriptor {
	all := append(append([]ociDescriptor{}, n.Layers...), n.Manifests...)
	for _, d := range []*ociDescriptor{n.Config, n.Subject} {
		if d != nil {
			all = append(all, *d)
		}
	}
	return all
}

// markIndex keeps the blobs of index.json: the store is an OCI image layout,
// and other tools may have added an image.
func (g *collector) markIndex(ctx context.Context) error {
	b, err := os.ReadFile(g.s.path("index.json"))
	if err != nil {
		return err
	}
	return g.markOCI(ctx, "index.json", b, 0)
}

func (g *collector) markOCI(ctx context.Context, name string, b []byte, depth int) error {
	var n ociNode
	if err := json.Unmarshal(b, &n); err != nil {
		return fmt.Errorf("reading %s: %w", name, err)
	}
	for _, d := range n.descriptors() {
		digest, err := ParseDigest(d.Digest)
		if err != nil {
			continue // another algorithm: not in blobs/sha256
		}
		g.live[digest.Hash] = true
		nested := strings.Contains(d.MediaType, "manifest") || strings.Contains(d.MediaType, "image.index")
		if !nested || g.walked[digest.Hash] || depth > maxDepth {
			continue
		}
		g.walked[digest.Hash] = true
		b, err := g.s.ReadBlob(ctx, digest, maxManifest)
		if errors.Is(err, ErrMissing) || errors.Is(err, ErrCorrupt) {
			continue
		}
		if err == nil {
			err = g.markOCI(ctx, digest.String(), b, depth+1)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
