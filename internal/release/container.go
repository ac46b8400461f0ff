package main

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"time"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// The container image has the program, the certificates of authorities, and empty
// directories; no shell and no distribution. It is one OCI image layout in a tar for all
// Linux platforms, which podman, skopeo, docker and containerd load; no daemon makes it.

// Media types of the OCI image specification, 1.1.
const (
	typeIndex    = "application/vnd.oci.image.index.v1+json"
	typeManifest = "application/vnd.oci.image.manifest.v1+json"
	typeConfig   = "application/vnd.oci.image.config.v1+json"
	typeLayer    = "application/vnd.oci.image.layer.v1.tar+gzip"
)

type (
	descriptor struct {
		MediaType   string            `json:"mediaType"`
		Digest      string            `json:"digest"`
		Size        int               `json:"size"`
		Platform    *ociPlatform      `json:"platform,omitempty"`
		Annotations map[string]string `json:"annotations,omitempty"`
	}
	ociPlatform struct {
		Architecture string `json:"architecture"`
		OS           string `json:"os"`
	}
	ociIndex struct {
		SchemaVersion int               `json:"schemaVersion"`
		MediaType     string            `json:"mediaType"`
		Manifests     []descriptor      `json:"manifests"`
		Annotations   map[string]string `json:"annotations,omitempty"`
	}
	ociManifest struct {
		SchemaVersion int               `json:"schemaVersion"`
		MediaType     string            `json:"mediaType"`
		Config        descriptor        `json:"config"`
		Layers        []descriptor      `json:"layers"`
		Annotations   map[string]string `json:"annotations,omitempty"`
	}
	ociConfig struct {
		Created      string       `json:"created"`
		Architecture string       `json:"architecture"`
		OS           string       `json:"os"`
		Config       ociProcess   `json:"config"`
		RootFS       ociRootFS    `json:"rootfs"`
		History      []ociHistory `json:"history"`
	}
	ociProcess struct {
		Env        []string            `json:"Env"`
		Entrypoint []string            `json:"Entrypoint"`
		WorkingDir string              `json:"WorkingDir"`
		Volumes    map[string]struct{} `json:"Volumes"`
		Labels     map[string]string   `json:"Labels"`
	}
	ociRootFS struct {
		Type  string   `json:"type"`
		Diffs []string `json:"diff_ids"`
	}
	ociHistory struct {
		Created   string `json:"created"`
		CreatedBy string `json:"created_by"`
	}
)

// blobs are the files of an image layout.
type blobs map[string][]byte

func (b blobs) add(mediaType string, content []byte) descriptor {
	digest := fmt.Sprintf("%x", sha256.Sum256(content))
	b["blobs/sha256/"+digest] = content
	return descriptor{MediaType: mediaType, Digest: "sha256:" + digest, Size: len(content)}
}

func (b blobs) addJSON(mediaType string, v any) (descriptor, error) {
	text, err := json.Marshal(v)
	return b.add(mediaType, text), err
}

// containerImage returns the image of programs, by the architecture of Linux.
func containerImage(programs map[string][]byte, licences []file, r release) ([]byte, error) {
	files := blobs{}
	created := r.date.UTC().Format(time.RFC3339)
	labels := map[string]string{
		"org.opencontainers.image.title": "espalier", "org.opencontainers.image.version": r.version, "org.opencontainers.image.revision": r.commit,
		"org.opencontainers.image.licenses": "MIT OR Apache-2.0", "org.opencontainers.image.url": "https://espalier.dev",
		"org.opencontainers.image.description": "embedded Rust for the ESP32-C3, from source to a running board",
	}
	index := ociIndex{SchemaVersion: 2, MediaType: typeIndex, Annotations: map[string]string{"org.opencontainers.image.version": r.version}}
	for _, arch := range slices.Sorted(maps.Keys(programs)) {
		layer, err := containerLayer(programs[arch], licences, r.date)
		if err != nil {
			return nil, err
		}
		packed, err := gzipped(layer)
		if err != nil {
			return nil, err
		}
		config, err := files.addJSON(typeConfig, ociConfig{
			Created: created, Architecture: arch, OS: "linux",
			Config: ociProcess{
				Env:        []string{"PATH=/usr/bin", "HOME=/root", "XDG_CACHE_HOME=/cache"},
				Entrypoint: []string{"/usr/bin/espalier"}, WorkingDir: "/work", Volumes: map[string]struct{}{"/cache": {}}, Labels: labels,
			},
			RootFS:  ociRootFS{"layers", []string{fmt.Sprintf("sha256:%x", sha256.Sum256(layer))}},
			History: []ociHistory{{created, "espalier's release program"}},
		})
		if err != nil {
			return nil, err
		}
		manifest, err := files.addJSON(typeManifest, ociManifest{SchemaVersion: 2, MediaType: typeManifest, Config: config,
			Layers: []descriptor{files.add(typeLayer, packed)}, Annotations: labels})
		if err != nil {
			return nil, err
		}
		manifest.Platform = &ociPlatform{arch, "linux"}
		index.Manifests = append(index.Manifests, manifest)
	}
	all, err := files.addJSON(typeIndex, index)
	if err != nil {
		return nil, err
	}
	all.Annotations = map[string]string{"org.opencontainers.image.ref.name": r.version, "io.containerd.image.name": "espalier.dev/espalier:" + r.version}
	top, err := json.Marshal(ociIndex{SchemaVersion: 2, MediaType: typeIndex, Manifests: []descriptor{all}})
	if err != nil {
		return nil, err
	}
	files["index.json"], files["oci-layout"] = top, []byte(`{"imageLayoutVersion":"1.0.0"}`)
	var list []file
	for name, b := range files {
		list = append(list, file{name, 0o644, b})
	}
	return plainTar(list, nil, r.date)
}

// containerLayer is the file system of the image.
func containerLayer(program []byte, licences []file, date time.Time) ([]byte, error) {
	var authorities bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint != nil {
			continue // a bundle in PEM cannot say up to when an authority is trusted
		}
		if err := pem.Encode(&authorities, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}); err != nil {
			return nil, err
		}
	}
	files := []file{
		{"usr/bin/espalier", 0o755, program},
		{"etc/ssl/certs/ca-certificates.crt", 0o644, authorities.Bytes()},
		{"etc/passwd", 0o644, []byte("root:x:0:0:root:/root:\nespalier:x:1000:1000::/root:\n")},
		{"etc/group", 0o644, []byte("root:x:0:\nespalier:x:1000:\n")},
		{"etc/nsswitch.conf", 0o644, []byte("hosts: files dns\n")},
	}
	for _, f := range licences {
		files = append(files, file{path.Join("usr/share/doc/espalier", f.name), f.mode, f.data})
	}
	// A user without a name in the image can use the directories, too.
	return plainTar(files, map[string]fs.FileMode{"tmp": 0o1777, "work": 0o1777, "cache": 0o1777, "root": 0o1777}, date)
}

// plainTar returns a tar archive of files and further directories, sorted by name, with
// the directories that they are in.
func plainTar(files []file, dirs map[string]fs.FileMode, date time.Time) ([]byte, error) {
	modes := map[string]fs.FileMode{}
	for name, mode := range dirs {
		modes[name] = mode
	}
	content := map[string]file{}
	for _, f := range files {
		content[f.name] = f
		for dir := path.Dir(f.name); dir != "."; dir = path.Dir(dir) {
			if _, ok := modes[dir]; !ok {
				modes[dir] = 0o755
			}
		}
	}
	var names []string
	for name := range modes {
		names = append(names, name)
	}
	for name := range content {
		names = append(names, name)
	}
	slices.Sort(names)
	var out bytes.Buffer
	t := tar.NewWriter(&out)
	for _, name := range names {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: name, ModTime: date, Format: tar.FormatUSTAR}
		if mode, ok := modes[name]; ok {
			h.Typeflag, h.Name, h.Mode = tar.TypeDir, name+"/", int64(mode)
		} else {
			h.Mode, h.Size = int64(content[name].mode.Perm()), int64(len(content[name].data))
		}
		if err := t.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := t.Write(content[name].data); err != nil {
			return nil, err
		}
	}
	err := t.Close()
	return out.Bytes(), err
}
