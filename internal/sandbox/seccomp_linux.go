//go:build amd64 || arm64

package sandbox

import "golang.org/x/sys/unix"

// The system call filter is a second line of defence: the namespaces make a
// step hermetic. The filter covers what namespaces do not: kernel keyrings, BPF
// and most socket families are not namespaced, a new user namespace would grant
// capabilities again, and io_uring would bypass the filter itself.
//
// It is classic BPF over struct seccomp_data (seccomp(2)).

// forbidden system calls return EPERM.
var forbidden = [...]uint32{
	unix.SYS_KEYCTL, unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY,
	unix.SYS_BPF, unix.SYS_PERF_EVENT_OPEN, unix.SYS_USERFAULTFD,
	unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_PIVOT_ROOT, unix.SYS_MOVE_MOUNT, unix.SYS_OPEN_TREE,
	unix.SYS_FSOPEN, unix.SYS_FSCONFIG, unix.SYS_FSMOUNT, unix.SYS_FSPICK, unix.SYS_MOUNT_SETATTR,
	unix.SYS_UNSHARE, unix.SYS_SETNS,
	unix.SYS_PTRACE, unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV, unix.SYS_KCMP, unix.SYS_PIDFD_GETFD,
	unix.SYS_NAME_TO_HANDLE_AT, unix.SYS_OPEN_BY_HANDLE_AT,
	unix.SYS_KEXEC_LOAD, unix.SYS_KEXEC_FILE_LOAD, unix.SYS_INIT_MODULE, unix.SYS_FINIT_MODULE, unix.SYS_DELETE_MODULE,
	unix.SYS_REBOOT, unix.SYS_SWAPON, unix.SYS_SWAPOFF, unix.SYS_ACCT, unix.SYS_QUOTACTL, unix.SYS_SYSLOG,
	unix.SYS_SETTIMEOFDAY, unix.SYS_CLOCK_SETTIME, unix.SYS_ADJTIMEX, unix.SYS_CLOCK_ADJTIME,
}

// absent system calls return ENOSYS, for which callers have a fallback. The
// filter cannot read clone3's arguments, which are in memory; libraries fall
// back to clone.
var absent = [...]uint32{
	unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER, unix.SYS_CLONE3,
}

// newNamespaces are the clone flags that make namespaces. CLONE_NEWTIME is not
// included: clone uses its bit for the exit signal.
const newNamespaces = unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC |
	unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET

const (
	retAllow  = unix.SECCOMP_RET_ALLOW
	retEPERM  = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
	retENOSYS = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
	retNoAF   = unix.SECCOMP_RET_ERRNO | uint32(unix.EAFNOSUPPORT)
)

// filterProgram returns the filter. Sockets of the listed families are allowed;
// all others fail as in a kernel that was built without them. socketpair makes
// Unix sockets only, which are limited to the process and its children, so it
// does not depend on the list.
func filterProgram(families []uint32) []unix.SockFilter {
	var p []unix.SockFilter
	load := func(off uint32) {
		p = append(p, unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: off})
	}
	ret := func(v uint32) { p = append(p, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: v}) }
	// unless skips the next n instructions when the comparison is false.
	unless := func(op uint16, k uint32, n uint8) {
		p = append(p, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_K | op, K: k, Jf: n})
	}
	load(dataArch)
	p = append(p, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_K | unix.BPF_JEQ, K: auditArch, Jt: 1})
	ret(retENOSYS) // 32-bit calls have other numbers
	load(dataNR)
	if foreignBit != 0 {
		unless(unix.BPF_JSET, foreignBit, 1)
		ret(retENOSYS)
	}
	for _, nr := range forbidden {
		unless(unix.BPF_JEQ, nr, 1)
		ret(retEPERM)
	}
	for _, nr := range absent {
		unless(unix.BPF_JEQ, nr, 1)
		ret(retENOSYS)
	}
	unless(unix.BPF_JEQ, unix.SYS_CLONE, 4)
	load(dataArg0)
	unless(unix.BPF_JSET, newNamespaces, 1)
	ret(retEPERM)
	ret(retAllow)
	// TIOCSTI inserts characters into a terminal's input, which the caller's
	// shell would read after the step.
	unless(unix.BPF_JEQ, unix.SYS_IOCTL, 6)
	load(dataArg1)
	unless(unix.BPF_JEQ, unix.TIOCSTI, 1)
	ret(retEPERM)
	unless(unix.BPF_JEQ, unix.TIOCLINUX, 1)
	ret(retEPERM)
	ret(retAllow)
	unless(unix.BPF_JEQ, unix.SYS_SOCKETPAIR, 4)
	load(dataArg0)
	unless(unix.BPF_JEQ, unix.AF_UNIX, 1)
	ret(retAllow)
	ret(retNoAF)
	unless(unix.BPF_JEQ, unix.SYS_SOCKET, uint8(2+2*len(families)))
	load(dataArg0)
	for _, family := range families {
		unless(unix.BPF_JEQ, family, 1)
		ret(retAllow)
	}
	ret(retNoAF)
	ret(retAllow)
	return p
}
