package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"golang.org/x/sync/errgroup"
)

// ImportOptions are the options of ImportDir.
type ImportOptions struct {
	// Filter selects the entries of the tree by slash-separated path relative
	// to the directory; false for a directory skips everything below it. nil
	// selects everything.
	Filter func(path string, info fs.FileInfo) bool
	// Rewrite returns the content that a file has in the tree, when it is not
	// the file's own. It must depend on the path and the content alone, and may
	// be called more than once. nil rewrites nothing.
	Rewrite func(path string, content io.ReaderAt, size int64) (r io.Reader, ok bool)
	// Move moves the files instead of copying them, for outputs that are not
	// needed any longer at their old paths. Across file systems, and for files
	// with other hard links, it copies. The caller removes the rest of the
	// directory.
	Move bool
}

// ImportDir makes a tree of a host directory: regular files with their
// executable bit, directories, symlinks; owners, times and other mode bits are
// dropped, and anything else (sockets, devices) is an error. The directory must
// not change meanwhile. When the tree is in the store already, nothing is
// written.
func (s *Store) ImportDir(ctx context.Context, hostDir string, o ImportOptions) (Digest, error) {
	if !o.Move {
		// Hashing first avoids copying an unchanged directory, the usual case
		// for sources.
		g := newStage(s, "", treeTime)
		if err := g.load(ctx, hostDir, o); err != nil {
			return Digest{}, err
		}
		root, err := g.finish(ctx, func(d Digest, b []byte) error {
			if !s.Has(d) && d != emptyDir {
				return ErrMissing
			}
			return nil
		})
		if err == nil && s.sealed(ctx, root) {
			return root, nil
		}
		if err != nil && !errors.Is(err, ErrMissing) {
			return Digest{}, err
		}
	}
	b, err := s.NewTree()
	if err != nil {
		return Digest{}, err
	}
	defer b.Close()
	if err := b.stage.load(ctx, hostDir, o); err != nil {
		return Digest{}, err
	}
	return b.Commit(ctx)
}

// load adds everything below hostDir.
func (g *stage) load(ctx context.Context, hostDir string, o ImportOptions) error {
	info, err := os.Lstat(hostDir)
	if err == nil && !info.IsDir() {
		err = &fs.PathError{Op: "import", Path: hostDir, Err: errors.New("not a directory")}
	}
	if err != nil {
		return err
	}
	links := &hardLinks{files: map[[2]uint64]*linkedFile{}}
	var work errgroup.Group
	work.SetLimit(runtime.GOMAXPROCS(0))
	err = filepath.WalkDir(hostDir, func(host string, e fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil || host == hostDir {
			return err
		}
		rel, err := filepath.Rel(hostDir, host)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		info, err := e.Info()
		if err != nil {
			return err
		}
		if o.Filter != nil && !o.Filter(rel, info) {
			if e.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		switch info.Mode().Type() {
		case fs.ModeDir:
			return g.entry(rel, &node{kind: TypeDir, source: hostDir})
		case fs.ModeSymlink:
			target, err := os.Readlink(host)
			if err != nil {
				return err
			}
			return g.entry(rel, &node{kind: TypeSymlink, source: hostDir, target: target})
		case 0:
			work.Go(func() error { return g.take(ctx, rel, host, info, o, links) })
			return nil
		}
		return fmt.Errorf("%s: is a %s, a tree has files, directories and symlinks only", host, info.Mode().Type())
	})
	if workErr := work.Wait(); err == nil {
		err = workErr
	}
	return err
}

// hardLinks preserves hard links in the unpacked directory of a tree, although
// the tree itself has none. Cargo gives its build scripts two names and checks
// whether they are one file; if not, it links them again, which copies each of
// them on an overlay.
type hardLinks struct {
	mu    sync.Mutex
	files map[[2]uint64]*linkedFile
}

type linkedFile struct {
	mu     sync.Mutex
	host   string // of the first name in the stage; "" until it is written
	digest Digest
}

func (l *hardLinks) of(info fs.FileInfo) *linkedFile {
	id, ok := fileID(info)
	if !ok || linkCount(info) == 1 {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.files[id]
	if f == nil {
		f = &linkedFile{}
		l.files[id] = f
	}
	return f
}

// write links to the first name, or writes the file.
func (f *linkedFile) write(to string, first func(string) (Digest, error)) (Digest, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.host != "" && os.Link(f.host, to) == nil {
		return f.digest, nil
	}
	d, err := first(to)
	if err == nil && f.host == "" {
		f.host, f.digest = to, d
	}
	return d, err
}

// take adds one host file.
func (g *stage) take(ctx context.Context, rel, host string, info fs.FileInfo, o ImportOptions, links *hardLinks) error {
	exec := info.Mode()&0o111 != 0
	f, err := openNoFollow(host)
	if err != nil {
		return err
	}
	defer f.Close()
	write := g.stream(ctx, f, exec)
	var other io.Reader
	rewritten := false
	if o.Rewrite != nil {
		other, rewritten = o.Rewrite(rel, f, info.Size())
	}
	if rewritten {
		write = g.stream(ctx, other, exec)
	} else if o.Move && linkCount(info) == 1 {
		write = func(to string) (Digest, error) {
			err := os.Rename(host, to)
			if isCrossDevice(err) {
				return g.stream(ctx, f, exec)(to)
			}
			if err != nil {
				return Digest{}, g.s.writing("a file", err)
			}
			if err := f.Chmod(fileMode(exec)); err != nil {
				return Digest{}, g.s.writing("a file", err)
			}
			return g.s.copyHash(ctx, nil, f, Digest{Size: -1})
		}
	}
	if f := links.of(info); f != nil && g.dir != "" {
		first := write
		write = func(to string) (Digest, error) {
			if to == "" {
				return first(to)
			}
			return f.write(to, first)
		}
	}
	_, err = g.file(ctx, rel, filepath.Dir(host), exec, write)
	return err
}
