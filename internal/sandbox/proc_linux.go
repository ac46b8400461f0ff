package sandbox

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// mountProc mounts the proc file system of the step's PID namespace.
//
// It is read-only as a whole: a command that is user 0 outside could otherwise
// write to /proc/sys, where the kernel checks the user and no capability. With
// subset=pid (Linux 5.8) it has the step's own processes and nothing of the
// machine: no kernel command line, keys, boot id, disks, memory or processors.
// On an older kernel those entries are covered instead.
func (r *runner) mountProc() error {
	const flags = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC | unix.MS_RDONLY
	if !r.CoverProc {
		if err := r.mountAt("proc", "proc", "proc", flags, "subset=pid"); err != unix.EINVAL {
			return err
		}
	}
	if err := r.mountAt("proc", "proc", "proc", flags, ""); err != nil {
		return err
	}
	return r.coverProc()
}

// processEntries are the names in the root of /proc, besides numbers, that only
// concern the reading process.
var processEntries = map[string]bool{"self": true, "thread-self": true}

// coverProc mounts an empty directory or the null device over every entry of
// /proc that does not belong to a process. Symbolic links to /proc/self are
// kept.
func (r *runner) coverProc() error {
	proc, err := r.target("proc", false)
	if err != nil {
		return err
	}
	defer unix.Close(proc)
	entries, err := os.ReadDir(fdPath(proc))
	if err != nil {
		return err
	}
	null, err := unix.Open("/dev/null", unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(null)
	for _, e := range entries {
		_, err := strconv.Atoi(e.Name())
		if err == nil || processEntries[e.Name()] || e.Type()&os.ModeSymlink != 0 {
			continue
		}
		cover := fdPath(null)
		if e.IsDir() {
			cover = "empty" // a directory of the skeleton
		}
		if err := unix.Mount(cover, fdPath(proc)+"/"+e.Name(), "", unix.MS_BIND, ""); err != nil {
			return err
		}
	}
	return nil
}
