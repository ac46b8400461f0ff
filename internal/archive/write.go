package archive

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/progress"
	"espalier.dev/espalier/internal/store"
)

// Contents are what an archive is made of. Everything but the programs is in
// the store.
type Contents struct {
	Config   Config
	Pins     *lock.File
	Lock     []byte // the text of espalier.lock
	Programs []Program
}

// Program is a file that is not in the store: espalier itself.
type Program struct {
	Title string // "program/linux-amd64/espalier"
	Open  func() (io.ReadCloser, error)
}

// Written describes an archive that Write made.
type Written struct {
	Manifest string   // "sha256:<hex>": the name of this archive, whatever its file is called
	Files    int      // beside manifest and configuration
	Bytes    int64    // of the file
	Absent   []string // evidence that the store no longer has
}

// item is one blob of an archive that is to be written.
type item struct {
	Descriptor
	open func() (io.ReadCloser, error)
}

// Write writes an archive as a tar file to w. A file that the lock names and the
// store lacks is a fault.Pins, before anything is written. Trees are stored as
// tar blobs first, since a blob's digest precedes it.
func Write(ctx context.Context, st *store.Store, w io.Writer, c Contents, rep progress.Reporter) (Written, error) {
	a := &assembly{st: st, seen: map[string]bool{}}
	if err := a.collect(ctx, c); err != nil {
		return Written{}, err
	}
	config := encode(c.Config)
	m := Manifest{
		SchemaVersion: 2, MediaType: typeManifest, ArtifactType: typeArchive,
		Config: Descriptor{MediaType: typeConfig, Digest: "sha256:" + store.DigestOf(config).Hash, Size: int64(len(config))},
		Annotations: map[string]string{
			titleKey:                           c.Config.Project,
			"org.opencontainers.image.created": time.Unix(c.Pins.Project.SourceDateEpoch, 0).UTC().Format(time.RFC3339),
		},
	}
	if c.Config.Revision != "" {
		m.Annotations["org.opencontainers.image.revision"] = c.Config.Revision
	}
	total := int64(0)
	for _, it := range a.items {
		m.Layers = append(m.Layers, it.Descriptor)
		total += it.Size
	}
	manifest := encode(m)
	top := topOf(store.DigestOf(manifest))
	task := rep.Start("writing the archive", progress.Bytes, total)
	n, err := writeTar(ctx, w, task, []item{
		inMemory(layoutFile, layoutText),
		inMemory(indexFile, indexOf(top)),
		inMemory(readmeFile, []byte(instructions)),
		inMemory(path.Join(blobDir, store.DigestOf(manifest).Hash), manifest),
		inMemory(path.Join(blobDir, store.DigestOf(config).Hash), config),
	}, a.items)
	task.Done(err)
	return Written{Manifest: top.Digest, Files: len(a.items), Bytes: n, Absent: a.absent}, err
}

// topOf describes a manifest in the index, which has nothing else.
func topOf(d store.Digest) Descriptor {
	return Descriptor{MediaType: typeManifest, Digest: "sha256:" + d.Hash, Size: d.Size, ArtifactType: typeArchive}
}

func indexOf(top Descriptor) []byte {
	return encode(index{SchemaVersion: 2, MediaType: typeIndex, Manifests: []Descriptor{top}})
}

func inMemory(title string, b []byte) item {
	return item{
		descriptor(typeData, title, store.DigestOf(b)),
		func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(string(b))), nil },
	}
}

// assembly collects the items of an archive in the order of the file: what
// people read first, what is large last.
type assembly struct {
	st      *store.Store
	items   []item
	seen    map[string]bool // hashes: equal contents are one blob
	missing []string
	absent  []string
}

func (a *assembly) collect(ctx context.Context, c Contents) error {
	a.text(typeText, readmeFile, []byte(instructions))
	a.text(typeLock, lock.FileName, c.Lock)
	if err := a.tree(ctx, "source.tar", c.Config.Source); err != nil {
		return err
	}
	names := make([]string, 0, len(c.Config.Results))
	for name := range c.Config.Results {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		a.blob(ctx, typeData, "firmware/"+name, c.Config.Results[name])
	}
	for _, p := range c.Programs {
		if err := a.program(p); err != nil {
			return err
		}
	}
	for _, b := range c.Pins.Blobs {
		a.blob(ctx, typeData, "chip/"+b.Name, b.Digest)
	}
	tc, err := c.Pins.ToolchainFor(c.Config.Host)
	if err != nil {
		return err
	}
	for _, e := range tc.Index {
		if d, err := a.st.Complete(e.Digest); err == nil {
			a.blob(ctx, typeData, "evidence/"+strings.ReplaceAll(e.File, " ", "_"), d)
		} else {
			a.absent = append(a.absent, e.File)
		}
	}
	for _, p := range tc.Packages {
		if p.Format == "" {
			a.blob(ctx, typePackage, fmt.Sprintf("packages/%s_%s_%s.deb", p.Name, p.Version, p.Arch), p.Digest)
		} else {
			a.blob(ctx, typeData, "packages/"+path.Base(p.Path), p.Digest)
		}
	}
	for _, x := range c.Pins.Crates {
		a.blob(ctx, typeGzip, fmt.Sprintf("crates/%s-%s.crate", x.Name, x.Version), x.Digest)
	}
	for _, g := range c.Pins.Git {
		if err := a.tree(ctx, "git/"+g.Commit+".tar", g.Tree); err != nil {
			return err
		}
	}
	if len(a.missing) > 0 {
		return fault.New(fault.Pins, fmt.Sprintf("%d files of the lock are not in the store; the first is %s", len(a.missing), a.missing[0]), "espalier fetch")
	}
	return nil
}

func (a *assembly) add(it item) {
	if !a.seen[it.Digest] {
		a.seen[it.Digest] = true
		a.items = append(a.items, it)
	}
}

func (a *assembly) text(mediaType, title string, b []byte) {
	it := inMemory(title, b)
	it.MediaType = mediaType
	a.add(it)
}

func (a *assembly) blob(ctx context.Context, mediaType, title string, d store.Digest) {
	d, err := a.st.Complete(d)
	if err != nil {
		a.missing = append(a.missing, title)
		return
	}
	a.add(item{descriptor(mediaType, title, d), func() (io.ReadCloser, error) { return a.st.Get(ctx, d) }})
}

func (a *assembly) tree(ctx context.Context, title string, root store.Digest) error {
	if err := a.st.HasContent(ctx, root); err != nil {
		if !errors.Is(err, store.ErrMissing) {
			return err
		}
		a.missing = append(a.missing, title)
		return nil
	}
	r, w := io.Pipe()
	go func() { w.CloseWithError(writeTree(ctx, a.st, root, w)) }()
	d, err := a.st.Put(ctx, r)
	r.CloseWithError(err) // ends the writer when Put ended first
	if err != nil {
		return fmt.Errorf("packing %s: %w", title, err)
	}
	it := item{descriptor(typeTar, title, d), func() (io.ReadCloser, error) { return a.st.Get(ctx, d) }}
	it.Annotations[treeKey] = root.String()
	a.add(it)
	return nil
}

func (a *assembly) program(p Program) error {
	r, err := p.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	h := sha256.New()
	n, err := io.Copy(h, r)
	if err != nil {
		return fmt.Errorf("reading %s: %w", p.Title, err)
	}
	a.add(item{descriptor(typeData, p.Title, store.Digest{Hash: hex.EncodeToString(h.Sum(nil)), Size: n}), p.Open})
	return nil
}

// writeTar writes the layout: head by name, then items by digest.
func writeTar(ctx context.Context, w io.Writer, task progress.Task, head, items []item) (int64, error) {
	counted := &counter{w: w}
	out := tar.NewWriter(counted)
	one := func(name string, it item) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := out.WriteHeader(header(name, it.Size)); err != nil {
			return err
		}
		r, err := it.open()
		if err != nil {
			return fmt.Errorf("reading %s: %w", it.Title(), err)
		}
		defer r.Close()
		h := sha256.New()
		if _, err := io.Copy(io.MultiWriter(out, h), r); err != nil {
			return fmt.Errorf("writing %s: %w", it.Title(), err)
		}
		if "sha256:"+hex.EncodeToString(h.Sum(nil)) != it.Digest {
			return fmt.Errorf("%s has changed while the archive was written", it.Title()) // a program; the store checks its own files
		}
		return nil
	}
	for _, it := range head {
		if err := one(it.Title(), it); err != nil {
			return counted.n, err
		}
	}
	for _, it := range items {
		task.Item(it.Title())
		if err := one(path.Join(blobDir, strings.TrimPrefix(it.Digest, "sha256:")), it); err != nil {
			return counted.n, err
		}
		task.Add(it.Size)
	}
	err := out.Close()
	return counted.n, err
}

type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}
