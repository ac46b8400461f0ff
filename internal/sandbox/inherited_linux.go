package sandbox

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Besides credentials, descriptors, directories and limits, a process passes on
// to its children: signal dispositions and the signal mask (fork(2),
// execve(2)), the scheduling policy, nice value, I/O priority, processor
// affinity, memory policy, timer slack, personality and several prctl(2)
// settings of the thread, and the OOM score and core dump filter of the
// process. A step must have the same values however espalier was started.
//
// The launcher resets the attributes of the thread before it clones, because
// raising a priority requires a privilege in the initial user namespace; the
// runner resets signals, limits and the keyring.

// resetThread resets the calling thread, and thereby the processes that it
// clones, to the kernel's defaults. The caller must have locked its goroutine
// to the thread and must not unlock it: other goroutines must not use the
// thread afterwards.
//
// An unprivileged caller cannot raise its priority again (nice(2), SCHED_IDLE),
// so errors are ignored: attributes that the kernel refuses to reset remain,
// see docs/sandbox.md.
func resetThread() {
	// The policy first: it determines whether the nice value applies. Policy 0
	// is SCHED_OTHER, whose only priority is 0.
	var priority int32
	_, _, _ = unix.RawSyscall(unix.SYS_SCHED_SETSCHEDULER, 0, 0, uintptr(unsafe.Pointer(&priority)))
	_ = unix.Setpriority(unix.PRIO_PROCESS, 0, 0)
	_, _, _ = unix.RawSyscall(unix.SYS_IOPRIO_SET, ioprioWhoProcess, 0, 0)
	var all unix.CPUSet
	for i := range all {
		all[i] = ^all[i]
	}
	_ = unix.SchedSetaffinity(0, &all) // the kernel ignores processors that do not exist or are not in the cpuset
	_, _, _ = unix.RawSyscall(unix.SYS_SET_MEMPOLICY, 0, 0, 0)
	_, _, _ = unix.RawSyscall(unix.SYS_PERSONALITY, 0, 0, 0)
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, defaultTimerSlack, 0, 0, 0)
	_ = unix.Prctl(unix.PR_SET_THP_DISABLE, 0, 0, 0, 0)
	_ = unix.Prctl(unix.PR_SET_TSC, unix.PR_TSC_ENABLE, 0, 0, 0)
	_ = unix.Prctl(unix.PR_MCE_KILL, unix.PR_MCE_KILL_CLEAR, 0, 0, 0)
}

const (
	ioprioWhoProcess  = 1
	defaultTimerSlack = 50_000 // ns, of process 1
)

// resetProcess resets the attributes of a process, a number or "self", that can
// only be written in /proc. The launcher calls it while the runner waits for its
// specification, since the runner may not be allowed to; the runner calls it for
// itself, too, since the launcher's write is lost when it falls into an execve of
// resetSignals.
func resetProcess(pid string) {
	_ = os.WriteFile("/proc/"+pid+"/oom_score_adj", []byte("0"), 0)
	_ = os.WriteFile("/proc/"+pid+"/coredump_filter", []byte("0x33"), 0)
}

// lastSignal is the highest signal number of Linux on amd64 and arm64.
const lastSignal = 64

// resetSignals returns when no signal is ignored or blocked. Otherwise it
// resets them and executes this program again: the Go runtime keeps the mask
// with which the process started and restores it in every child, and it does
// not change an ignored SIGHUP (nohup(1)) or SIGINT.
//
// The caller must have locked its goroutine to the thread. Signals that the
// runtime always unblocks for itself (SIGPROF and those of faults) are not
// detected, so a mask of only those remains.
func resetSignals() error {
	// struct sigaction of the kernel: handler, flags, restorer, mask; all zero
	// is SIG_DFL. A handler of 1 is SIG_IGN.
	var def [4]uint64
	changed := false
	for sig := uintptr(1); sig <= lastSignal; sig++ {
		var old [4]uint64
		_, _, e := unix.RawSyscall6(unix.SYS_RT_SIGACTION, sig, 0, uintptr(unsafe.Pointer(&old)), 8, 0, 0)
		if e != 0 || old[0] != 1 {
			continue
		}
		_, _, e = unix.RawSyscall6(unix.SYS_RT_SIGACTION, sig, uintptr(unsafe.Pointer(&def)), 0, 8, 0, 0)
		if e != 0 {
			return fmt.Errorf("signal %d: %w", sig, e)
		}
		changed = true
	}
	var none, mask uint64
	if _, _, e := unix.RawSyscall6(unix.SYS_RT_SIGPROCMASK, unix.SIG_BLOCK, 0, uintptr(unsafe.Pointer(&mask)), 8, 0, 0); e != 0 {
		return e
	}
	if !changed && mask == 0 {
		return nil
	}
	if _, _, e := unix.RawSyscall6(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&none)), 0, 8, 0, 0); e != 0 {
		return e
	}
	return unix.Exec("/proc/self/exe", os.Args, os.Environ())
}

// joinNewKeyring replaces the session keyring of this process and its children
// by an empty one. Errors are ignored: without keyrings, or where a container
// forbids them, there is nothing to hide.
func joinNewKeyring() {
	_, _ = unix.KeyctlInt(unix.KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0) // 0: without a name
}
