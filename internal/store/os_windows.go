package store

import (
	"errors"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/windows"
)

func isFull(err error) bool {
	return errors.Is(err, windows.ERROR_DISK_FULL) || errors.Is(err, windows.ERROR_HANDLE_DISK_FULL)
}

const canShare = false

func isTooManyLinks(error) bool { return false }

func isCrossDevice(err error) bool { return errors.Is(err, windows.ERROR_NOT_SAME_DEVICE) }

func isNotEmpty(err error) bool {
	return errors.Is(err, windows.ERROR_DIR_NOT_EMPTY) || errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrPermission)
}

func tryLock(f *os.File, exclusive bool) (bool, error) {
	flags := uint32(windows.LOCKFILE_FAIL_IMMEDIATELY)
	if exclusive {
		flags |= windows.LOCKFILE_EXCLUSIVE_LOCK
	}
	h := windows.Handle(f.Fd())
	// Locks of a handle accumulate on Windows instead of being converted.
	_ = windows.UnlockFileEx(h, 0, 1, 0, new(windows.Overlapped))
	err := windows.LockFileEx(h, flags, 0, 1, 0, new(windows.Overlapped))
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, windows.ERROR_LOCK_VIOLATION) || errors.Is(err, windows.ERROR_IO_PENDING):
		return false, nil
	}
	return false, &fs.PathError{Op: "LockFileEx", Path: f.Name(), Err: err}
}

func setTime(path string, t time.Time) error {
	if info, err := os.Lstat(path); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		return nil
	}
	return os.Chtimes(path, t, t)
}

func openNoFollow(path string) (*os.File, error) { return os.Open(path) }

func linkCount(fs.FileInfo) uint64 { return 1 }

func fileID(fs.FileInfo) ([2]uint64, bool) { return [2]uint64{}, false }
