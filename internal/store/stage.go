package store

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/reapi"
)

// treeTime is the modification time of everything in an unpacked tree. Cargo
// compares times of sources and artefacts, so they must not depend on the time
// of unpacking; 0 is not used because some tools take it for "unknown".
var treeTime = time.Unix(1, 0)

// stage is a tree under construction: nodes in memory and, unless dir is empty,
// the files in a directory that nothing else writes to. Symlinks are created
// last, so that no write can follow one.
type stage struct {
	s     *Store
	dir   string // "": only hash
	mtime time.Time

	shared bool // equal files are one with those of other trees

	mu      sync.Mutex
	root    *node
	writers int
	failed  error // the first failure; the stage cannot be used any more
}

type node struct {
	kind       EntryType
	source     string
	digest     Digest
	exec       bool
	ready      bool // a file's digest is known
	target     string
	children   map[string]*node
	duplicates []*node // files for the same path that were added while this one was being written
}

func newStage(s *Store, dir string, mtime time.Time) *stage {
	return &stage{s: s, dir: dir, mtime: mtime, root: &node{kind: TypeDir}}
}

// add adds a node; fresh is false when there is an equal one.
func (g *stage) add(path string, n *node) (have *node, fresh bool, err error) {
	names, err := splitPath(path)
	if err != nil {
		return nil, false, fault.Wrap(fault.Pins, err, "adding an entry of "+nameOf(n.source))
	}
	at := g.root
	for i, name := range names[:len(names)-1] {
		next, there := at.children[name]
		if !there {
			next = &node{kind: TypeDir, source: n.source}
			if err := g.mkdir(strings.Join(names[:i+1], "/")); err != nil {
				return nil, false, err
			}
			at.put(name, next)
		}
		if next.kind != TypeDir {
			return nil, false, conflict(strings.Join(names[:i+1], "/"), next, &node{kind: TypeDir, source: n.source})
		}
		at = next
	}
	last := names[len(names)-1]
	if have, there := at.children[last]; there {
		if have.kind != n.kind || have.kind == TypeSymlink && have.target != n.target {
			return nil, false, conflict(path, have, n)
		}
		return have, false, nil
	}
	if n.kind == TypeDir {
		if err := g.mkdir(path); err != nil {
			return nil, false, err
		}
	}
	at.put(last, n)
	return n, true, nil
}

func (n *node) put(name string, child *node) {
	if n.children == nil {
		n.children = map[string]*node{}
	}
	n.children[name] = child
}

func (g *stage) mkdir(path string) error {
	if g.dir == "" {
		return nil
	}
	return g.s.writing("a directory", os.Mkdir(g.host(path), 0o755))
}

func (g *stage) host(path string) string { return filepath.Join(g.dir, filepath.FromSlash(path)) }

func conflict(path string, a, b *node) error {
	// Two sources give the same text in either order.
	if b.source < a.source {
		a, b = b, a
	}
	return fault.Wrap(fault.Pins, &ConflictError{Path: path, First: a.source, Second: b.source, FirstIs: a.describe(), SecondIs: b.describe()}, "")
}

func (n *node) describe() string {
	switch {
	case n.kind == TypeDir:
		return "directory"
	case n.kind == TypeSymlink:
		return "symlink to " + n.target
	case !n.ready:
		return "file"
	case n.exec:
		return "executable " + n.digest.String()
	}
	return "file " + n.digest.String()
}

// file adds a file with the content that write writes: write gets the host path
// to create, "" when only the digest is needed.
func (g *stage) file(ctx context.Context, path, source string, exec bool, write func(host string) (Digest, error)) (Digest, error) {
	g.mu.Lock()
	if g.failed != nil {
		defer g.mu.Unlock()
		return Digest{}, g.failed
	}
	n := &node{kind: TypeFile, source: source, exec: exec}
	have, fresh, err := g.add(path, n)
	if err != nil {
		g.fail(err)
		g.mu.Unlock()
		return Digest{}, err
	}
	g.writers++
	g.mu.Unlock()

	host := ""
	if fresh && g.dir != "" {
		host = g.host(path)
	}
	d, err := write(host)
	if err == nil && host != "" {
		if err = g.s.writing("a file", setTime(host, g.mtime)); err == nil && g.shared {
			g.s.shareFile(ctx, host, d, exec)
		}
	}

	g.mu.Lock()
	defer g.mu.Unlock()
	g.writers--
	if err != nil {
		g.fail(fmt.Errorf("%s: %w", path, err))
		return Digest{}, err
	}
	n.digest, n.ready = d, true
	if !fresh && !have.ready {
		have.duplicates = append(have.duplicates, n)
		return d, nil
	}
	for _, rival := range append(n.duplicates, n) {
		if rival.digest != have.digest || rival.exec != have.exec {
			err := conflict(path, have, rival)
			g.fail(err)
			return Digest{}, err
		}
	}
	n.duplicates = nil
	return d, nil
}

func (g *stage) fail(err error) { g.failed = cmp.Or(g.failed, err) }

// stream is the usual way to write a file: copy, hash, mode.
func (g *stage) stream(ctx context.Context, r io.Reader, exec bool) func(host string) (Digest, error) {
	return func(host string) (Digest, error) {
		if host == "" {
			return g.s.copyHash(ctx, nil, r, Digest{Size: -1})
		}
		if g.shared {
			// A small file that exists already needs not be written.
			buf := g.s.buffers.Get().(*[]byte)
			defer g.s.buffers.Put(buf)
			n, err := io.ReadFull(r, *buf)
			content := (*buf)[:n]
			if err == io.EOF || err == io.ErrUnexpectedEOF {
				if d := DigestOf(content); g.s.linkShared(host, content, d, exec) {
					return d, nil
				}
				r = bytes.NewReader(content)
			} else if err != nil {
				return Digest{}, err
			} else {
				r = io.MultiReader(bytes.NewReader(content), r)
			}
		}
		f, err := os.OpenFile(host, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return Digest{}, g.s.writing("a file", err)
		}
		d, err := g.s.copyHash(ctx, f, r, Digest{Size: -1})
		if err == nil {
			err = g.s.writing("a file", f.Chmod(fileMode(exec)))
		}
		if closeErr := f.Close(); err == nil {
			err = g.s.writing("a file", closeErr)
		}
		return d, err
	}
}

func fileMode(exec bool) os.FileMode {
	if exec {
		return 0o755
	}
	return 0o644
}

// entry adds a symlink or a directory.
func (g *stage) entry(path string, n *node) error {
	if n.kind == TypeSymlink {
		if err := checkTarget(n.target); err != nil {
			return fault.Wrap(fault.Pins, err, path)
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.failed != nil {
		return g.failed
	}
	_, _, err := g.add(path, n)
	if err != nil {
		g.fail(err)
	}
	return err
}

// finish writes the symlinks, sets the times of directories, and passes every
// Directory message, children first, to keep, which may be nil. It returns the
// root's digest.
func (g *stage) finish(ctx context.Context, keep func(Digest, []byte) error) (Digest, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.failed != nil {
		return Digest{}, g.failed
	}
	if g.writers > 0 {
		return Digest{}, errors.New("store: tree committed while files are being written")
	}
	g.failed = errors.New("store: tree is committed already")
	return g.close(ctx, g.root, "", keep)
}

func (g *stage) close(ctx context.Context, n *node, path string, keep func(Digest, []byte) error) (Digest, error) {
	if err := ctx.Err(); err != nil {
		return Digest{}, context.Cause(ctx)
	}
	dir := &reapi.Directory{}
	for _, name := range slices.Sorted(maps.Keys(n.children)) {
		c, sub := n.children[name], name
		if path != "" {
			sub = path + "/" + name
		}
		switch c.kind {
		case TypeFile:
			dir.Files = append(dir.Files, &reapi.FileNode{Name: name, Digest: c.digest.ToProto(), IsExecutable: c.exec})
		case TypeSymlink:
			dir.Symlinks = append(dir.Symlinks, &reapi.SymlinkNode{Name: name, Target: c.target})
			if g.dir != "" {
				err := os.Symlink(c.target, g.host(sub))
				if err == nil {
					err = setTime(g.host(sub), g.mtime)
				}
				if err != nil {
					return Digest{}, g.s.writing("a symlink", err)
				}
			}
		case TypeDir:
			d, err := g.close(ctx, c, sub, keep)
			if err != nil {
				return Digest{}, err
			}
			dir.Directories = append(dir.Directories, &reapi.DirectoryNode{Name: name, Digest: d.ToProto()})
		}
	}
	b, err := encodeDirectory(dir)
	if err != nil {
		return Digest{}, fmt.Errorf("tree at %q: %w", path, err)
	}
	d := DigestOf(b)
	if keep != nil {
		if err := keep(d, b); err != nil {
			return Digest{}, err
		}
	}
	if g.dir != "" {
		err := os.Chmod(g.host(path), 0o755)
		if err == nil {
			err = setTime(g.host(path), g.mtime)
		}
		if err != nil {
			return Digest{}, g.s.writing("a directory", err)
		}
	}
	return d, nil
}
