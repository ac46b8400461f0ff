package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sync/errgroup"
)

// treeState is what this process knows of one unpacked tree.
type treeState struct {
	build sync.Mutex // held while it is unpacked again
	mu    sync.Mutex
	good  bool // checked once by this process
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

// TreePath returns the host folder of a tree: files 0644 or 0755, directories
// 0755, every modification time one second after the epoch. The folder has
// been checked against its seal once in this process. It must only be read,
// and never be hard linked from.
//
// A folder that is missing or damaged is unpacked again when the store still
// has all of its content; otherwise the error is ErrMissing, and whoever knows
// how the tree was made makes it again.
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

// Unverified returns the folder of a tree that was good when it was sealed, and
// has not been looked at since. Who uses it has to Confirm it, before anything
// that depends on it counts.
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

// Confirm compares the folder of a tree with its seal, once in this process.
// It repairs nothing: a tree that it does not confirm may only be one that has
// not been used since the machine was started. TreePath finds that out.
func (s *Store) Confirm(root Digest) bool {
	st := s.state(root)
	st.mu.Lock()
	defer st.mu.Unlock()
	st.good = st.good || s.sealHolds(root)
	return st.good
}

// HasTree reports whether TreePath would return the folder without unpacking.
func (s *Store) HasTree(ctx context.Context, root Digest) bool {
	return checkHash(root.Hash) == nil && s.sealed(ctx, root)
}

func (s *Store) treePath(root Digest) string { return s.path(treeDir, root.Hash) }

func (s *Store) sealed(ctx context.Context, root Digest) bool { return s.check(ctx, root) == nil }

// check finds out whether the folder of a tree can be believed: by its seal,
// else by hashing all of it. A damaged one goes to quarantine.
func (s *Store) check(ctx context.Context, root Digest) error {
	st := s.state(root)
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.good {
		return nil
	}
	err := s.checkFolder(ctx, root)
	st.good = err == nil
	return err
}

func (s *Store) checkFolder(ctx context.Context, root Digest) error {
	if _, err := os.Lstat(s.treePath(root)); errors.Is(err, fs.ErrNotExist) {
		return missing("tree", root)
	} else if err != nil {
		return err
	}
	if s.sealHolds(root) {
		return nil
	}
	unlock, err := s.lockTree(ctx, root)
	if err != nil {
		return err
	}
	defer unlock()
	return s.recheck(ctx, root)
}

func (s *Store) sealHolds(root Digest) bool {
	sl, err := s.readSeal(root)
	return err == nil && (sl.boot == "" || sl.boot == bootID()) && sl.holds(s.treePath(root))
}

// recheck decides about a folder whose seal does not hold; the caller has its
// lock. Whoever had the lock before may have settled it.
func (s *Store) recheck(ctx context.Context, root Digest) error {
	if _, err := os.Lstat(s.treePath(root)); errors.Is(err, fs.ErrNotExist) {
		return missing("tree", root)
	}
	if s.sealHolds(root) {
		return nil
	}
	return s.hashFolder(ctx, root)
}

// lockTree makes sure that one process at a time decides about an unverified
// folder: two would move each other's repaired one to quarantine.
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

// VerifyTree hashes every file of an unpacked tree again, whatever its seal
// says. The error is ErrMissing when it is not unpacked, and ErrCorrupt when
// it is not what its name says; it is in quarantine then.
func (s *Store) VerifyTree(ctx context.Context, root Digest) error {
	if err := checkHash(root.Hash); err != nil {
		return err
	}
	st := s.state(root)
	st.mu.Lock()
	defer st.mu.Unlock()
	st.good = false
	unlock, err := s.lockTree(ctx, root)
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := os.Lstat(s.treePath(root)); err != nil {
		return missing("tree", root)
	}
	err = s.hashFolder(ctx, root)
	st.good = err == nil
	return err
}

// hashFolder computes the digest of a folder, puts modes and times right where
// only they were touched, and writes a new seal. Directory messages that the
// store has lost come back on the way. The caller has the tree's lock.
func (s *Store) hashFolder(ctx context.Context, root Digest) error {
	folder := s.treePath(root)
	before := bootID()
	if sl, err := s.readSeal(root); err == nil && sl.boot != before {
		before = "" // what is read now has survived a boot
	}
	err := s.normalise(folder)
	var sl *seal
	if err == nil {
		sl, err = record(folder, root, before)
	}
	if errors.Is(err, fs.ErrNotExist) { // only without the lock, in a read-only store
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
	case err == nil && !sl.holds(folder):
		err = errors.New("it changed while it was read")
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

// normalise repairs modes and times, which a copied store loses and which are
// not content.
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
			err = s.writing("the time of a folder", setTime(dir, treeTime))
		}
	}
	return err
}

// dropTree moves a damaged folder away; the caller has the tree's lock.
func (s *Store) dropTree(root Digest) {
	if s.readOnly {
		return
	}
	os.Remove(s.path(sealDir, root.Hash))
	s.quarantine(s.treePath(root))
}

// install gives a complete folder its name and seals it. Another process may
// have been faster; then its folder stays, unless it is damaged.
func (s *Store) install(ctx context.Context, staging string, root Digest) error {
	st := s.state(root)
	st.mu.Lock()
	defer st.mu.Unlock()
	st.good = false
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
			st.good = err == nil
			return err
		}
		if !isNotEmpty(err) {
			return s.writing("tree "+root.String(), err)
		}
		err = s.recheck(ctx, root)
		if err == nil {
			st.good = st.good || s.sealHolds(root)
			return removeTree(staging)
		}
		if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrMissing) {
			return err
		}
	}
	return fmt.Errorf("store: tree %s cannot replace a damaged folder of that name", root)
}

// unpack makes the folder of a tree from content that the store has: blobs,
// or files of other unpacked trees.
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

// fill adds a whole tree to a stage, several files at once.
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
			_, err = g.file(e.Path, "", e.Executable, g.stream(ctx, r, e.Executable))
			if closeErr := r.Close(); err == nil {
				err = closeErr
			}
			return err
		})
		return nil
	})
	if workErr := work.Wait(); workErr != nil {
		return workErr // the cause; Walk may only have seen the cancelled context
	}
	return err
}
