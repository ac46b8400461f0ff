package sandbox

import (
	"context"
	"io"
	"os"
	"os/signal"
	"sync"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"espalier.dev/espalier/internal/action"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/store"
)

func (l Local) shell(ctx context.Context, st *store.Store, step action.Step, in, out *os.File) (int, error) {
	if len(step.Argv) == 0 {
		if l.NoSandbox { // there is no /proc
			return 0, fault.New(fault.Usage, "shell: without the sandbox there is no prompt, only commands", "espalier shell --no-sandbox -- cargo -V")
		}
		step.Argv = []string{selfProgram}
	}
	s, err := newScratch(l.scratchBase(st))
	if err != nil {
		return 0, err
	}
	defer s.remove()
	j := &job{Local: l, step: step, scratch: s}
	if _, err := j.resolve(ctx, st, false); err != nil {
		return 0, err
	}
	return j.runShell(ctx, in, out)
}

// runShell runs the job with the caller's terminal, or with the plain streams.
func (j *job) runShell(ctx context.Context, in, out *os.File) (int, error) {
	if j.NoSandbox || !term.IsTerminal(int(in.Fd())) || !term.IsTerminal(int(out.Fd())) {
		j.stdio = [3]*os.File{in, out, os.Stderr}
		code, _, err := j.runAny(ctx)
		return code, err
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return 0, fault.Wrap(fault.Sandbox, err, "opening the null device")
	}
	defer null.Close()
	j.stdio = [3]*os.File{null, null, null}
	t, err := newTerminal(in, out)
	if err != nil {
		return 0, err
	}
	defer t.close()
	j.shell = t
	code, _, err := j.run(ctx)
	return code, err
}

// terminal connects the caller's terminal to one inside the sandbox. The
// command never has access to the caller's: it could insert characters into it,
// which the caller's shell would read afterwards.
type terminal struct {
	in, out    *os.File
	wakeRead   *os.File
	wakeWrite  *os.File
	signals    chan os.Signal
	before     *term.State
	master     *os.File
	input      sync.WaitGroup // caller to command, and window sizes
	output     sync.WaitGroup // command to caller
	attachOnce sync.Once
}

func newTerminal(in, out *os.File) (*terminal, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	return &terminal{in: in, out: out, wakeRead: r, wakeWrite: w, signals: make(chan os.Signal, 1)}, nil
}

// attach is called with the master end as soon as it exists.
func (t *terminal) attach(master *os.File) {
	t.attachOnce.Do(func() {
		t.master = master
		t.resize()
		before, err := term.MakeRaw(int(t.in.Fd()))
		if err == nil {
			t.before = before
		}
		signal.Notify(t.signals, unix.SIGWINCH)
		t.input.Go(func() {
			for range t.signals {
				t.resize()
			}
		})
		t.input.Go(t.pump)
		t.output.Go(func() { _, _ = io.Copy(t.out, master) }) // EIO when the last process has ended
	})
}

// resize sets the size of the inner terminal to that of the outer one.
func (t *terminal) resize() {
	if ws, err := unix.IoctlGetWinsize(int(t.in.Fd()), unix.TIOCGWINSZ); err == nil {
		_ = unix.IoctlSetWinsize(int(t.master.Fd()), unix.TIOCSWINSZ, ws)
	}
}

// pump copies the input. It polls, so that it ends without consuming a key that
// is meant for the caller's shell.
func (t *terminal) pump() {
	buf := make([]byte, 4096)
	for {
		fds := []unix.PollFd{{Fd: int32(t.in.Fd()), Events: unix.POLLIN}, {Fd: int32(t.wakeRead.Fd()), Events: unix.POLLIN}}
		if _, err := unix.Poll(fds, -1); err == unix.EINTR {
			continue
		} else if err != nil || fds[1].Revents != 0 {
			return
		}
		if fds[0].Revents == 0 {
			continue
		}
		n, err := unix.Read(int(t.in.Fd()), buf)
		if err == unix.EINTR {
			continue
		}
		if n <= 0 || err != nil {
			return
		}
		if _, err := t.master.Write(buf[:n]); err != nil {
			return
		}
	}
}

// close waits for the rest of the output and restores the caller's terminal.
func (t *terminal) close() {
	t.output.Wait()
	t.wakeWrite.Close()
	signal.Stop(t.signals)
	close(t.signals)
	t.input.Wait()
	t.wakeRead.Close()
	if t.before != nil {
		_ = term.Restore(int(t.in.Fd()), t.before)
	}
	if t.master != nil {
		t.master.Close()
	}
}
