package sandbox

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"espalier.dev/espalier/internal/fault"
)

// Without namespaces (--no-sandbox) a step runs in a change root: files, paths
// and user are those of the sandbox. Differences: the host's name, its
// processes' clocks and, for local sockets, its network are visible; there is
// no /proc; processes are found and killed at the end, which a program that
// forks continuously can escape. Therefore results are never hermetic. This
// needs root, as inside most containers.

const weakRunnerName = "espalier-weak-runner"

// weakSpec is the specification that the launcher sends to the runner.
type weakSpec struct {
	spec
	Root string // host directory that becomes the root
}

// runWeak runs the step in a change root.
func (j *job) runWeak(ctx context.Context) (int, string, error) {
	if err := j.check(); err != nil {
		return 0, "", err
	}
	if os.Geteuid() != 0 {
		return 0, "", fault.New(fault.Sandbox,
			"running without a sandbox: the step's file system has to become the root, and only root may do that without namespaces",
			"sudo espalier ... --no-sandbox", "espalier doctor   # what keeps the sandbox from working here: it needs no root")
	}
	if !mapped(j.uid()) {
		return 0, "", fault.New(fault.Sandbox, fmt.Sprintf(
			"running without a sandbox: the step runs as user %d, and this container has one user only", j.uid()), oneUserHints...)
	}
	root, unlock, err := j.weakRoot()
	if err != nil {
		return 0, "", fault.Wrap(fault.Usage, err, "preparing the file system for a step without a sandbox")
	}
	defer unlock()
	sp, _, err := j.prepare(mode{}, 0)
	if err != nil {
		return 0, "", err
	}
	// Directories cannot be mounted: they are moved to their paths, and back
	// for the outputs.
	moved, err := j.movePlaces(sp, root)
	if err != nil {
		return 0, "", fault.Wrap(fault.Usage, err, "preparing the file system for a step without a sandbox")
	}
	l := launched{program: weakRunnerName, stdio: j.stdio, gentle: true}
	code, err := launch(ctx, weakSpec{*sp, root}, false, false, sp.UID, l)
	for i := len(moved) - 1; i >= 0; i-- {
		if back := os.Rename(moved[i][1], moved[i][0]); back != nil && err == nil {
			err = back
		}
	}
	var se *stageError
	if errors.As(err, &se) {
		if se.stage == stageCommand {
			return 0, "", j.cannotStart(se)
		}
		return 0, "", fault.Wrap(fault.Sandbox, se.err, "running without a sandbox ("+strings.TrimSpace(se.stage+" "+se.what)+")",
			"the container or machine must leave root the rights SYS_CHROOT, SETUID, SETGID and CHOWN: docker run without --cap-drop")
	}
	return code, j.written["out"].dir, err
}

// weakRoot returns a copy of the rootfs to run in. Copies are kept next to the
// temporary directories and reused: they belong to root, and the command does
// not run as root. Each is used by one run at a time.
func (j *job) weakRoot() (dir string, unlock func(), err error) {
	base := filepath.Join(filepath.Dir(j.scratch.dir), weakPrefix+filepath.Base(j.trees["rootfs"]))
	now := time.Now()
	for n := 0; ; n++ {
		dir = base + "-" + strconv.Itoa(n)
		lock, err := os.OpenFile(dir+weakSuffix, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return "", nil, err
		}
		if !tryLock(lock) {
			lock.Close()
			continue
		}
		unlock = func() { lock.Close() }
		_ = os.Chtimes(lock.Name(), now, now)
		if _, err := os.Stat(dir); err != nil {
			fresh := dir + ".new"
			err := removeAll(fresh)
			if err == nil {
				err = copyTree(j.trees["rootfs"], fresh, copyOptions{})
			}
			if err == nil {
				err = os.Rename(fresh, dir)
			}
			if err != nil {
				unlock()
				return "", nil, err
			}
		}
		if err := j.cleanWeakRoot(dir); err != nil {
			unlock()
			return "", nil, err
		}
		return dir, unlock, nil
	}
}

// Names of the copies: weak-<tree>-<n>, with the lock file next to it.
const (
	weakPrefix = "weak-"
	weakSuffix = ".use"
	weakAge    = 14 * 24 * time.Hour
)

// sweepWeakRoot removes a copy that has not been used for a long time. name is
// any of the files that belong to it; it acts on the lock file only.
func sweepWeakRoot(name string) {
	dir, ok := strings.CutSuffix(name, weakSuffix)
	st, err := os.Stat(name)
	if !ok || err != nil || time.Since(st.ModTime()) < weakAge {
		return
	}
	lock, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return
	}
	defer lock.Close()
	if tryLock(lock) && removeAll(dir) == nil && removeAll(dir+".new") == nil {
		_ = os.Remove(name)
	}
}

// cleanWeakRoot empties the writable directories of the layout.
func (j *job) cleanWeakRoot(root string) error {
	for _, p := range mountPoints {
		if strings.Contains(p, "/") {
			continue
		}
		if err := removeAll(filepath.Join(root, p)); err != nil {
			return err
		}
	}
	for _, p := range mountPoints {
		if err := os.Mkdir(filepath.Join(root, p), 0o755); err != nil {
			return err
		}
	}
	uid := j.uid()
	for _, err := range []error{
		os.Chmod(filepath.Join(root, "tmp"), os.ModeSticky|0o777),
		os.Chown(filepath.Join(root, "home", "espalier"), uid, uid),
		os.Chmod(root, 0o755),
	} {
		if err != nil {
			return err
		}
	}
	etc := filepath.Join(root, "etc")
	if st, err := os.Lstat(etc); err != nil || !st.IsDir() {
		_ = os.Remove(etc)
		if err := os.Mkdir(etc, 0o755); err != nil {
			return err
		}
	}
	return makeDeviceFiles(filepath.Join(root, "dev"))
}

// makeDeviceFiles makes the files in /dev, as far as possible. A container may
// forbid all of them: for programs that write to the null device, a regular
// file is sufficient.
func makeDeviceFiles(dev string) error {
	for _, d := range devices {
		name := filepath.Join(dev, d.name)
		err := unix.Mknod(name, unix.S_IFCHR|0o666, int(unix.Mkdev(d.major, d.minor)))
		if err == nil {
			err = os.Chmod(name, 0o666)
		}
		if err != nil && d.name == "null" {
			_ = os.Remove(name)
			if err := os.WriteFile(name, nil, 0o666); err != nil {
				return err
			}
			if err := os.Chmod(name, 0o666); err != nil {
				return err
			}
		}
	}
	if err := os.Mkdir(filepath.Join(dev, "shm"), 0o777); err != nil {
		return err
	}
	return os.Chmod(filepath.Join(dev, "shm"), os.ModeSticky|0o777)
}

// movePlaces moves the prepared directories to their paths and returns pairs of
// old and new path. It writes the skeleton files.
func (j *job) movePlaces(sp *spec, root string) (moved [][2]string, err error) {
	for _, f := range sp.Files {
		p := filepath.Join(root, filepath.FromSlash(f.Path))
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			return nil, err
		}
		_ = os.Remove(p) // may be a link
		if err := os.WriteFile(p, f.Data, 0o644); err != nil {
			return nil, err
		}
	}
	for _, m := range sp.Mounts {
		from, at := m.Upper, filepath.Join(root, filepath.FromSlash(m.At))
		if from == "" { // read-only trees belong to root
			from = filepath.Join(j.scratch.dir, "copy-"+strings.ReplaceAll(m.At, "/", "-"))
			if err := copyTree(m.Lower, from, copyOptions{}); err != nil {
				return nil, err
			}
		}
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			return nil, err
		}
		if err := removeAll(at); err != nil {
			return nil, err
		}
		if err := os.Rename(from, at); err != nil {
			return nil, err
		}
		if m.Upper != "" {
			moved = append(moved, [2]string{from, at})
		}
	}
	return moved, nil
}

func weakRunnerMain() {
	runtime.LockOSThread()
	if err := resetSignals(); err != nil {
		fmt.Fprintln(os.Stderr, "resetting signals:", err)
		os.Exit(1)
	}
	closeAllOnExec()
	joinNewKeyring()
	ctl := &control{f: os.NewFile(fdControl, "control")}
	in := bufio.NewReader(ctl.f)
	var sp weakSpec
	line, err := in.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &sp)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "reading the specification:", err)
		os.Exit(1)
	}
	// Orphans become children of this process, so that all can be found.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		fmt.Fprintln(os.Stderr, "becoming the reaper:", err)
		os.Exit(1)
	}
	proc, err := os.OpenRoot("/proc") // the change root has none
	if err != nil {
		fmt.Fprintln(os.Stderr, "opening /proc:", err)
		os.Exit(1)
	}
	go func() {
		_, _ = in.ReadByte() // the launcher has ended, or requests the end
		killAll(proc)
		os.Exit(1)
	}()
	r := &runner{spec: sp.spec, ctl: ctl}
	pid, err := r.startWeak(sp.Root)
	if err != nil {
		ctl.fail(err)
		os.Exit(1)
	}
	ctl.send(message{Started: true})
	code := reap(pid)
	done := make(chan struct{})
	go func() { // this thread has no permission to signal other users' processes any more
		killAll(proc)
		close(done)
	}()
	<-done
	ctl.send(message{Ended: true, Code: code})
	os.Exit(0)
}

// startWeak starts the command in a change root.
func (r *runner) startWeak(root string) (int, error) {
	if err := unix.Chroot(root); err != nil {
		return 0, &stageError{stagePivot, "change root", err}
	}
	if err := unix.Chdir("/"); err != nil {
		return 0, &stageError{stagePivot, "", err}
	}
	if err := r.limit(); err != nil {
		return 0, err
	}
	r.SetGroups = true
	if err := r.dropPrivileges(); err != nil {
		return 0, err
	}
	families := localFamilies[:]
	if r.Network {
		families = networkFamilies[:]
	}
	if err := installFilter(families); err != nil {
		return 0, &stageError{stageSeccomp, "", err}
	}
	return r.fork([]uintptr{fdStdin, fdStdout, fdStderr})
}

// killAll kills every descendant of this process. Children of killed processes
// become children of this process, so it repeats until there are none.
func killAll(proc *os.Root) {
	me := os.Getpid()
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); {
		children := childrenOf(proc, me)
		for _, pid := range children {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
		for _, pid := range children {
			_, _ = unix.Wait4(pid, nil, 0, nil)
		}
		if len(children) == 0 {
			return
		}
	}
}

// childrenOf lists the children of a process (proc(5), /proc/pid/stat).
func childrenOf(proc *os.Root, parent int) []int {
	entries, err := fs.ReadDir(proc.FS(), ".")
	if err != nil {
		return nil
	}
	var out []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		b, err := proc.ReadFile(e.Name() + "/stat")
		if err != nil {
			continue
		}
		// The program's name may contain any character; it ends at the last
		// ")".
		i := bytes.LastIndexByte(b, ')')
		if f := strings.Fields(string(b[i+1:])); len(f) > 1 && f[1] == strconv.Itoa(parent) {
			out = append(out, pid)
		}
	}
	return out
}
