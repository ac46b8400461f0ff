package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"espalier.dev/espalier/internal/fault"
)

// launched are the launcher's parameters besides the spec.
type launched struct {
	program  string      // name of the runner, which selects its function
	stdio    [3]*os.File // of the command
	flags    uintptr     // clone flags
	gentle   bool        // the runner kills its children itself when requested; killing the runner would leave them running
	onStage  func(string)
	onMaster func(*os.File)
	onEnd    func(message)
}

// runnerEnv is the runner's environment, which the command does not get. The
// runner needs one thread, and one that was built with the race detector would
// sleep for a second before it ends.
var runnerEnv = [...]string{"GOMAXPROCS=1", "GOGC=off", "GORACE=atexit_sleep_ms=0"}

// launch starts the runner, sends it the specification and waits until it and
// all its descendants have ended. It returns the command's exit code, or a
// *stageError, or a fault.
func launch(ctx context.Context, sp any, userNS, setGroups bool, uid int, l launched) (int, error) {
	type result struct {
		code int
		err  error
	}
	done := make(chan result, 1)
	go func() {
		// The kernel sends the parent-death signal when the thread that forked
		// ends, and the scheduler ends threads: this thread must live as long
		// as the runner. It is never unlocked, so it ends with this goroutine,
		// because its scheduling attributes have been changed.
		runtime.LockOSThread()
		resetThread()
		code, err := launchLocked(ctx, sp, userNS, setGroups, uid, l)
		done <- result{code, err}
	}()
	r := <-done
	// A gentle runner reports itself that the command was killed.
	if err := ctx.Err(); err != nil && (r.err != nil || l.gentle) {
		return 0, endedBy(ctx)
	}
	return r.code, r.err
}

// endedBy is the fault for a context that has ended.
func endedBy(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fault.Wrap(fault.Timeout, context.Cause(ctx), "the step was stopped")
	}
	return fault.Wrap(fault.Interrupted, context.Cause(ctx), "the step was stopped")
}

func launchLocked(ctx context.Context, sp any, userNS, setGroups bool, uid int, l launched) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	line, err := json.Marshal(sp)
	if err != nil {
		return 0, err
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("socketpair: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "control"), os.NewFile(uintptr(pair[1]), "control")
	defer ours.Close()
	diagRead, diagWrite, err := os.Pipe()
	if err != nil {
		theirs.Close()
		return 0, err
	}
	defer diagRead.Close()

	cmd := &exec.Cmd{
		Path:       "/proc/self/exe",
		Args:       []string{l.program},
		Env:        runnerEnv[:],
		Dir:        "/",
		Stderr:     diagWrite,
		ExtraFiles: []*os.File{theirs, l.stdio[0], l.stdio[1], l.stdio[2]},
		SysProcAttr: &syscall.SysProcAttr{
			Setsid:     true, // Ctrl-C is sent to espalier only, which then ends the step
			Cloneflags: l.flags,
		},
	}
	if l.flags&unix.CLONE_NEWPID != 0 {
		cmd.SysProcAttr.Pdeathsig = unix.SIGKILL
	}
	if userNS {
		a := cmd.SysProcAttr
		a.Cloneflags |= unix.CLONE_NEWUSER
		a.UidMappings = []syscall.SysProcIDMap{{ContainerID: uid, HostID: os.Geteuid(), Size: 1}}
		a.GidMappings = []syscall.SysProcIDMap{{ContainerID: uid, HostID: os.Getegid(), Size: 1}}
		a.GidMappingsEnableSetgroups = setGroups
		// The program is executed as an ordinary user of the new namespace and
		// would lose its capabilities otherwise.
		a.AmbientCaps = setUpCapabilities
	}
	err = cmd.Start()
	if errors.Is(err, unix.EINVAL) && l.flags&unix.CLONE_NEWCGROUP != 0 { // kernel before 4.6
		again := *cmd.SysProcAttr
		again.Cloneflags &^= unix.CLONE_NEWCGROUP
		cmd = &exec.Cmd{Path: cmd.Path, Args: cmd.Args, Env: cmd.Env, Dir: cmd.Dir, Stderr: cmd.Stderr, ExtraFiles: cmd.ExtraFiles, SysProcAttr: &again}
		err = cmd.Start()
	}
	theirs.Close()
	diagWrite.Close()
	if err != nil {
		stage := stageClone
		if errors.Is(err, unix.ENOENT) {
			stage = stageExec
		}
		var errno syscall.Errno
		if errors.As(err, &errno) {
			err = errno
		}
		return 0, &stageError{stage, "", err}
	}

	diag := make(chan string, 1)
	go func() {
		b, _ := io.ReadAll(io.LimitReader(diagRead, 64<<10))
		_, _ = io.Copy(io.Discard, diagRead)
		diag <- strings.TrimSpace(string(b))
	}()
	end := func() { _ = cmd.Process.Kill() }
	if l.gentle {
		end = func() { _ = unix.Shutdown(pair[0], unix.SHUT_WR) }
	}
	stop := context.AfterFunc(ctx, end)
	defer stop()

	resetProcess(strconv.Itoa(cmd.Process.Pid)) // the runner waits for its specification
	_, sendErr := ours.Write(append(line, '\n'))
	last, recvErr := receive(int(ours.Fd()), l)
	ours.Close() // a runner without a PID namespace kills its children now
	waitErr := cmd.Wait()
	trouble := <-diag
	switch {
	case last.Ended:
		if l.onEnd != nil {
			l.onEnd(last)
		}
		return last.Code, nil
	case last.Errno != 0 || last.Text != "":
		var err error = errors.New(last.Text)
		what := ""
		if last.Errno != 0 {
			err, what = syscall.Errno(last.Errno), last.Text
		}
		return 0, &stageError{last.Stage, what, err}
	case ctx.Err() != nil:
		return 0, ctx.Err()
	case waitErr == nil && recvErr == nil && sendErr == nil:
		return 0, nil // a probe that passed
	case trouble != "":
		return 0, fault.Newf(fault.Bug, "the sandbox runner failed: %s", trouble)
	}
	// Something else killed it, most likely the kernel for lack of memory.
	return 0, fault.Wrap(fault.Build, errors.Join(waitErr, recvErr, sendErr), "the sandbox runner was killed by another process",
		"look for the out-of-memory killer: dmesg | tail", "build with fewer jobs")
}

// setUpCapabilities are those that the runner needs for mounts, copy-up in
// overlays (which uses the mounter's rights), the loopback interface and
// dropping them all.
var setUpCapabilities = []uintptr{
	unix.CAP_CHOWN, unix.CAP_DAC_OVERRIDE, unix.CAP_DAC_READ_SEARCH, unix.CAP_FOWNER, unix.CAP_FSETID,
	unix.CAP_SETGID, unix.CAP_SETUID, unix.CAP_SETPCAP, unix.CAP_NET_ADMIN, unix.CAP_SYS_CHROOT,
	unix.CAP_SYS_ADMIN, unix.CAP_MKNOD, unix.CAP_SETFCAP, unix.CAP_KILL,
}

// receive reads the runner's messages until the runner closes its end, and
// returns the last one with a result.
func receive(fd int, l launched) (message, error) {
	var last message
	var pending []byte
	buf, rights := make([]byte, 4096), make([]byte, unix.CmsgSpace(4))
	for {
		n, nr, _, _, err := unix.Recvmsg(fd, buf, rights, unix.MSG_CMSG_CLOEXEC)
		if err == unix.EINTR {
			continue
		}
		if err == unix.ECONNRESET || n == 0 && err == nil {
			return last, nil
		}
		if err != nil {
			return last, fmt.Errorf("recvmsg: %w", err)
		}
		if nr > 0 {
			takeMaster(rights[:nr], l)
		}
		pending = append(pending, buf[:n]...)
		for {
			i := bytes.IndexByte(pending, '\n')
			if i < 0 {
				break
			}
			var m message
			if err := json.Unmarshal(pending[:i], &m); err != nil {
				return last, fmt.Errorf("message of the runner: %w", err)
			}
			pending = pending[i+1:]
			switch {
			case m.Ended || m.Errno != 0 || m.Text != "":
				last = m
			case m.Stage != "" && l.onStage != nil:
				l.onStage(m.Stage)
			}
		}
	}
}

// takeMaster takes the terminal's master end from a message.
func takeMaster(rights []byte, l launched) {
	msgs, err := unix.ParseSocketControlMessage(rights)
	if err != nil {
		return
	}
	for i := range msgs {
		fds, err := unix.ParseUnixRights(&msgs[i])
		if err != nil {
			continue
		}
		for _, fd := range fds {
			f := os.NewFile(uintptr(fd), "terminal")
			if l.onMaster == nil {
				f.Close()
				continue
			}
			l.onMaster(f)
		}
	}
}
