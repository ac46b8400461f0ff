package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// The mount points of the layout. They are mounted over the rootfs as empty
// directories, so that a rootfs needs none of them and cannot replace one by a
// symbolic link.
var mountPoints = [...]string{"dev", "proc", "tmp", "home", "home/espalier", "out", "src", "cargo", "target"}

// sealedSeconds is the modification time of everything that the sandbox mounts
// over the rootfs: the constant of the layout.
const sealedSeconds = 1

// mountAll builds the new root and leaves r.root open on it.
//
// Every host directory is opened before anything is mounted over it, and named
// by its descriptor afterwards: such a name has no comma or colon that would
// separate overlay options, it works when a parent directory cannot be entered,
// and it does not reveal the path of the store to the command (mount options
// are visible in /proc/self/mountinfo).
func (r *runner) mountAll() error {
	scratch, err := openHostDir(r.Scratch)
	if err != nil {
		return &stageError{stageFolders, r.Scratch, err}
	}
	rootfs, err := openHostDir(r.Rootfs)
	if err != nil {
		return &stageError{stageFolders, r.Rootfs, err}
	}
	trees, err := r.openTrees()
	if err != nil {
		return err
	}
	devices, err := openDevices(r.Terminal)
	if err != nil {
		return err
	}
	r.passed(stageFolders)

	if err := r.privateMounts(); err != nil {
		return &stageError{stagePrivate, "", err}
	}
	r.passed(stagePrivate)

	base := fdPath(scratch) + "/m"
	if err := unix.Mount("tmpfs", base, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755"); err != nil {
		return &stageError{stageTmpfs, "", err}
	}
	r.passed(stageTmpfs)
	if err := unix.Chdir(base); err != nil {
		return &stageError{stageTmpfs, "", err}
	}
	if err := r.makeSkeleton(); err != nil {
		return &stageError{stageTmpfs, "", err}
	}
	if r.Overlay {
		err = r.rootOverlay(rootfs)
	} else {
		err = r.rootBinds(rootfs)
	}
	if err != nil {
		return err
	}
	if r.root, err = unix.Open("root", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err != nil {
		return &stageError{stageRootfs, "", err}
	}
	if err := r.mountDevices(devices); err != nil {
		return err
	}
	r.passed(stageDevices)
	if err := r.mountProc(); err != nil {
		return &stageError{stageProc, "", err}
	}
	r.passed(stageProc)
	owner := fmt.Sprintf("uid=%d,gid=%d", r.UID, r.UID)
	if err := r.mountAt("tmp", "tmpfs", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=1777,"+owner); err != nil {
		return &stageError{stageTmpfs, "/tmp", err}
	}
	if err := r.mountAt("home/espalier", "tmpfs", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755,"+owner); err != nil {
		return &stageError{stageTmpfs, "/home/espalier", err}
	}
	for i, m := range r.Mounts {
		if err := r.mountTree(m, trees[i]); err != nil {
			return err
		}
	}
	r.passed(stageTrees)
	if !r.Overlay {
		if err := remountReadOnly(fdPath(r.root), unix.MS_NOSUID|unix.MS_NODEV); err != nil {
			return &stageError{stageRootfs, "read-only", err}
		}
	}
	if err := unix.Sethostname([]byte(r.Hostname)); err != nil {
		return &stageError{stageHostname, "", err}
	}
	r.passed(stageHostname)
	if !r.Network {
		if err := loopbackUp(); err != nil {
			return &stageError{stageLoopback, "", err}
		}
		r.passed(stageLoopback)
	}
	return nil
}

// treeDirs are the open directories of a treeMount, -1 for absent ones.
type treeDirs struct{ lower, upper, work int }

func (r *runner) openTrees() ([]treeDirs, error) {
	out := make([]treeDirs, len(r.Mounts))
	for i, m := range r.Mounts {
		for _, f := range []struct {
			path string
			fd   *int
		}{{m.Lower, &out[i].lower}, {m.Upper, &out[i].upper}, {m.Work, &out[i].work}} {
			*f.fd = -1
			if f.path == "" {
				continue
			}
			fd, err := openHostDir(f.path)
			if err != nil {
				return nil, &stageError{stageFolders, f.path, err}
			}
			*f.fd = fd
		}
	}
	return out, nil
}

// privateMounts keeps later mounts from propagating to the host.
func (r *runner) privateMounts() error {
	err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
	if err != unix.EINVAL || r.UserNS {
		return err
	}
	// In a chroot "/" is not a mount point. Joining the current mount namespace
	// moves this thread to the real root of the namespace; for that the thread
	// must not share its root with others.
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return err
	}
	ns, err := unix.Open("/proc/self/ns/mnt", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(ns)
	if err := unix.Setns(ns, unix.CLONE_NEWNS); err != nil {
		return err
	}
	return unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
}

// makeSkeleton writes the files that are mounted over the rootfs to the current
// directory.
func (r *runner) makeSkeleton() error {
	unix.Umask(0o022)
	for _, d := range []string{"skeleton", "empty", "root"} {
		if err := os.Mkdir(d, 0o755); err != nil {
			return err
		}
	}
	dirs := []string{"skeleton"}
	for _, d := range mountPoints {
		dirs = append(dirs, path.Join("skeleton", d))
		if err := os.Mkdir(dirs[len(dirs)-1], 0o755); err != nil {
			return err
		}
	}
	for _, f := range r.Files {
		name := path.Join("skeleton", f.Path)
		for d := path.Dir(name); d != "skeleton"; d = path.Dir(d) {
			if os.Mkdir(d, 0o755) == nil {
				dirs = append(dirs, d)
			}
		}
		if err := os.MkdirAll(path.Dir(name), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(name, f.Data, 0o644); err != nil {
			return err
		}
		if err := seal(name); err != nil {
			return err
		}
	}
	for _, d := range dirs {
		if err := seal(d); err != nil {
			return err
		}
	}
	return nil
}

// seal sets the layout's modification time.
func seal(name string) error {
	t := unix.Timespec{Sec: sealedSeconds}
	return unix.UtimesNanoAt(unix.AT_FDCWD, name, []unix.Timespec{t, t}, unix.AT_SYMLINK_NOFOLLOW)
}

// rootOverlay mounts the skeleton over the rootfs. The result is read-only
// because it has no upper layer.
func (r *runner) rootOverlay(rootfs int) error {
	if err := r.overlay("root", "skeleton:"+fdPath(rootfs), -1, -1); err != nil {
		return &stageError{stageOverlay, "", err}
	}
	r.passed(stageOverlay)
	return nil
}

// overlay mounts an overlay at a path. upper and work are descriptors, -1 for
// none.
func (r *runner) overlay(at, lower string, upper, work int) error {
	options := []string{"lowerdir=" + lower}
	if r.UserNS {
		options = append(options, "userxattr") // trusted.* attributes need the initial user namespace
	}
	flags := uintptr(unix.MS_NOSUID | unix.MS_NODEV)
	if upper < 0 {
		return unix.Mount("overlay", at, "overlay", flags|unix.MS_RDONLY, strings.Join(options, ","))
	}
	options = append(options, "upperdir="+fdPath(upper), "workdir="+fdPath(work))
	// Without "volatile", unmounting syncs the whole underlying file system,
	// which takes seconds after a build.
	err := unix.Mount("overlay", at, "overlay", flags, strings.Join(append(options, "volatile"), ","))
	if err == unix.EINVAL {
		err = unix.Mount("overlay", at, "overlay", flags, strings.Join(options, ","))
	}
	return err
}

// mountTree mounts one input tree or writable directory.
func (r *runner) mountTree(m treeMount, f treeDirs) error {
	at, err := r.target(m.At, true)
	if err != nil {
		return &stageError{stageTrees, "/" + m.At, err}
	}
	defer unix.Close(at)
	if m.Reversed {
		if f.lower, err = reversed(f.lower, strings.ReplaceAll(m.At, "/", "-")+"-reversed"); err != nil {
			return &stageError{stageTrees, "/" + m.At, err}
		}
		defer unix.Close(f.lower)
	}
	switch {
	case !r.Overlay && f.upper >= 0: // a copy or empty
		err = bind(fdPath(f.upper), fdPath(at), false)
	case !r.Overlay:
		err = bind(fdPath(f.lower), fdPath(at), true)
	case m.Memory:
		err = r.memoryOverlay(fdPath(at), strings.ReplaceAll(m.At, "/", "-"), f.lower)
	case f.upper < 0:
		err = r.overlay(fdPath(at), "empty:"+fdPath(f.lower), -1, -1)
	case f.lower < 0:
		err = r.overlay(fdPath(at), "empty", f.upper, f.work)
	default:
		err = r.overlay(fdPath(at), fdPath(f.lower), f.upper, f.work)
	}
	if err != nil {
		stage := stageOverlay
		if !r.Overlay {
			stage = stageBind
		}
		return &stageError{stage, "/" + m.At, err}
	}
	return nil
}

// memoryOverlay mounts a tree with an upper layer in the current directory,
// which is a tmpfs.
func (r *runner) memoryOverlay(at, name string, lower int) error {
	up, work := name+"-up", name+"-work"
	for _, d := range []string{up, work} {
		if err := os.Mkdir(d, 0o755); err != nil {
			return err
		}
	}
	if err := copyAttributes(up, fdPath(lower)); err != nil {
		return err
	}
	upper, err := openHostDir(up)
	if err != nil {
		return err
	}
	defer unix.Close(upper)
	w, err := openHostDir(work)
	if err != nil {
		return err
	}
	defer unix.Close(w)
	return r.overlay(at, fdPath(lower), upper, w)
}

// reversed copies a directory to name in the current directory, which is a
// tmpfs, with the entries of all directories in the opposite order, and opens
// the copy.
func reversed(folder int, name string) (int, error) {
	if err := copyTree(fdPath(folder)+"/.", name, copyOptions{reverse: true}); err != nil {
		return -1, err
	}
	return openHostDir(name)
}

// target opens a directory below the new root without following symbolic links:
// a tree must not be able to redirect a mount.
func (r *runner) target(rel string, create bool) (int, error) {
	fd, err := unix.Openat(r.root, ".", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	for _, name := range strings.Split(rel, "/") {
		next, err := unix.Openat(fd, name, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err == unix.ENOENT && create {
			if err = unix.Mkdirat(fd, name, 0o755); err == nil {
				next, err = unix.Openat(fd, name, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
				if err == nil && !r.UserNS {
					err = unix.Fchownat(next, "", r.UID, r.UID, unix.AT_EMPTY_PATH)
				}
			}
		}
		unix.Close(fd)
		if err != nil {
			return -1, err
		}
		fd = next
	}
	return fd, nil
}

// mountAt mounts a file system at a directory below the new root.
func (r *runner) mountAt(rel, source, fstype string, flags uintptr, options string) error {
	at, err := r.target(rel, false)
	if err != nil {
		return err
	}
	defer unix.Close(at)
	return unix.Mount(source, fdPath(at), fstype, flags, options)
}

// pivot changes to the new root and detaches the old one.
func (r *runner) pivot() error {
	if err := unix.Fchdir(r.root); err != nil {
		return err
	}
	unix.Close(r.root)
	err := unix.PivotRoot(".", ".")
	if err == unix.EINVAL {
		// pivot_root fails on the initial root of a booted system (an
		// initramfs); the new root is moved over it instead.
		if err = unix.Mount(".", "/", "", unix.MS_MOVE, ""); err == nil {
			err = unix.Chroot(".")
		}
		if err != nil {
			return err
		}
		return unix.Chdir("/")
	}
	if err != nil {
		return err
	}
	// The old root is now mounted over the new one.
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return err
	}
	return unix.Chdir("/")
}

// openHostDir opens a host directory for mounting only.
func openHostDir(p string) (int, error) {
	fd, err := unix.Open(p, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.EINTR) {
		fd, err = unix.Open(p, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	}
	return fd, err
}

func fdPath(fd int) string { return "/proc/self/fd/" + strconv.Itoa(fd) }
