package debian

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/order"
	"espalier.dev/espalier/internal/progress"
	"espalier.dev/espalier/internal/store"
	"espalier.dev/espalier/internal/supply/fetch"
)

// Rootfs describes an assembled toolchain tree.
type Rootfs struct {
	Digest    store.Digest // REAPI Directory
	Rustc     string       // upstream version of the package: "1.96.0"
	StdSource string       // absolute path in the tree: "/usr/src/rustc-1.96.0/library"; empty when the library is only there in compiled form
	StdLock   store.Digest // std's Cargo.lock, a file of the tree; zero when absent

	// StdLockPath is the place of StdLock in the tree. Before rustc 1.82 that is
	// the directory above StdSource, and the lock that of the whole compiler.
	StdLockPath string
}

// sysrootSource is the path where rustc expects the sources of its library.
const sysrootSource = "usr/lib/rustlib/src/rust"

// Assemble makes the tree of a locked toolchain: every package is unpacked on
// any core as soon as it is downloaded, and the digest of the result depends on
// the lock only. If tc.Rootfs is set and its tree is present, nothing is done;
// if the result differs from tc.Rootfs, that is a fault.Pins.
func (s *Supplier) Assemble(ctx context.Context, st *store.Store, tc lock.Toolchain, rep progress.Reporter) (Rootfs, error) {
	// The index, a third of the memory used here, is no longer needed.
	s.mu.Lock()
	s.universe, s.suites = nil, nil
	s.mu.Unlock()
	return Assemble(ctx, st, s.client, tc, s.prefixes, s.formats, rep)
}

// Unpacker unpacks packages of another format into the same tree: a toolchain
// can combine Debian's C library, compiler driver and linker with a compiler of
// another distribution.
type Unpacker struct {
	// Unpack writes the content of one package; name is its file name.
	Unpack func(ctx context.Context, name string, open func() (io.ReadCloser, error), to Sink) error
	// Rule is the version of the unpacking rules, like PruneVersion.
	Rule int
	// Prefixes lists the locations of packages, in the order in which they
	// are tried.
	Prefixes []string
	// Hint is the remedy on a machine without a location.
	Hint string
}

// Assemble is Supplier.Assemble with any client; prefixes lists the locations
// for a path, in the order in which they are tried. formats has the unpackers
// of packages that are not Debian's, by lock.Package.Format.
func Assemble(ctx context.Context, st *store.Store, client *fetch.Client, tc lock.Toolchain, prefixes func(path string) []string, formats map[string]Unpacker, rep progress.Reporter) (Rootfs, error) {
	if !tc.Rootfs.IsZero() {
		_, err := st.TreePath(ctx, tc.Rootfs)
		if err == nil {
			return describe(ctx, st, tc, tc.Rootfs)
		}
		if !errors.Is(err, store.ErrMissing) && !errors.Is(err, store.ErrCorrupt) {
			return Rootfs{}, err
		}
	}
	if tc.Prune != PruneVersion {
		return Rootfs{}, fault.New(fault.Pins, fmt.Sprintf("the toolchain in espalier.lock was unpacked by rule %d, and this espalier supports rule %d", tc.Prune, PruneVersion),
			"use the espalier that wrote the lock, or make a new one: espalier lock")
	}
	key := memoKey(tc, formats)
	if tc.Rootfs.IsZero() { // a new lock of packages that were unpacked before
		if root, err := st.Memo(ctx, store.DigestOf(key)); err == nil {
			if _, err := st.TreePath(ctx, root); err == nil {
				return describe(ctx, st, tc, root)
			}
		}
	}
	root, err := assemble(ctx, st, client, tc, "the toolchain", prefixes, formats, rep)
	if errors.Is(err, store.ErrCorrupt) && ctx.Err() == nil {
		// The damaged blob is in quarantine now, and the files unpacked from it
		// cannot be trusted. The second attempt fetches it again.
		root, err = assemble(ctx, st, client, tc, "the toolchain", prefixes, formats, rep)
	}
	if err != nil {
		return Rootfs{}, err
	}
	if err := st.PutMemo(ctx, key, root); err != nil {
		return Rootfs{}, err
	}
	if !tc.Rootfs.IsZero() && root != tc.Rootfs {
		return Rootfs{}, fault.New(fault.Pins, fmt.Sprintf("the unpacked toolchain is %s, and espalier.lock says %s", root, tc.Rootfs),
			"the lock was edited by hand or this is a bug of espalier; make a new lock: espalier lock")
	}
	return describe(ctx, st, tc, root)
}

// memoKey is the memo key of an assembled tree: everything that the tree
// depends on.
func memoKey(tc lock.Toolchain, formats map[string]Unpacker) []byte {
	lines := []string{fmt.Sprintf("debian rootfs, rule %d", PruneVersion)}
	for _, p := range tc.Packages {
		if p.Format == "" {
			lines = append(lines, p.Digest.Hash)
		} else {
			lines = append(lines, fmt.Sprintf("%s %s, rule %d", p.Digest.Hash, p.Format, formats[p.Format].Rule))
		}
	}
	slices.Sort(lines[1:])
	return []byte(strings.Join(lines, "\n") + "\n")
}

// assemble fetches and unpacks the packages of tc; what is their name in
// progress reports.
func assemble(ctx context.Context, st *store.Store, client *fetch.Client, tc lock.Toolchain, what string, prefixes func(string) []string, formats map[string]Unpacker, rep progress.Reporter) (store.Digest, error) {
	// Largest first, so that the largest package is not the last one to start.
	packages := slices.Clone(tc.Packages)
	order.Sort(packages, func(a, b lock.Package) int {
		if a.Digest.Size != b.Digest.Size {
			return int(min(max(b.Digest.Size-a.Digest.Size, -1), 1))
		}
		return strings.Compare(a.Name, b.Name)
	})
	files := make([]fetch.File, len(packages))
	var total int64
	for i, p := range packages {
		other, known := formats[p.Format]
		if p.Format != "" && !known {
			return store.Digest{}, fault.New(fault.Pins, fmt.Sprintf("package %s of espalier.lock has the format %q, which this espalier does not support", p.Name, p.Format),
				"use the espalier that wrote the lock, or make a new one: espalier lock")
		}
		where := other.Prefixes
		if p.Format == "" {
			where = prefixes(p.Path)
		}
		if len(where) == 0 && !st.Has(p.Digest) && p.Format != "" {
			return store.Digest{}, fault.New(fault.Usage, "no location for "+p.Path, other.Hint)
		}
		if len(where) == 0 && !st.Has(p.Digest) {
			return store.Digest{}, fault.New(fault.Usage, "no location for "+p.Path+": this machine has no apt sources and [supply] has no prefixes",
				"name an archive in espalier.toml, for example:\n[supply]\nprefixes = [\"http://<mirror>/debian/\", \"http://<archive of all versions>/debian/\"]", sourcesHint)
		}
		files[i] = fetch.File{Name: p.Name + " " + p.Version, Digest: p.Digest, Path: p.Path, Prefixes: where}
		total += max(p.Digest.Size, 0)
	}
	tree, err := st.NewTree()
	if err != nil {
		return store.Digest{}, err
	}
	defer tree.Close()

	// Two overlapping phases: one is limited by the network, one by the cores.
	fetching := &finishing{Task: rep.Start("fetching "+what, progress.Bytes, total), total: total, left: total}
	fetching.Detail(fmt.Sprintf("%d packages, %d MB", len(files), total/1e6))
	task := rep.Start("unpacking "+what, progress.Bytes, total)
	seen := &pathRecorder{}
	err = client.Fetch(ctx, st, files, fetching, func(ctx context.Context, i int, f fetch.File) error {
		open := func() (io.ReadCloser, error) {
			blob, err := st.Get(ctx, f.Digest)
			if err != nil {
				return nil, err
			}
			return counted{blob, task}, nil
		}
		task.Item(f.Name)
		to := seen.watch(tree.Source(f.Name))
		var err error
		if other, ok := formats[packages[i].Format]; ok && packages[i].Format != "" {
			err = other.Unpack(ctx, path.Base(f.Path), open, to)
		} else {
			err = unpack(ctx, open, to)
		}
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return wrapPins(err, "unpacking "+f.Name)
		}
		return nil
	})
	fetching.Done(err)
	if err == nil {
		err = fixUp(ctx, tree.Source("espalier"), seen)
	}
	var root store.Digest
	if err == nil {
		root, err = tree.Commit(ctx)
	}
	if err == nil {
		task.Detail(fmt.Sprintf("%d packages, %d files", len(files), seen.files()))
	}
	task.Done(err)
	return root, err
}

// finishing ends its progress task when all bytes have been downloaded: the
// call that downloads them continues until everything is unpacked.
type finishing struct {
	progress.Task
	total int64
	mu    sync.Mutex
	left  int64
}

func (f *finishing) Add(n int64) {
	f.Task.Add(n)
	f.mu.Lock()
	f.left -= n
	done := f.total > 0 && f.left <= 0
	f.mu.Unlock()
	if done {
		f.Done(nil)
	}
}

// counted is a package being unpacked whose progress is counted.
type counted struct {
	io.ReadCloser
	task progress.Task
}

func (c counted) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.task.Add(int64(n))
	return n, err
}

// wrapPins adds text to an error and keeps its kind; an error without one
// becomes a fault.Pins.
func wrapPins(err error, text string) error {
	k := fault.KindOf(err)
	if k == fault.Bug {
		k = fault.Pins
	}
	return fault.Wrap(k, err, text)
}

// pathRecorder records the existing paths that fixUp needs, and counts files. It is
// safe for concurrent use.
type pathRecorder struct {
	mu    sync.Mutex
	names map[string]bool
	n     int
}

func (w *pathRecorder) files() int { return w.n }

func (w *pathRecorder) has(name string) bool { return w.names[name] }

// in lists the names in a directory, sorted.
func (w *pathRecorder) in(dir string) []string {
	var list []string
	for n := range w.names {
		if path.Dir(n) == dir {
			list = append(list, path.Base(n))
		}
	}
	slices.Sort(list)
	return list
}

func (w *pathRecorder) see(name string, file bool) {
	dir := path.Dir(name)
	keep := dir == "usr/bin" || dir == "etc" || strings.HasPrefix(dir, "usr/lib/rust-")
	w.mu.Lock()
	defer w.mu.Unlock()
	if file {
		w.n++
	}
	if keep {
		if w.names == nil {
			w.names = map[string]bool{}
		}
		w.names[name] = true
	}
}

func (w *pathRecorder) watch(to Sink) Sink { return watched{w, to} }

type watched struct {
	w  *pathRecorder
	to Sink
}

func (v watched) File(ctx context.Context, name string, exec bool, r io.Reader) (store.Digest, error) {
	v.w.see(name, true)
	return v.to.File(ctx, name, exec, r)
}

func (v watched) Symlink(name, target string) error {
	v.w.see(name, true)
	return v.to.Symlink(name, target)
}

func (v watched) Dir(name string) error { return v.to.Dir(name) }

// StdLockOwn reports whether StdLock is that of the library alone.
func (r Rootfs) StdLockOwn() bool {
	return strings.HasPrefix("/"+r.StdLockPath, r.StdSource+"/")
}

// describe determines the versions and paths of a tree that a build needs.
func describe(ctx context.Context, st *store.Store, tc lock.Toolchain, root store.Digest) (Rootfs, error) {
	r := Rootfs{Digest: root}
	ready, source := false, false
	for _, p := range tc.Packages {
		switch {
		case p.Format != "" && p.Name == "rustc":
			r.Rustc, _, _ = strings.Cut(p.Version, " ")
			ready = true
		case p.Format != "" && p.Name == "rust-src":
			source = true
		case p.Format != "":
		case p.Name == "rustc" || p.Name == "rustc-web" || versionedRustc.MatchString(p.Name):
			r.Rustc = upstreamOf(p.Version)
		}
	}
	if ready && !source {
		return r, nil // the library is present in compiled form
	}
	base, err := followLinks(ctx, st, root, sysrootSource)
	if errors.Is(err, store.ErrMissing) || errors.Is(err, fs.ErrNotExist) {
		// In suites with several compilers, each has a separate sysroot.
		minor := strings.Join(strings.SplitN(r.Rustc, ".", 3)[:min(2, strings.Count(r.Rustc, ".")+1)], ".")
		base, err = followLinks(ctx, st, root, "usr/lib/rust-"+minor+"/lib/rustlib/src/rust")
	}
	if err != nil {
		return Rootfs{}, fault.Wrap(fault.Pins, err, "the toolchain has no sources of the standard library")
	}
	r.StdSource = "/" + base + "/library"
	// The lock moved into library/ with rustc 1.82.
	for _, dir := range []string{base + "/library", base} {
		e, err := st.Lookup(ctx, root, dir+"/Cargo.lock")
		if err == nil && e.Type == store.TypeFile {
			r.StdLock, r.StdLockPath = e.Digest, dir+"/Cargo.lock"
			break
		}
	}
	return r, nil
}

// followLinks resolves symlinks of a tree along a path.
func followLinks(ctx context.Context, st *store.Store, root store.Digest, p string) (string, error) {
	rest := strings.Split(p, "/")
	at := ""
	for hops := 0; len(rest) > 0; {
		next := path.Join(at, rest[0])
		rest = rest[1:]
		e, err := st.Lookup(ctx, root, next)
		if err != nil {
			return "", err
		}
		if e.Type != store.TypeSymlink {
			at = next
			continue
		}
		if hops++; hops > 40 {
			return "", fmt.Errorf("too many symlinks at %s", next)
		}
		full := path.Join("/", at, e.Target)
		rest = append(strings.Split(strings.TrimPrefix(full, "/"), "/"), rest...)
		at = ""
	}
	return at, nil
}
