package sandbox

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// The runner is process 1 of the sandbox. It sets up the mounts, starts the
// command as its child, reaps orphans, and ends when the command has ended; the
// kernel then kills every other process of the PID namespace. The command
// itself cannot be process 1, which ignores signals without a handler and would
// not reap orphans.

// stageError is a failed stage.
type stageError struct {
	stage string
	what  string // such as "/dev/null"; may be empty
	err   error
}

func (e *stageError) Error() string {
	if e.what == "" {
		return e.stage + ": " + e.err.Error()
	}
	return e.stage + ": " + e.what + ": " + e.err.Error()
}

func (e *stageError) Unwrap() error { return e.err }

func runnerMain() {
	// Credentials, capabilities and the system call filter belong to a thread;
	// the child gets those of the thread that forks it.
	runtime.LockOSThread()
	if err := resetSignals(); err != nil {
		fmt.Fprintln(os.Stderr, "resetting signals:", err)
		os.Exit(1)
	}
	closeAllOnExec()
	resetProcess("self")
	joinNewKeyring()
	ctl := &control{f: os.NewFile(fdControl, "control")}
	in := bufio.NewReader(ctl.f)
	var sp spec
	line, err := in.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &sp)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "reading the specification:", err)
		os.Exit(1)
	}
	// The launcher never writes again: the end of the stream means that it has
	// ended. The parent-death signal alone is not sufficient, because the
	// kernel sends it when the launching *thread* ends.
	go func() {
		_, _ = in.ReadByte()
		os.Exit(1)
	}()

	r := &runner{spec: sp, ctl: ctl}
	pid, err := r.start()
	if err != nil {
		ctl.fail(err)
		os.Exit(1)
	}
	if sp.ProbeOnly {
		os.Exit(0)
	}
	ctl.send(message{Started: true})
	last := message{Ended: true}
	if r.tracer != nil {
		last.Code = r.tracer.reap()
		endAll()
		last.Observed, last.Blind = r.tracer.observer.result()
	} else {
		last.Code, last.Blind = reap(pid), r.blind
	}
	ctl.send(last)
	os.Exit(0)
}

// closeAllOnExec closes every other descriptor when the command is executed,
// including those that espalier inherited from its caller.
func closeAllOnExec() {
	if unix.CloseRange(fdControl, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC) == nil {
		return
	}
	entries, err := os.ReadDir("/proc/self/fd") // kernel before 5.11
	if err != nil {
		return
	}
	for _, e := range entries {
		if fd, err := strconv.Atoi(e.Name()); err == nil && fd >= fdControl {
			unix.CloseOnExec(fd)
		}
	}
}

// control is the runner's end of the socket to the launcher.
type control struct{ f *os.File }

func (c *control) send(m message) { c.sendWith(m, nil) }

// fail reports a failed stage.
func (c *control) fail(err error) {
	m := message{Text: err.Error()}
	var se *stageError
	if errors.As(err, &se) {
		m.Stage, m.Text = se.stage, se.what
	}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		m.Errno = int(errno)
	} else if se != nil {
		m.Text = se.Error()
	}
	c.send(m)
}

func (c *control) sendWith(m message, rights []byte) {
	b, err := json.Marshal(m)
	if err != nil {
		return
	}
	// If the launcher has ended, the reading goroutine detects it.
	_ = unix.Sendmsg(fdControl, append(b, '\n'), rights, nil, 0)
}

// reap waits for children until the command has ended, and forwards signals to
// it.
func reap(command int) int {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT, unix.SIGUSR1, unix.SIGUSR2)
	go func() {
		for s := range signals {
			_ = unix.Kill(-command, s.(syscall.Signal)) // it is the leader of a process group
		}
	}()
	for {
		var ws unix.WaitStatus
		pid, err := unix.Wait4(-1, &ws, 0, nil)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return 255
		case pid != command:
			continue
		case ws.Signaled():
			return 128 + int(ws.Signal())
		case ws.Exited():
			return ws.ExitStatus()
		}
	}
}

// commandPID is the command's process id inside.
const commandPID = 100

// runner sets one sandbox up.
type runner struct {
	spec
	ctl  *control
	root int // O_PATH descriptor of the new root
	pids int // /proc/sys/kernel/ns_last_pid, or -1

	tracer *tracer // of a command whose child processes are observed
	blind  string  // why they are not
}

// start runs all stages and returns the command's process id.
func (r *runner) start() (int, error) {
	r.pids = -1
	if fd, err := unix.Open("/proc/sys/kernel/ns_last_pid", unix.O_WRONLY|unix.O_CLOEXEC, 0); err == nil {
		r.pids = fd
	}
	if err := r.mountAll(); err != nil {
		return 0, err
	}
	stdio := []uintptr{fdStdin, fdStdout, fdStderr}
	if r.Terminal {
		slave, err := r.openTerminal()
		if err != nil {
			return 0, &stageError{stageTerminal, "", err}
		}
		stdio = []uintptr{uintptr(slave), uintptr(slave), uintptr(slave)}
	}
	if err := r.pivot(); err != nil {
		return 0, &stageError{stagePivot, "", err}
	}
	r.passed(stagePivot)
	if err := r.limit(); err != nil {
		return 0, err
	}
	r.passed(stageLimits)
	if r.pids >= 0 {
		// Our own threads used a varying number of process ids; the command
		// gets the same one each time, for programs that use it in file names.
		// Kernels without checkpoint support do not support this.
		_, _ = unix.Write(r.pids, []byte(strconv.Itoa(commandPID-1)))
		unix.Close(r.pids)
	}
	if err := r.dropPrivileges(); err != nil {
		return 0, err
	}
	r.passed(stagePrivilege)
	families := isolatedFamilies[:]
	if r.Network {
		families = networkFamilies[:]
	}
	if r.Observe && !r.ProbeOnly {
		if pid, err := r.forkObserved(families, stdio); err == nil {
			return pid, nil
		} else {
			r.blind = err.Error()
		}
	}
	if err := installFilter(families); err != nil {
		return 0, &stageError{stageSeccomp, "", err}
	}
	r.passed(stageSeccomp)
	if r.ProbeOnly {
		return 0, nil
	}
	// Only the locked thread is restricted so far; the command must have no
	// access to the rest of this process: when it is not dumpable, /proc/1
	// belongs to no user of the sandbox and its memory cannot be read.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return 0, &stageError{stagePrivilege, "not dumpable", err}
	}
	return r.fork(stdio)
}

// attr describes the command's process.
func (r *runner) attr(stdio []uintptr) *syscall.ProcAttr {
	return &syscall.ProcAttr{
		Dir:   r.Dir,
		Env:   r.Env,
		Files: stdio,
		Sys:   &syscall.SysProcAttr{Setsid: true, Setctty: r.Terminal, Ctty: 0},
	}
}

// forkObserved starts the command so that its child processes are observed.
// The command installs the filter itself; this thread has none.
func (r *runner) forkObserved(families []uint32, stdio []uintptr) (int, error) {
	base := filterProgram(families)
	if !canObserve || len(base) == 0 {
		return 0, errors.ErrUnsupported
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return 0, err
	}
	t, err := forkTraced(r.Argv[0], r.Argv, r.attr(stdio), base, newObserver())
	if err != nil {
		return 0, err
	}
	r.tracer = t
	r.closeStdio(stdio)
	return t.command, nil
}

// fork starts the command from this thread, with its restrictions.
func (r *runner) fork(stdio []uintptr) (int, error) {
	argv := r.Argv
	if argv[0] == selfProgram {
		argv = []string{shellName}
	}
	pid, err := syscall.ForkExec(r.Argv[0], argv, r.attr(stdio))
	if err != nil {
		return 0, &stageError{stageCommand, r.Argv[0], err}
	}
	r.closeStdio(stdio)
	return pid, nil
}

// closeStdio closes the runner's copies of the command's descriptors.
func (r *runner) closeStdio(stdio []uintptr) {
	for _, fd := range []int{fdStdin, fdStdout, fdStderr} {
		unix.Close(fd)
	}
	if r.Terminal {
		unix.Close(int(stdio[0]))
	}
}

// endAll ends all processes of the step that are left, as the kernel does when
// the runner ends, so that the observation is complete.
func endAll() {
	_ = unix.Kill(-1, unix.SIGKILL)
	for {
		var ws unix.WaitStatus
		if _, err := unix.Wait4(-1, &ws, unix.WALL, nil); err != nil && err != unix.EINTR {
			return
		}
	}
}

func (r *runner) passed(stage string) {
	if r.ProbeOnly {
		r.ctl.send(message{Stage: stage})
	}
}
