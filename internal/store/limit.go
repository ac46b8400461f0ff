package store

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/order"
)

// DefaultLimit is the size of a store unless the user sets another one.
const DefaultLimit = 10_000_000_000

// Trim keeps the store in dir within limit bytes, as GC with Policy.Limit, at
// most once a day and for at most a second: if it is not done then, it goes on
// the next day. It does nothing while another process has the store open, and
// in a store that is not writable.
func Trim(ctx context.Context, dir string, limit int64, now time.Time) (Report, error) {
	stamp := filepath.Join(dir, trimmedName)
	if info, err := os.Lstat(stamp); err == nil {
		// A stamp of the future is of a clock that was wrong.
		if age := now.Sub(info.ModTime()); age >= 0 && age < 24*time.Hour {
			return Report{}, nil
		}
	}
	if info, err := os.Lstat(filepath.Join(dir, blobDir)); err != nil || !info.IsDir() || limit <= 0 {
		return Report{}, nil
	}
	bounded, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	r, err := GC(bounded, dir, Policy{MaxAge: math.MaxInt64, Limit: limit, Now: now})
	if errors.Is(err, ErrInUse) || isReadOnly(err) {
		return Report{}, nil
	}
	if f, stampErr := os.Create(stamp); stampErr == nil {
		f.Close()
		_ = os.Chtimes(stamp, now, now)
	}
	if ctx.Err() == nil && bounded.Err() != nil {
		err = nil
	}
	return r, err
}

// ErrInUse is the error of GC while another process has the store open.
var ErrInUse = errors.New("the store is in use")

// inUse is the error of an operation that needs exclusive access.
func (s *Store) inUse() error {
	return fault.Wrap(fault.Usage, inUseError{s.dir}, "", "espalier gc --wait   # until the other one is done")
}

type inUseError struct{ dir string }

func (e inUseError) Error() string {
	return "the store " + e.dir + " is in use by another espalier process"
}
func (inUseError) Is(target error) bool { return target == ErrInUse }

// blockSize is the unit in which common file systems allocate.
const blockSize = 4096

// onDisk is what a file of a size takes on the disk.
func onDisk(size int64) int64 { return (size + blockSize - 1) &^ (blockSize - 1) }

// unit is content that was used together: a result with its outputs, a tree or
// a blob.
type unit struct {
	used  time.Time
	name  string
	blobs []string
	trees []string
}

// usage measures content; what was counted before counts nothing.
type usage struct {
	g     *collector
	blobs map[string]bool
	trees map[string]bool
	files map[uint64]bool
}

func (g *collector) newUsage() *usage {
	return &usage{g, map[string]bool{}, map[string]bool{}, map[uint64]bool{}}
}

func (u *usage) blob(hash string) int64 {
	info, err := os.Lstat(u.g.s.path(blobDir, hash))
	if err != nil || u.blobs[hash] {
		return 0
	}
	u.blobs[hash] = true
	return onDisk(info.Size())
}

// tree measures an unpacked tree by its seal, which has the size and the inode
// of each file.
func (u *usage) tree(hash string) int64 {
	if u.trees[hash] {
		return 0
	}
	u.trees[hash] = true
	root := Digest{hash, -1}
	folder := u.g.s.treePath(root)
	if _, err := os.Lstat(folder); err != nil {
		return 0
	}
	sl, err := u.g.s.readSeal(root)
	if err != nil {
		if sl, err = record(folder, root, ""); err != nil {
			return 0
		}
	}
	var n int64
	for _, e := range sl.entries {
		switch {
		case !e.isFile():
			n += blockSize // a directory; symlinks take less
		case e.inode == 0:
			n += onDisk(e.size)
		case !u.files[e.inode]:
			u.files[e.inode] = true
			n += onDisk(e.size)
		}
	}
	return n
}

// overLimit returns the time of last use up to which unpinned content has to
// go, so that the rest is within the limit; the zero time when all of it fits.
// Content that was used at the same time stays or goes together.
func (g *collector) overLimit(ctx context.Context) (time.Time, error) {
	units, err := g.units(ctx)
	if err != nil {
		return time.Time{}, err
	}
	u := g.newUsage()
	var sum int64
	for hash := range g.pinned {
		sum += u.blob(hash) + u.tree(hash)
	}
	for _, n := range units {
		if err := ctx.Err(); err != nil {
			return time.Time{}, context.Cause(ctx)
		}
		for _, hash := range n.blobs {
			sum += u.blob(hash)
		}
		for _, hash := range n.trees {
			sum += u.tree(hash)
		}
		if sum > g.p.Limit {
			return n.used, nil
		}
	}
	return time.Time{}, nil
}

// units lists everything by its last use, the latest first.
func (g *collector) units(ctx context.Context) ([]unit, error) {
	var out []unit
	for _, name := range []string{resultDir, privateDir} {
		err := g.each(name, func(e fs.DirEntry, info fs.FileInfo) error {
			n := unit{used: g.used(info.ModTime()), name: e.Name()}
			r, err := g.s.readResult(e.Name(), name == resultDir)
			if err != nil {
				return nil
			}
			blobs, trees, err := outputs(r)
			if err != nil {
				return nil
			}
			for _, d := range blobs {
				n.blobs = append(n.blobs, d.Hash)
			}
			for _, d := range trees {
				n.trees = append(n.trees, d.Hash)
			}
			out = append(out, n)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	err := g.each(treeDir, func(e fs.DirEntry, _ fs.FileInfo) error {
		out = append(out, unit{used: g.used(g.treeUsed(e.Name())), name: e.Name(), trees: []string{e.Name()}})
		return ctx.Err()
	})
	if err != nil {
		return nil, err
	}
	err = g.each(blobDir, func(e fs.DirEntry, info fs.FileInfo) error {
		out = append(out, unit{used: g.used(info.ModTime()), name: e.Name(), blobs: []string{e.Name()}})
		return ctx.Err()
	})
	order.Sort(out, func(a, b unit) int {
		return cmp.Or(b.used.Compare(a.used), strings.Compare(a.name, b.name))
	})
	return out, err
}

// keep adds content to the report.
func (g *collector) keep(what Content, hash string, size int64) {
	why := RecentlyUsed
	if g.pinned[hash] {
		why = Pinned
	}
	i := slices.IndexFunc(g.report.Kept, func(k Kept) bool { return k.What == what && k.Why == why })
	if i < 0 {
		i = len(g.report.Kept)
		g.report.Kept = append(g.report.Kept, Kept{What: what, Why: why})
	}
	g.report.Kept[i].Count++
	g.report.Kept[i].Bytes += size
}

// keepTrees reports the trees that stay, the pinned ones first.
func (g *collector) keepTrees() error {
	u := g.newUsage()
	for _, pinned := range []bool{true, false} {
		err := g.each(treeDir, func(e fs.DirEntry, _ fs.FileInfo) error {
			if g.live[e.Name()] && g.pinned[e.Name()] == pinned {
				g.keep(Unpacked, e.Name(), u.tree(e.Name()))
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	order.Sort(g.report.Kept, func(a, b Kept) int {
		return cmp.Or(strings.Compare(string(a.Why), string(b.Why)), strings.Compare(string(a.What), string(b.What)))
	})
	return nil
}

// Usage returns the size of the store in bytes, as blocks on the disk: blobs and
// unpacked trees, without unfinished files.
func (s *Store) Usage() (int64, error) {
	quiet := &Store{dir: s.dir, readOnly: s.readOnly, gc: true}
	g := &collector{s: quiet}
	u := g.newUsage()
	var sum int64
	err := g.each(blobDir, func(e fs.DirEntry, info fs.FileInfo) error {
		sum += onDisk(info.Size())
		return nil
	})
	if err == nil {
		err = g.each(treeDir, func(e fs.DirEntry, _ fs.FileInfo) error {
			sum += u.tree(e.Name())
			return nil
		})
	}
	return sum, err
}
