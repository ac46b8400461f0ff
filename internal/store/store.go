package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"espalier.dev/espalier/internal/atomicfile"
)

// Directories of a store. Every file with a final name is complete.
const (
	blobDir       = "blobs/sha256" // content by hash
	treeDir       = "trees"        // unpacked trees by the hash of their root Directory
	sealDir       = "seals"        // one seal record per unpacked tree
	fileDir       = "files"        // files of unpacked trees by hash; trees have hard links to them
	resultDir     = "results"      // hermetic results by action hash
	privateDir    = "unhermetic"   // results of weakened sandboxes, never shared
	rootDir       = "roots"        // pins for gc
	partialDir    = "partial"      // downloads by expected hash
	quarantineDir = "quarantine"   // content that failed verification, for inspection until gc removes it
	passingDir    = "passing"      // names of trees that no later step needs
	tempDir       = "tmp"          // unused once its process has ended
	lockName      = "lock"
	trimmedName   = "trimmed" // its time is that of the last Trim
)

var folders = [...]string{blobDir, treeDir, sealDir, fileDir, resultDir, privateDir, rootDir, partialDir, quarantineDir, passingDir, tempDir}

// The two files that make the directory an OCI image layout.
const (
	ociLayout = `{"imageLayoutVersion":"1.0.0"}`
	ociIndex  = `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}`
)

// lockPoll is the interval between attempts to take a lock.
const lockPoll = 20 * time.Millisecond

// Store is an open store. Its methods are safe for concurrent use, and any
// number of processes may have the same directory open on one machine: writers
// only add complete files by rename, and gc waits for exclusive access. Network
// file systems without working flock(2) are not supported.
type Store struct {
	dir      string
	readOnly bool
	gc       bool     // reading is not a use
	lock     *os.File // nil in a read-only store without a lock file
	buffers  sync.Pool

	mu    sync.Mutex
	trees map[string]*treeState // by root hash: trees that this process has verified
}

// Open opens the store in dir and creates it if it does not exist. It waits for
// a running gc until ctx ends. A store that is not writable is opened for
// reading; see ReadOnly.
func Open(ctx context.Context, dir string) (*Store, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	s := &Store{dir: abs, trees: map[string]*treeState{}}
	s.buffers.New = newBuffer
	if err := s.share(ctx); err != nil {
		return nil, err
	}
	if s.readOnly {
		return s, nil
	}
	err = s.create()
	if isReadOnly(err) && s.exists() {
		s.readOnly, err = true, nil
	}
	if err != nil {
		s.Close()
		return nil, s.writing("its directories", err)
	}
	return s, nil
}

func newBuffer() any { b := make([]byte, 256<<10); return &b }

func (s *Store) exists() bool {
	info, err := os.Stat(s.path(blobDir))
	return err == nil && info.IsDir()
}

// share takes the shared lock before any other access. If no other process has
// the store open, it removes what killed processes left in tmp.
func (s *Store) share(ctx context.Context) error {
	err := s.openLock()
	if isReadOnly(err) && s.exists() {
		s.readOnly = true
		if s.lock, err = os.Open(s.path(lockName)); err != nil {
			return nil // no process that could run gc has ever opened it
		}
	}
	if err != nil {
		return s.writing("its lock", err)
	}
	if !s.readOnly {
		if alone, _ := tryLock(s.lock, true); alone {
			_ = s.emptyTemp()
			_ = s.removePassing(ctx)
		}
	}
	if err := waitLock(ctx, s.lock, false); err != nil {
		s.Close()
		return fmt.Errorf("waiting for the store %s, which espalier gc is using: %w", s.dir, err)
	}
	return nil
}

func (s *Store) openLock() error {
	err := os.MkdirAll(s.dir, 0o777)
	if err == nil {
		s.lock, err = os.OpenFile(s.path(lockName), os.O_RDWR|os.O_CREATE, 0o666)
	}
	return err
}

// create creates the missing parts of the layout and determines whether the
// store is writable.
func (s *Store) create() error {
	for _, name := range folders {
		if err := os.MkdirAll(s.path(name), 0o777); err != nil {
			return err
		}
	}
	for name, text := range map[string]string{"oci-layout": ociLayout, "index.json": ociIndex} {
		if _, err := os.Stat(s.path(name)); err == nil {
			continue
		}
		if err := s.writeFile(name, []byte(text)); err != nil {
			return err
		}
	}
	probe, err := os.CreateTemp(s.path(tempDir), "probe-")
	if err != nil {
		return err
	}
	probe.Close()
	return os.Remove(probe.Name())
}

// waitLock polls, because flock(2) cannot be interrupted by a context.
func waitLock(ctx context.Context, f *os.File, exclusive bool) error {
	tick := time.NewTicker(lockPoll)
	defer tick.Stop()
	for {
		ok, err := tryLock(f, exclusive)
		if ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// Close releases the store. A program that does not need it for a long time (a
// monitor) closes it, because gc waits for every open store.
func (s *Store) Close() error {
	if s.lock == nil {
		return nil
	}
	if !s.readOnly && !s.gc {
		if marks, err := os.ReadDir(s.path(passingDir)); err == nil && len(marks) > 0 {
			// Trying for the exclusive lock may lose the shared one, which ends here.
			if alone, _ := tryLock(s.lock, true); alone {
				_ = s.removePassing(context.Background())
			}
		}
	}
	err := s.lock.Close()
	s.lock = nil
	return err
}

// Dir returns the absolute path of the store's directory.
func (s *Store) Dir() string { return s.dir }

// ReadOnly reports whether the store can only be read.
func (s *Store) ReadOnly() bool { return s.readOnly }

func (s *Store) path(elem ...string) string {
	return filepath.Join(append([]string{s.dir}, elem...)...)
}

// writeFile writes a small file of the store, durably.
func (s *Store) writeFile(name string, data []byte) error {
	f, err := atomicfile.Create(s.path(tempDir))
	if err != nil {
		return err
	}
	defer f.Discard()
	if _, err := f.Write(data); err != nil {
		return err
	}
	return f.Commit(s.path(name), 0o644)
}

func (s *Store) emptyTemp() error {
	left, err := os.ReadDir(s.path(tempDir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range left {
		err = errors.Join(err, removeTree(s.path(tempDir, e.Name())))
	}
	return err
}

// removeTree removes a directory even if a build has left directories in it
// that are not writable.
func removeTree(path string) error {
	err := os.RemoveAll(path)
	if err == nil || !errors.Is(err, fs.ErrPermission) {
		return err
	}
	_ = filepath.WalkDir(path, func(p string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() {
			_ = os.Chmod(p, 0o700)
		}
		return nil
	})
	return os.RemoveAll(path)
}

// quarantine moves damaged content away so that it is never read again. It is
// best effort: the caller has already returned an error.
func (s *Store) quarantine(path string) {
	if s.readOnly {
		return
	}
	for n := range 1000 {
		aside := s.path(quarantineDir, fmt.Sprintf("%s.%d", filepath.Base(path), n))
		if _, err := os.Lstat(aside); err == nil {
			continue
		}
		_ = os.Rename(path, aside)
		return
	}
}

// used records the use of a file of the store, for gc. Once an hour is
// sufficient and saves writes.
func (s *Store) used(path string, info fs.FileInfo) {
	// A time in the future is of a clock that was wrong.
	if now := time.Now(); !s.readOnly && !s.gc && (now.Sub(info.ModTime()) > time.Hour || info.ModTime().After(now)) {
		_ = os.Chtimes(path, now, now)
	}
}

// TempDir makes a directory in the store for the use of this process. The
// caller removes it; gc removes what a killed process has left.
func (s *Store) TempDir(name string) (string, error) {
	if err := s.mayWrite("a temporary directory"); err != nil {
		return "", err
	}
	return os.MkdirTemp(s.path(tempDir), name+"-")
}
