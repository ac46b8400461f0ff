//go:build linux && !amd64 && !arm64

package sandbox

import "golang.org/x/sys/unix"

// auditArch 0: there is no filter for this architecture, its system call
// numbers were not checked.
const auditArch = 0

func filterProgram([]uint32) []unix.SockFilter { return nil }
