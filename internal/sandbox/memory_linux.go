package sandbox

import (
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// MemoryBase is a parent of temporary directories on a file system in memory, a
// value for Local.Scratch; "" when the machine has none with room bytes to spare.
func MemoryBase(room int64) string {
	const noExec = 8 // statfs(2), ST_NOEXEC
	var fs unix.Statfs_t
	switch {
	case unix.Statfs(sharedMemory, &fs) != nil, fs.Type != unix.TMPFS_MAGIC, fs.Flags&noExec != 0, unix.Access(sharedMemory, unix.W_OK) != nil,
		int64(fs.Bavail)*int64(fs.Bsize) < room, memoryAvailable() < room:
		return ""
	}
	return memoryBase()
}

// sharedMemory is the file system of shm_open(3).
const sharedMemory = "/dev/shm"

func memoryBase() string { return filepath.Join(sharedMemory, "espalier-"+strconv.Itoa(os.Geteuid())) }
