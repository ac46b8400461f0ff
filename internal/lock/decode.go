package lock

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/store"
	"espalier.dev/espalier/internal/tomldoc"
)

// Decode reads espalier.lock strictly: unknown keys, bad digests, duplicate
// items and newer versions are faults of kind Pins with file, line and column.
// Any order of items is accepted. name is the file in messages.
func Decode(name string, b []byte) (*File, error) {
	root, err := tomldoc.Parse(name, b)
	if err != nil {
		if bytes.Contains(b, []byte("\n<<<<<<< ")) {
			return nil, fault.Wrap(fault.Pins, err, "", "resolve the merge conflict in "+name+", or take one side and run: espalier lock")
		}
		return nil, fault.Wrap(fault.Pins, err, "", "git checkout -- "+name)
	}
	d := &decoder{Reader: &tomldoc.Reader{}}
	f := &File{Version: int(d.Int(root, "version")), Tool: d.String(root, "tool")}
	switch v := root.Get("version"); {
	case d.Err() != nil:
	case v == nil:
		d.Fail(root.ErrorAt(tomldoc.Pos{Line: 1, Col: 1}, "no version: this is not an espalier.lock"))
	case v.Int > Version:
		by := f.Tool
		if by == "" {
			by = "a newer espalier"
		}
		return nil, fault.Wrap(fault.Pins, v.Errorf("version %d was written by %s; this program reads versions up to %d", v.Int, by, Version), "",
			"use "+by+" or newer", "or lock again with this program: rm "+name+" && espalier lock")
	case v.Int < 1:
		d.Fail(v.Errorf("version %d does not exist", v.Int))
	}
	d.Known(root, "", "version", "tool", "project", "toolchain", "std", "crate", "git", "blob", "golden")
	d.project(root, f)
	d.toolchains(root, f)
	if t := d.Table(root, "std"); t != nil {
		d.Known(t, "std", "lock")
		f.Std.Lock = d.digest(t, "lock", "std")
	}
	d.crates(root, f)
	d.git(root, f)
	d.blobs(root, f)
	d.golden(root, f)
	if d.Err() != nil {
		return nil, fault.Wrap(fault.Pins, d.Err(), "", "git checkout -- "+name, "espalier lock")
	}
	f.sort()
	return f, nil
}

// decoder adds the lock's own types to the reader of tables.
type decoder struct{ *tomldoc.Reader }

// text is a string that must be there and not be empty.
func (d *decoder) text(t *tomldoc.Node, key, where string) string {
	s := d.String(t, key)
	if d.Err() == nil && s == "" {
		at := t
		if n := t.Get(key); n != nil {
			at = n
		}
		d.Fail(at.Errorf("[%s] has no %s", where, key))
	}
	if strings.ContainsAny(s, "\n\r\x00") && d.Err() == nil {
		d.Fail(t.Get(key).Errorf("%s holds a control character", key))
	}
	return s
}

// digest is a digest that must be there.
func (d *decoder) digest(t *tomldoc.Node, key, where string) store.Digest {
	s := d.text(t, key, where)
	if d.Err() != nil {
		return store.Digest{}
	}
	g, err := store.ParseDigest(s)
	if err != nil {
		d.Fail(t.Get(key).Errorf("%s", err))
	}
	return g
}

func (d *decoder) project(root *tomldoc.Node, f *File) {
	t := d.Table(root, "project")
	if t == nil && d.Err() == nil {
		d.Fail(root.ErrorAt(tomldoc.Pos{Line: 1, Col: 1}, "no [project]"))
	}
	if d.Err() != nil {
		return
	}
	keys := []string{"source-date-epoch", "layout", "cargo-lock", "env"}
	if f.Version == 1 {
		keys = append(keys, "target")
	}
	d.Known(t, "project", keys...)
	f.Project = Project{SourceDateEpoch: d.Int(t, "source-date-epoch"),
		Layout: int(d.Int(t, "layout")), CargoLock: d.digest(t, "cargo-lock", "project"), Env: d.Strings(t, "env")}
	if n := t.Get("source-date-epoch"); d.Err() == nil && (n == nil || n.Int < 0) {
		d.Fail(t.Errorf("[project] needs source-date-epoch, seconds since 1970"))
	}
	if f.Project.Layout < 1 && d.Err() == nil {
		d.Fail(t.Errorf("[project] needs layout, a number from 1"))
	}
}

func (d *decoder) toolchains(root *tomldoc.Node, f *File) {
	seen := map[string]bool{}
	for _, t := range d.Tables(root, "toolchain") {
		d.Known(t, "toolchain", "host", "supplier", "channel", "accept", "rustc", "prune", "rootfs", "index", "package")
		tc := Toolchain{Host: d.text(t, "host", "toolchain"), Supplier: d.text(t, "supplier", "toolchain"), Channel: d.text(t, "channel", "toolchain"),
			Rustc: d.text(t, "rustc", "toolchain"), Accept: d.String(t, "accept"), Prune: int(d.Int(t, "prune"))}
		if t.Get("rootfs") != nil {
			tc.Rootfs = d.digest(t, "rootfs", "toolchain")
		}
		d.once(seen, t, "toolchain for", tc.Host)
		for _, e := range d.Tables(t, "index") {
			d.Known(e, "toolchain.index", "file", "digest", "signer", "date", "verified")
			tc.Index = append(tc.Index, Evidence{File: d.text(e, "file", "toolchain.index"), Digest: d.digest(e, "digest", "toolchain.index"),
				Signer: d.String(e, "signer"), Date: d.String(e, "date"), Verified: d.Bool(e, "verified", false)})
		}
		pkgs := map[string]bool{}
		for _, e := range d.Tables(t, "package") {
			d.Known(e, "toolchain.package", "name", "version", "arch", "digest", "path", "format")
			p := Package{Name: d.text(e, "name", "toolchain.package"), Version: d.text(e, "version", "toolchain.package"),
				Arch: d.text(e, "arch", "toolchain.package"), Digest: d.digest(e, "digest", "toolchain.package"), Path: d.text(e, "path", "toolchain.package"), Format: d.String(e, "format")}
			if why := badPath(p.Path); d.Err() == nil && why != "" {
				d.Fail(e.Get("path").Errorf("path %q %s", p.Path, why))
			}
			if d.Err() == nil && p.Digest.Size < 0 {
				d.Fail(e.Get("digest").Errorf("digest of %s has no size", p.Name))
			}
			d.once(pkgs, e, "package", p.Name, p.Version, p.Arch)
			tc.Packages = append(tc.Packages, p)
		}
		f.Toolchains = append(f.Toolchains, tc)
	}
}

// badPath says why a package's path cannot be one: it is looked up below a
// prefix from the configuration and must not be able to leave it.
func badPath(p string) string {
	switch {
	case strings.Contains(p, "://"):
		return "is a location; want a path without host, prefixes live in the configuration"
	case strings.HasPrefix(p, "/"), strings.Contains(p, `\`):
		return "is not relative"
	}
	for _, c := range strings.Split(p, "/") {
		if c == ".." || c == "." || c == "" {
			return "is not clean"
		}
	}
	return ""
}

// once refuses the second item of a name.
func (d *decoder) once(seen map[string]bool, t *tomldoc.Node, what string, id ...string) {
	key := strings.Join(id, " ")
	if seen[key] {
		d.Fail(t.Errorf("%s %s appears twice", what, key))
	}
	seen[key] = true
}

func (d *decoder) crates(root *tomldoc.Node, f *File) {
	seen := map[string]bool{}
	for _, t := range d.Tables(root, "crate") {
		d.Known(t, "crate", "name", "version", "source", "digest", "for")
		c := Crate{Name: d.text(t, "name", "crate"), Version: d.text(t, "version", "crate"), Source: d.String(t, "source"),
			Digest: d.digest(t, "digest", "crate"), For: d.Strings(t, "for")}
		d.once(seen, t, "crate", c.Name, c.Version, c.Source)
		if d.Err() == nil && !validFor(c.For) {
			d.Fail(t.Errorf(`crate %s %s: for must be ["project"], ["std"] or both`, c.Name, c.Version))
		}
		f.Crates = append(f.Crates, c)
	}
}

func validFor(list []string) bool {
	seen := map[string]bool{}
	for _, s := range list {
		if s != "project" && s != "std" || seen[s] {
			return false
		}
		seen[s] = true
	}
	return len(list) > 0
}

func (d *decoder) git(root *tomldoc.Node, f *File) {
	seen := map[string]bool{}
	for _, t := range d.Tables(root, "git") {
		d.Known(t, "git", "url", "ref", "commit", "tree", "crates")
		g := Git{URL: d.text(t, "url", "git"), Ref: d.String(t, "ref"), Commit: d.text(t, "commit", "git"), Tree: d.digest(t, "tree", "git"), Crates: d.Strings(t, "crates")}
		if d.Err() == nil && !isCommit(g.Commit) {
			d.Fail(t.Get("commit").Errorf("commit %q: want a full object id, 40 or 64 lower-case hex digits", g.Commit))
		}
		if d.Err() == nil && !isRef(g.Ref) {
			d.Fail(t.Get("ref").Errorf("ref %q: want rev=…, tag=… or branch=…", g.Ref))
		}
		d.once(seen, t, "git", g.URL, g.Ref, g.Commit)
		f.Git = append(f.Git, g)
	}
}

func isCommit(s string) bool {
	raw, err := hex.DecodeString(s)
	return err == nil && (len(raw) == 20 || len(raw) == 32) && strings.ToLower(s) == s
}

func isRef(s string) bool {
	if s == "" {
		return true
	}
	k, v, ok := strings.Cut(s, "=")
	return ok && v != "" && (k == "rev" || k == "tag" || k == "branch")
}

func (d *decoder) blobs(root *tomldoc.Node, f *File) {
	seen := map[string]bool{}
	for _, t := range d.Tables(root, "blob") {
		d.Known(t, "blob", "name", "digest", "from", "crate")
		b := Blob{Name: d.text(t, "name", "blob"), Digest: d.digest(t, "digest", "blob"), From: d.text(t, "from", "blob")}
		if t.Get("crate") != nil {
			b.Crate = d.digest(t, "crate", "blob")
		}
		d.once(seen, t, "blob", b.Name)
		f.Blobs = append(f.Blobs, b)
	}
}

// absent is the error about a missing lock; it is fs.ErrNotExist.
type absent struct{ text string }

func (e *absent) Error() string { return e.text }
func (e *absent) Unwrap() error { return fs.ErrNotExist }

// Path is where the lock of a project is or will be.
func Path(p *project.Project) string { return filepath.Join(p.Workspace, FileName) }

// Read is Decode of a file. A missing file is fault.Pins with the command that
// makes it.
func Read(path string) (*File, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &fault.Error{Kind: fault.Pins, Hints: []string{"espalier lock"},
			Err: &absent{"no " + filepath.Base(path) + ": run espalier lock (about 230 MB the first time)"}}
	}
	if err != nil {
		return nil, fault.Wrap(fault.Pins, err, "reading "+FileName)
	}
	return Decode(filepath.Base(path), b)
}

// golden reads the tables [[golden]], or the only [golden] of an older lock.
func (d *decoder) golden(root *tomldoc.Node, f *File) {
	list := []*tomldoc.Node{root.Get("golden")}
	switch {
	case list[0] == nil:
		return
	case list[0].Kind != tomldoc.Table:
		list = d.Tables(root, "golden")
	}
	seen := map[string]bool{}
	for _, t := range list {
		d.Known(t, "golden", "firmware", "profile", "action", "elf", "image")
		g := Golden{Firmware: d.String(t, "firmware"), Profile: d.String(t, "profile"), ELF: d.digest(t, "elf", "golden"), Image: d.digest(t, "image", "golden")}
		if t.Get("action") != nil {
			g.Action = d.digest(t, "action", "golden")
		}
		d.once(seen, t, "golden", g.Firmware, g.Profile)
		f.Golden = append(f.Golden, g)
	}
}
