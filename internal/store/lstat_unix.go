//go:build unix

package store

import (
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

func lstat(path string) (meta, error) {
	var st unix.Stat_t
	for {
		err := unix.Lstat(path, &st)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return meta{}, &fs.PathError{Op: "lstat", Path: path, Err: err}
		}
		break
	}
	m := meta{mode: uint32(st.Mode), size: st.Size, mtime: st.Mtim.Nano(), ctime: st.Ctim.Nano(), inode: st.Ino}
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		m.size = 0
	}
	return m, nil
}

func (m meta) isFile() bool { return m.mode&unix.S_IFMT == unix.S_IFREG }

// bootID identifies the current boot of the machine, "" where the system has no
// such id: seals are then valid across boots.
func bootID() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}
