package sandbox

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Defaults of Limits.
const (
	defaultProcesses = 16384
	defaultOpenFiles = 16384
)

// limit sets the umask, the processors and every resource limit of the command
// (getrlimit(2)), so that none of the caller's applies.
func (r *runner) limit() error {
	unix.Umask(orDefault(r.Umask, 0o022))
	if r.OldKernel {
		const uname26 = 0x0020000 // linux/personality.h
		if _, _, errno := unix.RawSyscall(unix.SYS_PERSONALITY, uname26, 0, 0); errno != 0 {
			return &stageError{stageLimits, "personality", errno}
		}
	}
	if r.CPUs > 0 {
		if err := firstCPUs(r.CPUs); err != nil {
			return &stageError{stageLimits, "processors", err}
		}
	}
	for _, l := range r.resourceLimits() {
		var have unix.Rlimit
		if err := unix.Getrlimit(l.resource, &have); err != nil {
			return &stageError{stageLimits, l.name, err}
		}
		// Only CAP_SYS_RESOURCE in the initial user namespace can raise a hard
		// limit, so a lower one of the caller remains. It can make the step
		// fail, but not change its output.
		want := unix.Rlimit{Cur: min(l.soft, have.Max), Max: min(l.hard, have.Max)}
		if err := unix.Setrlimit(l.resource, &want); err != nil {
			return &stageError{stageLimits, l.name, err}
		}
	}
	return nil
}

// resourceLimit is one row of the table of limits; sizes are bytes.
type resourceLimit struct {
	name       string
	resource   int
	soft, hard uint64
}

// resourceLimits lists all of them, by the kernel's numbers. The hard limit of
// open files is equal to the soft one because programs close or count that
// many.
func (r *runner) resourceLimits() []resourceLimit {
	const unlimited = unix.RLIM_INFINITY
	files := uint64(orDefault(r.Limits.OpenFiles, defaultOpenFiles))
	processes := uint64(orDefault(r.Limits.Processes, defaultProcesses))
	return []resourceLimit{
		{"processor time", unix.RLIMIT_CPU, unlimited, unlimited},
		{"file size", unix.RLIMIT_FSIZE, unlimited, unlimited},
		{"data size", unix.RLIMIT_DATA, unlimited, unlimited},
		{"stack", unix.RLIMIT_STACK, 8 << 20, unlimited},
		{"core size", unix.RLIMIT_CORE, 0, 0},
		{"resident set", unix.RLIMIT_RSS, unlimited, unlimited},
		{"processes", unix.RLIMIT_NPROC, processes, processes},
		{"open files", unix.RLIMIT_NOFILE, files, files},
		{"locked memory", unix.RLIMIT_MEMLOCK, 64 << 10, 64 << 10},
		{"address space", unix.RLIMIT_AS, unlimited, unlimited},
		{"file locks", unix.RLIMIT_LOCKS, unlimited, unlimited},
		{"pending signals", unix.RLIMIT_SIGPENDING, 1024, 1024},
		{"message queues", unix.RLIMIT_MSGQUEUE, 800 << 10, 800 << 10},
		{"nice value", unix.RLIMIT_NICE, 0, 0},
		{"real-time priority", unix.RLIMIT_RTPRIO, 0, 0},
		{"real-time processor time", unix.RLIMIT_RTTIME, unlimited, unlimited},
	}
}

func orDefault(v, def int) int {
	if v > 0 {
		return v
	}
	return def
}

// firstCPUs restricts this thread to the first n processors that it may use.
func firstCPUs(n int) error {
	var have, want unix.CPUSet
	if err := unix.SchedGetaffinity(0, &have); err != nil {
		return err
	}
	for cpu := 0; cpu < len(have)*64 && n > 0; cpu++ {
		if have.IsSet(cpu) {
			want.Set(cpu)
			n--
		}
	}
	return unix.SchedSetaffinity(0, &want)
}

// dropPrivileges removes all capabilities of this thread, and of processes that
// it forks, so that they cannot be regained.
func (r *runner) dropPrivileges() error {
	fail := func(what string, err error) error { return &stageError{stagePrivilege, what, err} }
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return fail("ambient capabilities", err)
	}
	for c := uintptr(0); ; c++ {
		err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0)
		if err == unix.EINVAL { // beyond the kernel's last capability
			break
		}
		if err != nil {
			return fail("bounding set", err)
		}
	}
	if !r.UserNS {
		// A new user namespace has the default bits. Locked ones remain: they
		// only restrict.
		_ = unix.Prctl(unix.PR_SET_SECUREBITS, 0, 0, 0, 0)
	}
	if r.SetGroups {
		if err := setGroupsThread(); err != nil {
			return fail("supplementary groups", err)
		}
	}
	if !r.UserNS {
		if err := setIDsThread(r.UID); err != nil {
			return fail("user id", err)
		}
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	if err := unix.Capset(&header, &none[0]); err != nil {
		return fail("capabilities", err)
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fail("no new privileges", err)
	}
	return nil
}

// The id calls of the standard library apply to all threads; only the locked
// one may lose its privileges, because the others still reap and signal.

func setGroupsThread() error {
	if _, _, e := unix.RawSyscall(unix.SYS_SETGROUPS, 0, 0, 0); e != 0 {
		return e
	}
	return nil
}

func setIDsThread(id int) error {
	n := uintptr(id)
	if _, _, e := unix.RawSyscall(unix.SYS_SETRESGID, n, n, n); e != 0 {
		return e
	}
	if _, _, e := unix.RawSyscall(unix.SYS_SETRESUID, n, n, n); e != 0 {
		return e
	}
	return nil
}

// installFilter installs the system call filter in this thread.
func installFilter(families []uint32) error {
	prog := filterProgram(families)
	if len(prog) == 0 {
		return nil
	}
	fprog := unix.SockFprog{Len: uint16(len(prog)), Filter: &prog[0]}
	_, _, e := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&fprog)))
	runtime.KeepAlive(prog)
	if e != 0 {
		return e
	}
	return nil
}
