// Package archive packs all that a locked project needs into one OCI image
// layout, and puts it back into a store.
//
// An archive has every file that an espalier.lock names (packages of the
// compiler, crates, git trees, bootloader and mask ROM, with the signed indexes
// that named them), the project's own files, the lock, the firmware that
// they make, the program espalier, and instructions for people who have sha256sum
// and tar only. Everything is a blob that is named by its SHA-256; the manifest
// gives each a title. The same contents give the same bytes.
//
// Input: digests of a store and a lock. Output: a stream, or a store and a
// directory. The package neither builds nor downloads anything. Nothing that
// it reads is trusted: paths, sizes and digests are checked before they are used.
//
// Formats: OCI image layout and image manifest 1.1 (opencontainers/image-spec),
// POSIX pax (IEEE 1003.1-2001) for the file itself and for trees inside.
package archive

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"path"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/store"
)

// Version is the format that Write writes and the highest that is read.
const Version = 1

// Media types. Those of espalier have no registration, as
// docs/archive.md says.
const (
	typeIndex    = "application/vnd.oci.image.index.v1+json"
	typeManifest = "application/vnd.oci.image.manifest.v1+json"
	typeTar      = "application/vnd.oci.image.layer.v1.tar"
	typeArchive  = "application/vnd.espalier.archive.v1"
	typeConfig   = "application/vnd.espalier.archive.config.v1+json"
	typeLock     = "application/vnd.espalier.lock.v1+toml"
	typeText     = "text/markdown"
	typeData     = "application/octet-stream"
	typePackage  = "application/vnd.debian.binary-package"
	typeGzip     = "application/gzip"
)

// Annotations of descriptors.
const (
	titleKey = "org.opencontainers.image.title" // the file's path below its kind
	treeKey  = "dev.espalier.tree"              // of a tar: the digest of the tree in it
)

// Limits of what is read into memory, in bytes, and of what is counted. A
// manifest of 16 MiB has about 50,000 files.
const (
	maxIndex    = 1 << 20
	maxManifest = 16 << 20
	maxConfig   = 1 << 20
	maxLock     = 64 << 20
	maxEntries  = 100_000
)

// Descriptor names a blob: an OCI content descriptor.
type Descriptor struct {
	MediaType    string            `json:"mediaType"`
	Digest       string            `json:"digest"` // "sha256:<hex>"
	Size         int64             `json:"size"`   // bytes
	ArtifactType string            `json:"artifactType,omitempty"`
	Annotations  map[string]string `json:"annotations,omitempty"`
}

// Title is the name of the blob for people: "crates/heapless-0.8.0.crate".
func (d Descriptor) Title() string {
	if t := d.Annotations[titleKey]; t != "" {
		return t
	}
	return d.Digest
}

func (d Descriptor) digest() (store.Digest, error) {
	out, err := store.ParseDigest(fmt.Sprintf("%s/%d", d.Digest, d.Size))
	if err != nil || d.Size < 0 {
		return out, fmt.Errorf("the descriptor of %q has no valid digest and size", d.Title())
	}
	return out, nil
}

func descriptor(mediaType, title string, d store.Digest) Descriptor {
	return Descriptor{MediaType: mediaType, Digest: "sha256:" + d.Hash, Size: d.Size, Annotations: map[string]string{titleKey: title}}
}

// Manifest is the OCI image manifest of an archive.
type Manifest struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType"`
	ArtifactType  string            `json:"artifactType"`
	Config        Descriptor        `json:"config"`
	Layers        []Descriptor      `json:"layers"`
	Annotations   map[string]string `json:"annotations,omitempty"`
}

type index struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType"`
	Manifests     []Descriptor `json:"manifests"`
}

// Config says what an archive is of.
type Config struct {
	Version   int                     `json:"version"`            // of the format
	Project   string                  `json:"project"`            // name of the package that was built
	Revision  string                  `json:"revision,omitempty"` // git commit of its files, empty when they were not all of one
	Host      string                  `json:"host"`               // platform that the compiler runs on: "linux/amd64"
	Tool      string                  `json:"tool"`               // version of espalier that wrote the archive
	Workspace string                  `json:"workspace"`          // directory of espalier.lock in the project's files; "." is the top
	Source    store.Digest            `json:"source"`             // tree of the project's files
	Lock      store.Digest            `json:"lock"`               // of espalier.lock
	Results   map[string]store.Digest `json:"results,omitempty"`  // firmware by file name
}

func (c Config) check() error {
	switch {
	case c.Version > Version:
		return fault.New(fault.Pins, fmt.Sprintf("the archive has format %d, and this espalier reads up to %d", c.Version, Version),
			"use the espalier that is in the archive, as README.md in it says")
	case c.Version < 1 || c.Source.IsZero() || c.Lock.IsZero() || c.Lock.Size > maxLock:
		return fault.New(fault.Pins, "the archive's configuration is incomplete")
	case c.Workspace != path.Clean(c.Workspace) || !fs.ValidPath(c.Workspace):
		return fault.New(fault.Pins, fmt.Sprintf("the archive's workspace %q is not a path in it", c.Workspace))
	}
	return nil
}

// encode is the one form in which the package writes JSON: without it, equal
// contents would not be equal bytes.
func encode(v any) []byte {
	b, err := json.Marshal(v) // maps are sorted by key
	if err != nil {
		panic(err) // of this package's own types
	}
	return append(b, '\n')
}
