package sandbox

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Defaults of Limits.
const (
	defaultProcesses = 16384
	defaultOpenFiles = 65536
)

// limit sets what is inherited by the command besides privileges.
func (r *runner) limit() error {
	unix.Umask(0o022)
	if r.CPUs > 0 {
		if err := firstCPUs(r.CPUs); err != nil {
			return &stageError{stageLimits, "processors", err}
		}
	}
	for _, l := range []struct {
		name       string
		resource   int
		soft, hard uint64
	}{
		{"core size", unix.RLIMIT_CORE, 0, 0},
		{"open files", unix.RLIMIT_NOFILE, uint64(orDefault(r.Limits.OpenFiles, defaultOpenFiles)), uint64(orDefault(r.Limits.OpenFiles, defaultOpenFiles))},
		{"processes", unix.RLIMIT_NPROC, uint64(orDefault(r.Limits.Processes, defaultProcesses)), uint64(orDefault(r.Limits.Processes, defaultProcesses))},
		{"stack", unix.RLIMIT_STACK, 8 << 20, unix.RLIM_INFINITY},
	} {
		var have unix.Rlimit
		if err := unix.Getrlimit(l.resource, &have); err != nil {
			return &stageError{stageLimits, l.name, err}
		}
		// A hard limit cannot be raised without privilege in the first user
		// namespace.
		want := unix.Rlimit{Cur: min(l.soft, have.Max), Max: min(l.hard, have.Max)}
		if err := unix.Setrlimit(l.resource, &want); err != nil {
			return &stageError{stageLimits, l.name, err}
		}
	}
	return nil
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

// dropPrivileges leaves this thread, and what it forks, without any way to
// get a capability again.
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

// The id calls of the standard library change all threads; only the locked
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

// installFilter loads the system call filter into this thread.
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
