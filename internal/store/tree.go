package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// treeState is the state of one unpacked tree in this process.
type treeState struct {
	build sync.Mutex // held while it is unpacked again
	mu    sync.Mutex
	good  atomic.Bool // verified once by this process
}

func (s *Store) state(root Digest) *treeState {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.trees[root.Hash]
	if st == nil {
		st = &treeState{}
		s.trees[root.Hash] = st
	}
	return st
}

// TreePath returns the host directory of a tree: files 0644 or 0755,
// directories 0755, every modification time one second after the epoch. The
// directory is compared with its seal once per process. It is read-only, and
// must not be hard linked from: its files are shared with other trees.
//
// A directory that is missing or damaged is unpacked again when the store still
// has all of its content; otherwise the error is ErrMissing, and the caller has
// to make the tree again.
func (s *Store) TreePath(ctx context.Context, root Digest) (string, error) {
	if err := checkHash(root.Hash); err != nil {
		return "", err
	}
	st := s.state(root)
	st.build.Lock()
	defer st.build.Unlock()
	err := s.check(ctx, root)
	if err == nil {
		return s.treePath(root), nil
	}
	if !errors.Is(err, ErrMissing) && !errors.Is(err, ErrCorrupt) || s.readOnly {
		return "", err
	}
	if err := s.unpack(ctx, root); err != nil {
		if errors.Is(err, ErrMissing) || errors.Is(err, ErrCorrupt) {
			return "", missing("tree", root)
		}
		return "", err
	}
	return s.treePath(root), nil
}

// Unverified returns the directory of a tree that was correct when it was
// sealed and has not been compared with its seal since. A caller that uses it
// must call Confirm before results that depend on it are used.
func (s *Store) Unverified(root Digest) (folder string, ok bool) {
	if checkHash(root.Hash) != nil {
		return "", false
	}
	for _, p := range []string{s.path(sealDir, root.Hash), s.treePath(root)} {
		if _, err := os.Lstat(p); err != nil {
			return "", false
		}
	}
	return s.treePath(root), true
}

// Confirm compares the directory of a tree with its seal, once per process. It
// repairs nothing: it also returns false for a tree that has not been used
// since the machine was started. TreePath handles these cases.
func (s *Store) Confirm(root Digest) bool {
	st := s.state(root)
	st.mu.Lock()
	defer st.mu.Unlock()
	if !st.good.Load() && s.sealHolds(context.Background(), root) {
		st.good.Store(true)
	}
	return st.good.Load()
}

// HasTree reports whether TreePath would return the directory without
// unpacking.
func (s *Store) HasTree(ctx context.Context, root Digest) bool {
	return checkHash(root.Hash) == nil && s.sealed(ctx, root)
}

func (s *Store) treePath(root Digest) string { return s.path(treeDir, root.Hash) }

func (s *Store) sealed(ctx context.Context, root Digest) bool { return s.check(ctx, root) == nil }

// check verifies the directory of a tree: by its seal, else by hashing all of
// it. A damaged one is moved to quarantine.
func (s *Store) check(ctx context.Context, root Digest) error {
	st := s.state(root)
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.good.Load() {
		return nil
	}
	err := s.checkFolder(ctx, root)
	st.good.Store(err == nil)
	return err
}

func (s *Store) checkFolder(ctx context.Context, root Digest) error {
	if _, err := os.Lstat(s.treePath(root)); errors.Is(err, fs.ErrNotExist) {
		return missing("tree", root)
	} else if err != nil {
		return err
	}
	if s.sealHolds(ctx, root) {
		return nil
	}
	unlock, err := s.lockTree(ctx, root)
	if err != nil {
		return err
	}
	defer unlock()
	return s.recheck(ctx, root)
}

// sealHolds compares the directory of a tree with its seal. Files that only
// have another ctime are hashed, and the seal is written again: other trees
// that share them may have been added or removed (share.go).
func (s *Store) sealHolds(ctx context.Context, root Digest) bool {
	sl, err := s.readSeal(root)
	if err != nil || sl.boot != "" && sl.boot != bootID() {
		return false
	}
	differ, ok := sl.compare(s.treePath(root))
	if !ok || len(differ) == 0 {
		return ok
	}
	digests, err := s.digests(ctx, root)
	if err != nil || !s.relinked(ctx, s.treePath(root), sl, differ, digests) {
		return false
	}
	if !s.readOnly {
		_ = s.writeSeal(sl) // otherwise the files are hashed again the next time
	}
	return true
}

// recheck handles a directory that does not match its seal; the caller holds
// its lock. The previous holder of the lock may have repaired it already.
func (s *Store) recheck(ctx context.Context, root Digest) error {
	if _, err := os.Lstat(s.treePath(root)); errors.Is(err, fs.ErrNotExist) {
		return missing("tree", root)
	}
	if s.sealHolds(ctx, root) {
		return nil
	}
	return s.hashDir(ctx, root)
}

// lockTree ensures that one process at a time handles an unverified directory:
// two would move each other's repaired one to quarantine.
func (s *Store) lockTree(ctx context.Context, root Digest) (unlock func(), err error) {
	if s.readOnly {
		return func() {}, nil
	}
	f, err := os.OpenFile(s.path(sealDir, root.Hash+".lock"), os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, s.writing("a lock", err)
	}
	if err := waitLock(ctx, f, true); err != nil {
		f.Close()
		return nil, err
	}
	return func() { f.Close() }, nil
}

// VerifyTree hashes every file of an unpacked tree again, regardless of its
// seal. The error is ErrMissing when it is not unpacked, and ErrCorrupt when it
// does not match its name; it is in quarantine then.
func (s *Store) VerifyTree(ctx context.Context, root Digest) error {
	if err := checkHash(root.Hash); err != nil {
		return err
	}
	st := s.state(root)
	st.mu.Lock()
	defer st.mu.Unlock()
	st.good.Store(false)
	unlock, err := s.lockTree(ctx, root)
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := os.Lstat(s.treePath(root)); err != nil {
		return missing("tree", root)
	}
	err = s.hashDir(ctx, root)
	st.good.Store(err == nil)
	return err
}

// hashDir computes the digest of a directory, corrects modes and times if
// only those have changed, and writes a new seal. It also stores missing
// Directory messages. The caller holds the tree's lock.
func (s *Store) hashDir(ctx context.Context, root Digest) error {
	folder := s.treePath(root)
	before := bootID()
	if sl, err := s.readSeal(root); err == nil && sl.boot != before {
		before = "" // the content that is read now has survived a boot
	}
	err := s.normalise(folder)
	var sl *seal
	if err == nil {
		sl, err = record(folder, root, before)
	}
	if errors.Is(err, fs.ErrNotExist) { // possible only without the lock, in a read-only store
		return missing("tree", root)
	}
	if err != nil {
		return err
	}
	messages := map[Digest][]byte{}
	g := newStage(s, "", treeTime)
	err = g.load(ctx, folder, ImportOptions{})
	var got Digest
	if err == nil {
		got, err = g.finish(ctx, func(d Digest, b []byte) error { messages[d] = b; return nil })
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	switch {
	case err == nil && (got.Hash != root.Hash || root.Size >= 0 && got.Size != root.Size):
		err = fmt.Errorf("its content is %s", got)
	case err == nil:
		differ, ok := sl.compare(folder)
		digests := map[string]Digest{}
		g.root.files("", digests)
		if !ok || !s.relinked(ctx, folder, sl, differ, digests) {
			err = errors.New("it changed while it was read")
		}
	}
	if err != nil {
		s.dropTree(root)
		return corrupt("tree", root, err.Error())
	}
	if s.readOnly {
		return nil
	}
	keep := s.keepDirectory(ctx)
	for d, b := range messages {
		if err := keep(d, b); err != nil {
			return err
		}
	}
	sl.root = got
	return s.writeSeal(sl)
}

// normalise restores modes and times, which are not content and which copying a
// store loses.
func (s *Store) normalise(folder string) error {
	var later []string
	err := filepath.WalkDir(folder, func(host string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		want := fileMode(info.Mode()&0o111 != 0)
		if e.IsDir() {
			want = 0o755
		}
		if e.Type()&fs.ModeSymlink == 0 && info.Mode()&(fs.ModePerm|fs.ModeSetuid|fs.ModeSetgid|fs.ModeSticky) != want {
			if err := os.Chmod(host, want); err != nil {
				return s.writing("the mode of a file", err)
			}
		}
		if !info.ModTime().Equal(treeTime) {
			if e.IsDir() {
				later = append(later, host)
				return nil
			}
			return s.writing("the time of a file", setTime(host, treeTime))
		}
		return nil
	})
	for _, dir := range later {
		if err == nil {
			err = s.writing("the time of a directory", setTime(dir, treeTime))
		}
	}
	return err
}

// dropTree moves a damaged directory away; the caller holds the tree's lock.
func (s *Store) dropTree(root Digest) {
	if s.readOnly {
		return
	}
	os.Remove(s.path(sealDir, root.Hash))
	s.distrustOthers(s.treePath(root))
	s.quarantine(s.treePath(root))
}

// install renames a complete directory to its final name and seals it. If
// another process was faster, its directory is kept, unless it is damaged.
func (s *Store) install(ctx context.Context, staging string, root Digest) error {
	st := s.state(root)
	st.mu.Lock()
	defer st.mu.Unlock()
	st.good.Store(false)
	unlock, err := s.lockTree(ctx, root)
	if err != nil {
		return err
	}
	defer unlock()
	folder := s.treePath(root)
	for range 3 {
		err := os.Rename(staging, folder)
		if err == nil {
			sl, err := record(folder, root, bootID())
			if err == nil {
				err = s.writeSeal(sl)
			}
			st.good.Store(err == nil)
			return err
		}
		if !isNotEmpty(err) {
			return s.writing("tree "+root.String(), err)
		}
		err = s.recheck(ctx, root)
		if err == nil {
			st.good.Store(st.good.Load() || s.sealHolds(ctx, root))
			return removeTree(staging)
		}
		if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrMissing) {
			return err
		}
	}
	return fmt.Errorf("store: tree %s cannot replace a damaged directory of that name", root)
}

// unpack makes the directory of a tree from content of the store: blobs, or
// files of other unpacked trees.
func (s *Store) unpack(ctx context.Context, root Digest) error {
	b, err := s.NewTree()
	if err != nil {
		return err
	}
	defer b.Close()
	if err := s.fill(ctx, b.stage, root); err != nil {
		return err
	}
	got, err := b.stage.finish(ctx, nil)
	if err != nil {
		return err
	}
	if got.Hash != root.Hash {
		return corrupt("tree", root, "unpacking it gave "+got.String())
	}
	return s.install(ctx, b.stage.dir, got)
}

// fill adds a whole tree to a stage, several files concurrently.
func (s *Store) fill(ctx context.Context, g *stage, root Digest) error {
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(4)
	err := s.Walk(ctx, root, func(e Entry) error {
		switch {
		case e.Path == "":
			return nil
		case e.Type == TypeDir:
			return g.entry(e.Path, &node{kind: TypeDir})
		case e.Type == TypeSymlink:
			return g.entry(e.Path, &node{kind: TypeSymlink, target: e.Target})
		}
		work.Go(func() error {
			r, err := s.Open(ctx, e)
			if err != nil {
				return err
			}
			_, err = g.file(ctx, e.Path, "", e.Executable, g.stream(ctx, r, e.Executable))
			if closeErr := r.Close(); err == nil {
				err = closeErr
			}
			return err
		})
		return nil
	})
	if workErr := work.Wait(); workErr != nil {
		return workErr // the cause; Walk may only have the error of the cancelled context
	}
	return err
}
