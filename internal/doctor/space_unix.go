//go:build unix

package doctor

import (
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// freeSpace returns how many bytes an ordinary user can still write below dir,
// which need not exist.
func freeSpace(dir string) (int64, bool) {
	for {
		var st unix.Statfs_t
		err := unix.Statfs(dir, &st)
		if err == nil {
			return int64(st.Bavail) * int64(st.Bsize), true
		}
		parent := filepath.Dir(dir)
		if !os.IsNotExist(err) || parent == dir {
			return 0, false
		}
		dir = parent
	}
}
