package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/store"
)

// A run's temporary directory is <base>/run-<n>, and <base>/run-<n>.lock is a
// file that the run keeps locked. The kernel releases the lock when the process
// ends for any reason, so a free lock marks a directory that is not in use.

// scratch is the temporary directory of one run.
type scratch struct {
	dir  string
	lock *os.File
}

// scratchBase returns the parent directory of temporary directories.
func (l Local) scratchBase(st *store.Store) string {
	switch {
	case l.Scratch != "":
		return l.Scratch
	case st != nil && !st.ReadOnly():
		return filepath.Join(st.Dir(), storeFolder)
	}
	return TempBase()
}

// storeFolder is the directory of temporary directories in a store.
const storeFolder = "sandbox"

// TempBase is the parent of temporary directories outside of a store, a value
// for Local.Scratch.
func TempBase() string {
	return filepath.Join(os.TempDir(), "espalier-"+strconv.Itoa(os.Geteuid()))
}

// TempDir makes a temporary directory in TempBase. The caller removes it; when
// the process is killed instead, the next Sweep does.
func TempDir() (dir string, remove func(), err error) {
	s, err := newScratch(TempBase())
	if err != nil {
		return "", nil, err
	}
	return s.dir, s.remove, nil
}

// Sweep removes the temporary directories of runs that were killed, in the store
// in dir, in TempBase and in MemoryBase, never those of a run that goes on.
func Sweep(dir string) {
	sweep(filepath.Join(dir, storeFolder))
	sweep(TempBase())
	sweep(memoryBase())
}

// newScratch makes a temporary directory in base and removes those of runs that
// were killed.
func newScratch(base string) (*scratch, error) {
	fail := func(err error) error {
		return fault.Wrap(fault.Usage, err, "making a temporary directory for the sandbox",
			"choose a directory on a disk with space that you may write to: export TMPDIR=/path/to/directory")
	}
	if err := os.MkdirAll(base, 0o700); err != nil {
		return nil, fail(err)
	}
	var owner unix.Stat_t
	if err := unix.Lstat(base, &owner); err != nil {
		return nil, fail(err)
	}
	if int(owner.Uid) != os.Geteuid() && os.Geteuid() != 0 {
		return nil, fail(fmt.Errorf("%s belongs to user %d", base, owner.Uid))
	}
	sweep(base)
	for range 100 {
		name := filepath.Join(base, "run-"+strconv.FormatUint(rand.Uint64(), 36))
		lock, err := os.OpenFile(name+".lock", os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if errors.Is(err, fs.ErrNotExist) && os.MkdirAll(base, 0o700) == nil {
			continue // another process has removed the empty TempBase
		}
		if err != nil {
			return nil, fail(err)
		}
		if !tryLock(lock) { // another process sweeps at the same time and removes the file
			lock.Close()
			continue
		}
		s := &scratch{dir: name, lock: lock}
		if err := os.Mkdir(name, 0o700); err != nil {
			s.remove()
			return nil, fail(err)
		}
		if err := os.Mkdir(filepath.Join(name, "m"), 0o700); err != nil {
			s.remove()
			return nil, fail(err)
		}
		return s, nil
	}
	return nil, fail(errors.New("no free name"))
}

// tryLock locks f if it is not locked and still has its name.
func tryLock(f *os.File) bool {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return false
		}
		break
	}
	mine, err := f.Stat()
	if err != nil {
		return false
	}
	named, err := os.Lstat(f.Name())
	return err == nil && os.SameFile(mine, named)
}

// sweep removes the directories of ended runs. Those that cannot be removed are
// tried again by the next run.
func sweep(base string) {
	entries, err := os.ReadDir(base)
	if err != nil {
		return
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), weakPrefix) {
			sweepWeakRoot(filepath.Join(base, e.Name()))
			continue
		}
		name, ok := strings.CutSuffix(e.Name(), ".lock")
		if !ok || !strings.HasPrefix(name, "run-") {
			continue
		}
		lock, err := os.OpenFile(filepath.Join(base, e.Name()), os.O_RDWR, 0)
		if err != nil {
			continue
		}
		s := &scratch{dir: filepath.Join(base, name), lock: lock}
		if tryLock(lock) {
			s.remove()
		} else {
			lock.Close()
		}
	}
}

// remove deletes the directory, then the lock file, then releases the lock.
func (s *scratch) remove() {
	if err := removeAll(s.dir); err == nil {
		_ = os.Remove(s.lock.Name())
	}
	s.lock.Close()
	if base := filepath.Dir(s.dir); base == TempBase() || base == memoryBase() {
		_ = os.Remove(base) // if it is empty
	}
}

// sub makes a directory in the scratch directory.
func (s *scratch) sub(elem ...string) (string, error) {
	dir := filepath.Join(append([]string{s.dir}, elem...)...)
	return dir, os.MkdirAll(dir, 0o755)
}

// removeAll removes a directory even if a step has removed permissions of
// directories, or an overlay has left its work directory without any. WalkDir
// calls the function before it lists a directory, so the directory is readable
// then.
func removeAll(dir string) error {
	if os.RemoveAll(dir) == nil {
		return nil
	}
	_ = filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			_ = os.Chmod(p, 0o700)
		}
		return nil
	})
	return os.RemoveAll(dir)
}
