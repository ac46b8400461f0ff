package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"time"
)

// Policy has the rules of GC.
type Policy struct {
	MaxAge time.Duration // unpinned content that was used within MaxAge is kept; 0 keeps pinned content only
	DryRun bool          // count only, remove nothing
	Wait   bool          // wait for other processes until ctx ends instead of returning an error

	// Limit is the size in bytes, as blocks on the disk, that the store should
	// have at most; 0 is no limit. What is not pinned is removed, least recently
	// used first, until the rest fits. Pinned content stays even if it is larger.
	Limit int64

	Now time.Time // zero: the machine's clock
}

// Report has what GC removed, or would remove.
type Report struct {
	Freed       int64 // bytes of file content
	Blobs       int
	Trees       int // unpacked directories
	Results     int
	Roots       int // with an origin that no longer exists
	Partials    int // unfinished downloads
	Quarantined int
	Temporary   int // left by killed processes
	Kept        []Kept
}

// Kept is content that stays, and the reason.
type Kept struct {
	What  Content
	Why   Reason
	Count int
	Bytes int64 // on the disk; what several trees share counts once, for the first reason
}

// Content is a kind of content of a store.
type Content string

// Kinds of content.
const (
	Blobs    Content = "blobs"
	Unpacked Content = "unpacked trees"
)

// Reason is why content stays.
type Reason string

// Reasons.
const (
	Pinned       Reason = "pinned"        // by a root or the OCI index
	RecentlyUsed Reason = "recently used" // within MaxAge and Limit
)

// Size is the sum of what is kept, in bytes.
func (r Report) Size() int64 {
	var n int64
	for _, k := range r.Kept {
		n += k.Bytes
	}
	return n
}

// GC removes content that is no longer needed from the store in dir. It needs
// exclusive access: if another process or this one has the store open, that is
// a fault, or GC waits. Only a dry run works while others have the store open;
// it does not count their unfinished files. Pinned content is never removed; a
// root that cannot be read is an error before anything is removed. GC may be
// killed at any time.
func GC(ctx context.Context, dir string, p Policy) (Report, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return Report{}, err
	}
	s := &Store{dir: abs, gc: true, trees: map[string]*treeState{}}
	s.buffers.New = newBuffer
	if err := s.openLock(); err != nil {
		return Report{}, s.writing("its lock", err)
	}
	defer s.Close()
	alone := true
	if p.Wait && !p.DryRun {
		err = waitLock(ctx, s.lock, true)
	} else if alone, err = tryLock(s.lock, true); err == nil && !alone {
		if p.DryRun { // with a shared lock, like any reader
			err = waitLock(ctx, s.lock, false)
		} else {
			err = s.inUse()
		}
	}
	if err != nil {
		return Report{}, err
	}
	if err := s.create(); err != nil {
		return Report{}, s.writing("its directories", err)
	}
	if p.Now.IsZero() {
		p.Now = time.Now()
	}
	g := &collector{s: s, p: p, alone: alone, live: map[string]bool{}, liveResults: map[string]bool{}, walked: map[string]bool{}, unlinked: map[uint64]uint64{}}
	if err := g.mark(ctx); err != nil {
		return Report{}, fmt.Errorf("nothing was removed: %w", err)
	}
	return g.report, g.sweep(ctx)
}

// abandonedAge is the age after which a root without its origin pins nothing,
// whatever MaxAge is.
const abandonedAge = 30 * 24 * time.Hour

// collector is the state of one GC.
type collector struct {
	s      *Store
	p      Policy
	alone  bool // no other process has the store open
	report Report

	notAfter time.Time // unpinned content that was last used then, or before, is over the limit

	live        map[string]bool // hashes of blobs and of unpacked trees
	liveResults map[string]bool // action hashes
	walked      map[string]bool // Directory hashes whose children have been marked
	pinned      map[string]bool // those of live that a root names

	unlinked map[uint64]uint64 // by inode: links of shared files that trees lose
}

// young reports whether content that was used at t is kept although nothing
// pins it. A time in the future, of a clock that was wrong, counts as now.
func (g *collector) young(t time.Time) bool {
	t = g.used(t)
	return g.p.Now.Sub(t) < g.p.MaxAge && t.After(g.notAfter)
}

func (g *collector) used(t time.Time) time.Time {
	if t.After(g.p.Now) {
		return g.p.Now
	}
	return t
}

// mark finds everything that must be kept.
func (g *collector) mark(ctx context.Context) error {
	err := g.s.eachRoot(func(r Root, set time.Time) error {
		if g.p.Now.Sub(set) >= min(g.p.MaxAge, abandonedAge) {
			if _, err := os.Lstat(r.Origin); r.Origin == "" || errors.Is(err, fs.ErrNotExist) {
				g.report.Roots++
				if !g.p.DryRun {
					return g.s.DropRoot(r.Name)
				}
				return nil
			}
		}
		for _, p := range r.Pins {
			switch p.Kind {
			case PinBlob:
				g.live[p.Digest.Hash] = true
			case PinTree:
				if err := g.markTree(ctx, p.Digest, 0); err != nil {
					return err
				}
			case PinResult:
				g.liveResults[p.Digest.Hash] = true
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := g.markIndex(ctx); err != nil {
		return err
	}
	for hash := range g.liveResults {
		for _, hermetic := range []bool{true, false} {
			if err := g.markResult(ctx, hash, hermetic); err != nil {
				return err
			}
		}
	}
	g.pinned = maps.Clone(g.live)
	if g.p.Limit > 0 {
		if g.notAfter, err = g.overLimit(ctx); err != nil {
			return err
		}
	}
	for _, name := range []string{resultDir, privateDir} {
		err := g.each(name, func(e fs.DirEntry, info fs.FileInfo) error {
			if !g.young(info.ModTime()) && !g.liveResults[e.Name()] {
				return nil
			}
			g.liveResults[e.Name()] = true
			return g.markResult(ctx, e.Name(), name == resultDir)
		})
		if err != nil {
			return err
		}
	}
	return g.each(treeDir, func(e fs.DirEntry, info fs.FileInfo) error {
		if g.live[e.Name()] || !g.young(g.treeUsed(e.Name())) {
			return nil
		}
		return g.markTree(ctx, Digest{e.Name(), -1}, 0)
	})
}

// treeUsed is the time of a tree's seal: the directory's own times are
// constant.
func (g *collector) treeUsed(hash string) time.Time {
	if info, err := os.Lstat(g.s.path(sealDir, hash)); err == nil {
		return info.ModTime()
	}
	m, _ := lstat(g.s.path(treeDir, hash))
	return time.Unix(0, m.ctime)
}

// markTree keeps a tree's messages, files and unpacked directories. Missing
// content is not an error.
func (g *collector) markTree(ctx context.Context, root Digest, depth int) error {
	g.live[root.Hash] = true
	if g.walked[root.Hash] || depth > maxDepth {
		return nil
	}
	g.walked[root.Hash] = true
	dir, err := g.s.directory(ctx, root)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if errors.Is(err, ErrMissing) || errors.Is(err, ErrCorrupt) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, f := range dir.Files {
		g.live[f.Digest.Hash] = true
	}
	for _, sub := range dir.Directories {
		if err := g.markTree(ctx, Digest{sub.Digest.Hash, sub.Digest.SizeBytes}, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (g *collector) markResult(ctx context.Context, hash string, hermetic bool) error {
	r, err := g.s.readResult(hash, hermetic)
	if errors.Is(err, ErrCorrupt) || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	blobs, trees, err := outputs(r)
	if err != nil {
		return nil // contains no digest that could be kept
	}
	for _, d := range blobs {
		g.live[d.Hash] = true
	}
	for _, d := range trees {
		if err := g.markTree(ctx, d, 0); err != nil {
			return err
		}
	}
	return nil
}

// each visits the entries of a directory whose names are hashes.
func (g *collector) each(folder string, fn func(fs.DirEntry, fs.FileInfo) error) error {
	entries, err := os.ReadDir(g.s.path(folder))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if checkHash(e.Name()) != nil {
			continue
		}
		info, err := e.Info()
		if err != nil {
			continue // removed meanwhile: a quarantined file
		}
		if err := fn(e, info); err != nil {
			return err
		}
	}
	return nil
}

// sweep removes everything that is not marked. References are removed before
// their content.
func (g *collector) sweep(ctx context.Context) error {
	for _, name := range []string{resultDir, privateDir} {
		err := g.each(name, func(e fs.DirEntry, info fs.FileInfo) error {
			if g.liveResults[e.Name()] {
				return nil
			}
			return g.remove(ctx, filepath.Join(name, e.Name()), &g.report.Results)
		})
		if err != nil {
			return err
		}
	}
	err := g.each(treeDir, func(e fs.DirEntry, _ fs.FileInfo) error {
		if g.live[e.Name()] {
			return nil
		}
		if !g.p.DryRun {
			os.Remove(g.s.path(sealDir, e.Name()))
		}
		return g.remove(ctx, filepath.Join(treeDir, e.Name()), &g.report.Trees)
	})
	if err == nil {
		err = g.sweepFiles(ctx)
	}
	if err != nil {
		return err
	}
	if locks, _ := filepath.Glob(g.s.path(sealDir, "*.lock")); !g.p.DryRun {
		for _, path := range locks {
			os.Remove(path) // no process can hold it during an exclusive gc
		}
	}
	err = g.each(sealDir, func(e fs.DirEntry, _ fs.FileInfo) error {
		if _, err := os.Lstat(g.s.path(treeDir, e.Name())); errors.Is(err, fs.ErrNotExist) && !g.p.DryRun {
			os.Remove(g.s.path(sealDir, e.Name()))
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = g.each(blobDir, func(e fs.DirEntry, info fs.FileInfo) error {
		if g.live[e.Name()] || g.young(info.ModTime()) {
			g.keep(Blobs, e.Name(), onDisk(info.Size()))
			return nil
		}
		return g.remove(ctx, filepath.Join(blobDir, e.Name()), &g.report.Blobs)
	})
	if err == nil {
		err = g.keepTrees()
	}
	if err != nil {
		return err
	}
	if !g.alone {
		return nil // downloads and temporary files may belong to another process
	}
	for folder, count := range map[string]*int{partialDir: &g.report.Partials, quarantineDir: &g.report.Quarantined, tempDir: &g.report.Temporary} {
		entries, err := os.ReadDir(g.s.path(folder))
		if err != nil {
			return err
		}
		for _, e := range entries {
			// The times of files in a quarantined tree are constant.
			m, err := lstat(g.s.path(folder, e.Name()))
			if err != nil || folder != tempDir && g.young(time.Unix(0, max(m.mtime, m.ctime))) {
				continue
			}
			if err := g.remove(ctx, filepath.Join(folder, e.Name()), count); err != nil {
				return err
			}
		}
	}
	return nil
}

// remove deletes a file or a directory. A directory is renamed first, so that
// no reader can find a part of it.
func (g *collector) remove(ctx context.Context, name string, count *int) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	path := g.s.path(name)
	size := g.sizeOf(path)
	*count++
	g.report.Freed += size
	if g.p.DryRun {
		return nil
	}
	info, err := os.Lstat(path)
	if err == nil && info.IsDir() {
		aside := g.s.path(tempDir, "gc-"+filepath.Base(name))
		if filepath.Dir(path) == g.s.path(tempDir) {
			aside = path
		} else if err := os.Rename(path, aside); err != nil {
			return g.s.writing("less", err)
		}
		return removeTree(aside)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing %s: %w", path, err)
	}
	return nil
}

// sizeOf returns the size of a file or directory without the files that it
// shares with others, and counts its links to these.
func (g *collector) sizeOf(path string) int64 {
	var n int64
	_ = filepath.WalkDir(path, func(_ string, e fs.DirEntry, err error) error {
		if err != nil {
			return nil
		}
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() {
			return nil
		}
		if id, ok := fileID(info); ok && linkCount(info) > 1 {
			g.unlinked[id[1]]++
		} else {
			n += info.Size()
		}
		return nil
	})
	return n
}

// sweepFiles removes the shared files that no tree has any more.
func (g *collector) sweepFiles(ctx context.Context) error {
	files, err := os.ReadDir(g.s.path(fileDir))
	if err != nil {
		return err
	}
	for _, e := range files {
		info, err := e.Info()
		if err != nil {
			continue
		}
		links := linkCount(info)
		if id, ok := fileID(info); ok && g.p.DryRun {
			links -= g.unlinked[id[1]]
		}
		if links > 1 {
			continue
		}
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		g.report.Freed += info.Size()
		if !g.p.DryRun {
			if err := os.Remove(g.s.path(fileDir, e.Name())); err != nil {
				return g.s.writing("less", err)
			}
		}
	}
	return nil
}
