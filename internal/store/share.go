package store

import (
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// Equal files of unpacked trees are one file on disk: each file of a tree is a
// hard link to files/<hash>, or files/<hash>.x when it is executable. Whoever
// adds a link hashes the file before, so that damage does not spread.
//
// Adding or removing a link changes the ctime of the file, and therefore what
// lstat says about it in every tree that has it. A seal tolerates that by
// hashing such a file again (relinked).

// sharedPath returns the name of the shared file with a content and mode.
func (s *Store) sharedPath(d Digest, exec bool) string {
	if exec {
		return s.path(fileDir, d.Hash+".x")
	}
	return s.path(fileDir, d.Hash)
}

// shareFile replaces host, a complete file of a tree under construction, by a link
// to the shared file of that content, or makes it the shared file. It is best
// effort: a file that cannot be shared, on a file system without hard links for
// example, stays as it is.
func (s *Store) shareFile(ctx context.Context, host string, d Digest, exec bool) {
	if !canShare || d.Size == 0 {
		return
	}
	shared := s.sharedPath(d, exec)
	for range 2 {
		err := os.Link(host, shared)
		if !errors.Is(err, fs.ErrExist) {
			return
		}
		switch have, good := s.sharedIsGood(ctx, shared, d, exec); {
		case ctx.Err() != nil || have == nil:
			return
		case !good:
			s.quarantineShared(shared, have)
			continue
		}
		if err := s.replaceByLink(shared, host); isTooManyLinks(err) {
			_ = s.replaceByLink(host, shared) // the next files are linked to this one
		}
		return
	}
}

// linkShared makes host a link to the shared file of a content, if there is one
// and it is good. The caller has the content in memory.
func (s *Store) linkShared(host string, content []byte, d Digest, exec bool) bool {
	if !canShare || d.Size == 0 {
		return false
	}
	shared := s.sharedPath(d, exec)
	if info, err := os.Lstat(shared); err != nil || !info.Mode().IsRegular() || info.Size() != d.Size || info.Mode().Perm() != fileMode(exec) {
		return false
	}
	// A damaged one is handled by shareFile, after the content has been written.
	have, err := os.ReadFile(shared)
	return err == nil && string(have) == string(content) && os.Link(shared, host) == nil
}

// OpenShared opens the file that trees share with the content and mode of an entry,
// verified while it is read. A new tree starts with such files; Open does not
// use them, so that a tree depends on its own content only.
func (s *Store) OpenShared(ctx context.Context, e Entry) (*Reader, error) {
	path := s.sharedPath(e.Digest, e.Executable)
	f, err := openNoFollow(path)
	if err != nil {
		return nil, missing("file "+e.Path, e.Digest)
	}
	have, err := f.Stat()
	if err != nil || !have.Mode().IsRegular() || have.Size() != e.Digest.Size {
		f.Close()
		return nil, missing("file "+e.Path, e.Digest)
	}
	return s.newReader(ctx, f, e.Digest, "file "+e.Path, func() { s.quarantineShared(path, have) })
}

// sharedIsGood hashes a shared file; have is nil when it does not exist.
func (s *Store) sharedIsGood(ctx context.Context, path string, d Digest, exec bool) (have fs.FileInfo, good bool) {
	f, err := openNoFollow(path)
	if err != nil {
		have, _ = os.Lstat(path)
		return have, false
	}
	defer f.Close()
	if have, err = f.Stat(); err != nil {
		return nil, false
	}
	if have.Size() != d.Size || have.Mode() != fileMode(exec) {
		return have, false
	}
	got, err := s.copyHash(ctx, nil, f, Digest{Size: -1})
	return have, err == nil && got == d
}

// replaceByLink makes to a link to from, in one step.
func (s *Store) replaceByLink(from, to string) error {
	a, err1 := os.Lstat(from)
	b, err2 := os.Lstat(to)
	if err := errors.Join(err1, err2); err != nil || os.SameFile(a, b) {
		return err
	}
	temp := s.path(tempDir, "link-"+strconv.FormatUint(rand.Uint64(), 36))
	if err := os.Link(from, temp); err != nil {
		return err
	}
	if err := os.Rename(temp, to); err != nil {
		os.Remove(temp)
		return err
	}
	return nil
}

// quarantineShared moves a damaged shared file away. The trees that have a link
// to it are damaged, too: they are hashed before they are used again.
func (s *Store) quarantineShared(path string, have fs.FileInfo) {
	s.quarantine(path)
	if id, ok := fileID(have); ok {
		s.distrust(map[uint64]bool{id[1]: true})
	}
}

// distrust removes the seals of all trees that have one of the files, by inode.
func (s *Store) distrust(inodes map[uint64]bool) {
	if s.readOnly || len(inodes) == 0 {
		return
	}
	seals, err := os.ReadDir(s.path(sealDir))
	if err != nil {
		return
	}
	for _, e := range seals {
		root := Digest{e.Name(), -1}
		if checkHash(root.Hash) != nil {
			continue
		}
		sl, err := s.readSeal(root)
		if err != nil || !sl.has(inodes) {
			continue
		}
		os.Remove(s.path(sealDir, root.Hash))
		s.state(root).good.Store(false)
	}
}

// distrustOthers does so for all files that a damaged directory shares.
func (s *Store) distrustOthers(folder string) {
	inodes := map[uint64]bool{}
	_ = filepath.WalkDir(folder, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return nil
		}
		if info, err := e.Info(); err == nil && linkCount(info) > 1 {
			if id, ok := fileID(info); ok {
				inodes[id[1]] = true
			}
		}
		return nil
	})
	s.distrust(inodes)
}

// relinked hashes the files of a tree of which only the ctime differs from the
// seal, and notes their new ctimes in it. digests has the files of the tree by
// path. It returns false when the content of one is wrong.
func (s *Store) relinked(ctx context.Context, folder string, sl *seal, differ []int, digests map[string]Digest) bool {
	var work errgroup.Group
	work.SetLimit(runtime.GOMAXPROCS(0))
	var wrong atomic.Bool
	for _, i := range differ {
		e := &sl.entries[i]
		work.Go(func() error {
			host := filepath.Join(folder, filepath.FromSlash(e.path))
			want, known := digests[e.path]
			// Taken before the content is read, so that a later change shows.
			now, err := lstat(host)
			if wrong.Load() || !known || err != nil || !now.sameBut(e.meta) {
				wrong.Store(true)
				return nil
			}
			f, err := openNoFollow(host)
			if err != nil {
				wrong.Store(true)
				return nil
			}
			defer f.Close()
			if got, err := s.copyHash(ctx, nil, f, Digest{Size: -1}); err != nil || got.Hash != want.Hash {
				wrong.Store(true)
				return nil
			}
			e.meta = now
			return nil
		})
	}
	_ = work.Wait()
	return !wrong.Load()
}

// digests returns the digests of a tree's files by path.
func (s *Store) digests(ctx context.Context, root Digest) (map[string]Digest, error) {
	out := map[string]Digest{}
	err := s.Walk(ctx, root, func(e Entry) error {
		if e.Type == TypeFile {
			out[e.Path] = e.Digest
		}
		return nil
	})
	return out, err
}

// files adds the digests of the files below n.
func (n *node) files(path string, out map[string]Digest) {
	for name, c := range n.children {
		switch c.kind {
		case TypeFile:
			out[join(path, name)] = c.digest
		case TypeDir:
			c.files(join(path, name), out)
		}
	}
}
