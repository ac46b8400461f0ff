package sandbox

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// canObserve reports whether the runner can observe the processes of a step on
// this architecture.
const canObserve = true

// olderCalls are the observed calls that newer architectures do not have.
func olderCalls() []call {
	return []call{
		{unix.SYS_OPEN, 0, -1, opens},
		{unix.SYS_CREAT, 0, -1, looksUp},
		{unix.SYS_STAT, 0, -1, looksUp},
		{unix.SYS_LSTAT, 0, -1, looksUp},
		{unix.SYS_NEWFSTATAT, 1, 0, looksUp},
		{unix.SYS_ACCESS, 0, -1, looksUp},
		{unix.SYS_READLINK, 0, -1, looksUp},
		{unix.SYS_RENAME, 0, -1, reads},
		{unix.SYS_LINK, 0, -1, reads},
		{unix.SYS_SYMLINK, 0, -1, links},
		{unix.SYS_UNLINK, 0, -1, looksUp},
		{unix.SYS_RMDIR, 0, -1, looksUp},
		{unix.SYS_MKDIR, 0, -1, looksUp},
		{unix.SYS_MKNOD, 0, -1, looksUp},
		{unix.SYS_CHMOD, 0, -1, looksUp},
		{unix.SYS_CHOWN, 0, -1, looksUp},
		{unix.SYS_LCHOWN, 0, -1, looksUp},
		{unix.SYS_UTIME, 0, -1, looksUp},
		{unix.SYS_UTIMES, 0, -1, looksUp},
		{unix.SYS_FUTIMESAT, 1, 0, looksUp},
	}
}

// tracer starts a command whose child processes are observed. The command is
// traced (ptrace(2)) for one purpose: a process that it starts stops after it
// has executed its program and before the program's first instruction; there
// the tracer makes it install the observer's filter and lets it go. Filters are
// inherited, so its own children are observed, too. The command's own system
// calls are not slowed down: cargo makes most of a build's.
//
// A thread that traces must not have the sandbox's own filter, which forbids
// ptrace; so the command, too, installs that filter before its first
// instruction. All calls are made by the thread that has started the command.
type tracer struct {
	command  int
	base     []unix.SockFilter
	observer *observer
	known    map[int]bool // stopped before: the first stop of a tracee is that of attaching
}

const traceOptions = unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_TRACEFORK | unix.PTRACE_O_TRACEVFORK |
	unix.PTRACE_O_TRACEEXEC | unix.PTRACE_O_TRACESYSGOOD | unix.PTRACE_O_EXITKILL

// forkTraced starts the command; attr is that of an ordinary start. The thread
// has no privileges, and no filter.
func forkTraced(program string, argv []string, attr *syscall.ProcAttr, base []unix.SockFilter, o *observer) (*tracer, error) {
	sys := *attr.Sys
	sys.Ptrace = true
	traced := *attr
	traced.Sys = &sys
	pid, err := syscall.ForkExec(program, argv, &traced)
	if err != nil {
		return nil, err
	}
	t := &tracer{command: pid, base: base, observer: o, known: map[int]bool{pid: true}}
	if err := t.begin(); err != nil {
		_ = unix.Kill(pid, unix.SIGKILL)
		var ws unix.WaitStatus
		_, _ = unix.Wait4(pid, &ws, unix.WALL, nil)
		return nil, err
	}
	return t, nil
}

// begin puts the sandbox's filter on the command, which has stopped at its
// first instruction.
func (t *tracer) begin() error {
	var ws unix.WaitStatus
	for {
		_, err := unix.Wait4(t.command, &ws, unix.WALL, nil)
		if err == unix.EINTR {
			continue
		}
		if err != nil || !ws.Stopped() {
			return errors.Join(fmt.Errorf("the command ended before it started"), err)
		}
		break
	}
	if err := unix.PtraceSetOptions(t.command, traceOptions); err != nil {
		return fmt.Errorf("ptrace options: %w", err)
	}
	if _, err := installInto(t.command, t.base, 0); err != nil {
		return err
	}
	return unix.PtraceCont(t.command, 0)
}

// reap waits until the command has ended and returns its exit code.
func (t *tracer) reap() int {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT, unix.SIGUSR1, unix.SIGUSR2)
	go func() {
		for s := range signals {
			_ = unix.Kill(-t.command, s.(syscall.Signal))
		}
	}()
	for {
		var ws unix.WaitStatus
		pid, err := unix.Wait4(-1, &ws, unix.WALL, nil)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return 255
		case ws.Stopped():
			t.stopped(pid, ws)
		case pid != t.command:
			delete(t.known, pid)
		case ws.Signaled():
			return 128 + int(ws.Signal())
		case ws.Exited():
			return ws.ExitStatus()
		}
	}
}

// stopped handles one stop of a tracee, which continues afterwards.
func (t *tracer) stopped(pid int, ws unix.WaitStatus) {
	sig := int(ws.StopSignal())
	event := int(ws) >> 16
	first := !t.known[pid]
	t.known[pid] = true
	switch {
	case event == unix.PTRACE_EVENT_EXEC && pid != t.command:
		if err := t.observe(pid); err != nil && !errors.Is(err, unix.ESRCH) {
			t.observer.lose("observing a process: " + err.Error())
		}
		delete(t.known, pid)
		_ = unix.PtraceDetach(pid)
		return
	case event != 0, sig == int(unix.SIGTRAP), first && sig == int(unix.SIGSTOP):
		sig = 0
	case sig == int(unix.SIGSTOP), sig == int(unix.SIGTSTP), sig == int(unix.SIGTTIN), sig == int(unix.SIGTTOU):
		sig = 0 // a step has no terminal from which it could be continued
	}
	_ = unix.PtraceCont(pid, sig)
}

// observe makes a process that has just executed a program install the
// observer's filter, and takes the filter's listener.
func (t *tracer) observe(pid int) error {
	// The stop is inside of execve(2), whose end would overwrite a register.
	if err := unix.PtraceSyscall(pid, 0); err != nil {
		return err
	}
	if sig, err := waitStop(pid); err != nil || sig != unix.SIGTRAP|0x80 {
		return errors.Join(fmt.Errorf("stopped by signal %d", sig), err)
	}
	const newListener = 1 << 3 // SECCOMP_FILTER_FLAG_NEW_LISTENER
	remote, err := installInto(pid, observerProgram(), newListener)
	if err != nil {
		return err
	}
	fd, err := takeDescriptor(pid, remote)
	if err == nil {
		t.observer.listen(fd)
	}
	// Without the listener each observed call would fail in the process.
	_, closeErr := remoteCall(pid, unix.SYS_CLOSE, [6]uint64{uint64(remote)}, nil)
	return errors.Join(err, closeErr)
}

// takeDescriptor duplicates a descriptor of another process.
func takeDescriptor(pid, remote int) (int, error) {
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return -1, fmt.Errorf("pidfd_open: %w", err)
	}
	defer unix.Close(pidfd)
	fd, err := unix.PidfdGetfd(pidfd, remote, 0)
	if err != nil {
		return -1, fmt.Errorf("pidfd_getfd: %w", err)
	}
	unix.CloseOnExec(fd)
	return fd, nil
}

// installInto makes a stopped process install a system call filter.
func installInto(pid int, prog []unix.SockFilter, flags uint64) (int, error) {
	n, err := remoteCall(pid, unix.SYS_SECCOMP, [6]uint64{unix.SECCOMP_SET_MODE_FILTER, flags}, prog)
	if err != nil {
		return 0, fmt.Errorf("seccomp in process %d: %w", pid, err)
	}
	return int(n), nil
}

// redZone is the distance below the stack pointer at which the tracer writes:
// more than the 128 bytes that a function may use there, less than the 128 KiB
// that the kernel maps for a new program.
const redZone = 32 << 10

// remoteCall makes a process that is stopped at an instruction of its own make
// one system call, and restores its registers and memory. If prog is set, it is
// copied to the process and its address is the third argument.
func remoteCall(pid int, nr uint64, args [6]uint64, prog []unix.SockFilter) (int64, error) {
	var saved, regs unix.PtraceRegs
	if err := unix.PtraceGetRegs(pid, &saved); err != nil {
		return 0, err
	}
	regs = saved
	if prog != nil {
		at := uintptr(saved.Rsp-redZone) &^ 15
		var head [16]byte // struct sock_fprog
		*(*uint16)(unsafe.Pointer(&head[0])) = uint16(len(prog))
		*(*uint64)(unsafe.Pointer(&head[8])) = uint64(at) + 16
		body := unsafe.Slice((*byte)(unsafe.Pointer(&prog[0])), len(prog)*int(unsafe.Sizeof(prog[0])))
		if _, err := unix.PtracePokeData(pid, at, append(head[:], body...)); err != nil {
			return 0, err
		}
		args[2] = uint64(at)
	}
	code := uintptr(saved.Rip)
	text := make([]byte, 8)
	if _, err := unix.PtracePeekText(pid, code, text); err != nil {
		return 0, err
	}
	if _, err := unix.PtracePokeText(pid, code, []byte{0x0f, 0x05, 0xcc, 0x90, 0x90, 0x90, 0x90, 0x90}); err != nil { // syscall; int3
		return 0, err
	}
	regs.Rax, regs.Orig_rax = nr, ^uint64(0)
	regs.Rdi, regs.Rsi, regs.Rdx, regs.R10, regs.R8, regs.R9 = args[0], args[1], args[2], args[3], args[4], args[5]
	err := unix.PtraceSetRegs(pid, &regs)
	if err == nil {
		err = unix.PtraceCont(pid, 0)
	}
	var sig unix.Signal
	if err == nil {
		if sig, err = waitStop(pid); err == nil && sig != unix.SIGTRAP {
			err = fmt.Errorf("stopped by signal %d", sig)
		}
	}
	if err == nil {
		err = unix.PtraceGetRegs(pid, &regs)
	}
	_, textErr := unix.PtracePokeText(pid, code, text)
	if err := errors.Join(err, textErr, unix.PtraceSetRegs(pid, &saved)); err != nil {
		return 0, err
	}
	if result := int64(regs.Rax); result < 0 && result > -4096 {
		return 0, syscall.Errno(-result)
	}
	return int64(regs.Rax), nil
}

// waitStop waits until a process stops.
func waitStop(pid int) (unix.Signal, error) {
	for {
		var ws unix.WaitStatus
		_, err := unix.Wait4(pid, &ws, unix.WALL, nil)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return 0, err
		case !ws.Stopped():
			return 0, unix.ESRCH
		}
		return ws.StopSignal(), nil
	}
}
