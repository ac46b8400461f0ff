package sandbox

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// rootBinds makes the root without an overlay: a tmpfs with the skeleton, on
// which each directory of the rootfs is bind-mounted. Top-level files are
// copied, and so is /etc, because it also contains generated files.
func (r *runner) rootBinds(rootfs int) error {
	if err := unix.Mount("tmpfs", "root", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755"); err != nil {
		return &stageError{stageTmpfs, "", err}
	}
	if err := copyTree("skeleton", "root", copyOptions{}); err != nil {
		return &stageError{stageRootfs, "", err}
	}
	entries, err := os.ReadDir(fdPath(rootfs))
	if err != nil {
		return &stageError{stageRootfs, "", err}
	}
	for _, e := range entries {
		from, to := fdPath(rootfs)+"/"+e.Name(), "root/"+e.Name()
		if e.Name() == "etc" && e.IsDir() {
			if err := copyTree(from, to, copyOptions{keepExisting: true}); err != nil {
				return &stageError{stageRootfs, "/etc", err}
			}
			continue
		}
		if _, err := os.Lstat(to); err == nil {
			continue // a mount point of the layout
		}
		if !e.IsDir() {
			if err := copyTree(from, to, copyOptions{}); err != nil {
				return &stageError{stageRootfs, "/" + e.Name(), err}
			}
			continue
		}
		if err := os.Mkdir(to, 0o755); err != nil {
			return &stageError{stageRootfs, "/" + e.Name(), err}
		}
		if err := bind(from, to, true); err != nil {
			return &stageError{stageBind, "/" + e.Name(), err}
		}
	}
	if err := errors.Join(seal("root/etc"), seal("root")); err != nil {
		return &stageError{stageRootfs, "", err}
	}
	r.passed(stageBind)
	return nil
}

// bind makes the directory from visible at to.
func bind(from, to string, readOnly bool) error {
	if err := unix.Mount(from, to, "", unix.MS_BIND, ""); err != nil {
		return err
	}
	// A descriptor of a mount point refers to the directory below the mount:
	// open the path again.
	top := to
	if strings.HasPrefix(to, "/proc/self/fd/") {
		fd, err := unix.Open(to+"/../"+baseOf(to), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		top = fdPath(fd)
	}
	if readOnly {
		return remountReadOnly(top, unix.MS_NOSUID|unix.MS_NODEV)
	}
	return remount(top, unix.MS_NOSUID|unix.MS_NODEV)
}

// baseOf returns the last name of the path that a descriptor path refers to.
func baseOf(fdName string) string {
	p, err := os.Readlink(fdName)
	if err != nil {
		return "."
	}
	return filepath.Base(p)
}

func remountReadOnly(at string, flags uintptr) error { return remount(at, flags|unix.MS_RDONLY) }

// remount changes the flags of a bind mount and keeps those that it has: in a
// user namespace they are locked, and the kernel refuses to clear one.
func remount(at string, flags uintptr) error {
	var st unix.Statfs_t
	if err := unix.Statfs(at, &st); err != nil {
		return err
	}
	for _, f := range []struct{ st, ms int64 }{
		{unix.ST_RDONLY, unix.MS_RDONLY}, {unix.ST_NOSUID, unix.MS_NOSUID}, {unix.ST_NODEV, unix.MS_NODEV},
		{unix.ST_NOEXEC, unix.MS_NOEXEC}, {unix.ST_NOATIME, unix.MS_NOATIME},
		{unix.ST_NODIRATIME, unix.MS_NODIRATIME}, {unix.ST_RELATIME, unix.MS_RELATIME},
	} {
		if int64(st.Flags)&f.st != 0 {
			flags |= uintptr(f.ms)
		}
	}
	return unix.Mount("", at, "", unix.MS_REMOUNT|unix.MS_BIND|flags, "")
}
