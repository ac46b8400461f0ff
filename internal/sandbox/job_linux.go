package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"espalier.dev/espalier/internal/action"
	"espalier.dev/espalier/internal/fault"
)

// place is one row of the layout's table (action.Layout).
type place struct {
	input    string // "" for a folder that is never an input
	at       string // relative to the root inside
	writable bool
}

// places are mounted in this order.
var places = [...]place{
	{"src", "src", true},
	{"cargo", "cargo", true},
	{"vendor", "cargo/registry/src/v", false},
	{"git", "cargo/git/checkouts", false},
	{"target", "target", true},
	{"", "out", true},
}

// job is one step with its inputs as host folders.
type job struct {
	Local
	step    action.Step
	trees   map[string]string // input path to host folder
	ownSrc  bool              // trees["src"] is a private copy, it may be written to
	scratch *scratch
	kept    *kept // nil: /target is discarded
	stdio   [3]*os.File
	shell   *terminal // nil: no terminal

	written map[string]writtenFolder // by writable place, after prepare

	noUserNS, noOverlay bool // begin without, as on a machine that lacks them
}

// writtenFolder is where one writable place lies on the host.
type writtenFolder struct {
	dir string
	// input is the tree that dir began as a copy of, "" when dir began empty.
	// Of a copy, only what the command changed counts as written.
	input string
}

// mode is how far the machine lets us go.
type mode struct{ userNS, overlay bool }

// run runs the step and returns its exit code and the host folder of /out.
func (j *job) run(ctx context.Context) (code int, out string, err error) {
	if err := j.check(); err != nil {
		return 0, "", err
	}
	m := mode{userNS: !j.noUserNS, overlay: !j.noOverlay}
	var first error
	for attempt := 0; ; attempt++ {
		sp, out, err := j.prepare(m, attempt)
		if err != nil {
			return 0, "", err
		}
		code, err := launch(ctx, sp, m.userNS, sp.SetGroups && m.userNS, sp.UID, j.launched(sp))
		var se *stageError
		if !errors.As(err, &se) {
			return code, out, err
		}
		if first == nil {
			first = err
		}
		switch {
		case se.stage == stageCommand:
			return 0, "", j.cannotStart(se)
		case se.stage == stageOverlay && m.overlay:
			m.overlay = false
		case m.userNS && os.Geteuid() == 0 && mayGoAsRoot(se):
			// Root may have namespaces without a user namespace: in a chroot,
			// or where their number is limited to none.
			m = mode{userNS: false, overlay: !j.noOverlay}
		case se.stage == stageClone || se.stage == stagePrivilege:
			return 0, "", explain(first, hostFacts())
		default:
			return 0, "", explain(err, hostFacts())
		}
	}
}

// mayGoAsRoot reports whether another way of making namespaces may get further.
func mayGoAsRoot(e *stageError) bool {
	switch e.stage {
	case stageClone, stagePrivate, stageTmpfs, stageProc, stageDevices, stageOverlay, stageBind:
		return true
	}
	return false
}

// check finds what is wrong with the step itself.
func (j *job) check() error {
	bad := func(format string, args ...any) error {
		return fault.Newf(fault.Bug, "step %s: %w", j.step.Name, fmt.Errorf(format, args...))
	}
	if len(j.step.Argv) == 0 || !path.IsAbs(j.step.Argv[0]) {
		return bad("the program %q is not an absolute path", j.step.Argv)
	}
	if j.step.Dir != "" && !path.IsAbs(j.step.Dir) {
		return bad("the working directory %q is not absolute", j.step.Dir)
	}
	if j.trees["rootfs"] == "" {
		return bad("no rootfs")
	}
	for name := range j.trees {
		if name != "rootfs" && !slices.ContainsFunc(places[:], func(p place) bool { return p.input == name && name != "" }) {
			return bad("layout %d has no place for the input %q", action.Layout, name)
		}
	}
	for _, o := range j.step.Outputs {
		if !fs.ValidPath(strings.TrimPrefix(o, "/")) || o == "." || o == "/" {
			return bad("output %q is not a clean path", o)
		}
		if place, _ := outputPlace(o); place == "" {
			return bad("output %q does not lie in a writable place of layout %d", o, action.Layout)
		}
	}
	for k, v := range j.step.Env {
		if k == "" || strings.ContainsAny(k, "=\x00") || strings.Contains(v, "\x00") {
			return bad("environment variable %q cannot be set", k)
		}
	}
	return nil
}

// cannotStart explains why the command could not be executed.
func (j *job) cannotStart(e *stageError) error {
	program := j.step.Argv[0]
	var hint string
	switch {
	case errors.Is(e.err, unix.ENOENT):
		hint = "the program, the interpreter that it names, or the working directory " + j.dir() + " is missing in the step's inputs"
	case errors.Is(e.err, unix.EACCES):
		hint = "the program is not executable, or the store is on a file system mounted with noexec; choose another place: export XDG_CACHE_HOME=/path/to/folder"
	case errors.Is(e.err, unix.ENOEXEC):
		hint = "the program is not for this machine's processor"
	}
	if hint == "" {
		return fault.Wrap(fault.Build, e.err, "starting "+program+" in the sandbox")
	}
	return fault.Wrap(fault.Build, e.err, "starting "+program+" in the sandbox", hint)
}

// outputPlace splits an output's name into the writable place that it lies in
// and the path below it: "hello" is ("out", "hello"), "/target" is
// ("target", "."). The place is empty when there is none.
func outputPlace(name string) (place, rest string) {
	abs, ok := strings.CutPrefix(name, "/")
	if !ok {
		return "out", name
	}
	for _, p := range places {
		if !p.writable {
			continue
		}
		if abs == p.at {
			return p.at, "."
		}
		if rest, ok := strings.CutPrefix(abs, p.at+"/"); ok {
			return p.at, rest
		}
	}
	return "", ""
}

func (j *job) dir() string {
	if j.step.Dir == "" {
		return "/"
	}
	return j.step.Dir
}

func (j *job) uid() int { return orDefault(j.Perturb.UID, 1000) }

func (j *job) hostname() string {
	if j.Perturb.Hostname != "" {
		return j.Perturb.Hostname
	}
	return "espalier"
}

// env returns the command's whole environment, sorted.
func (j *job) env(host hostNetwork) []string {
	all := map[string]string{}
	if j.step.Network {
		for k, v := range host.env {
			all[k] = v
		}
	}
	for k, v := range j.step.Env {
		all[k] = v
	}
	for k, v := range j.step.Secrets {
		all[k] = v
	}
	for k, v := range j.Perturb.Env {
		all[k] = v
	}
	out := make([]string, 0, len(all))
	for k, v := range all {
		out = append(out, k+"="+v)
	}
	slices.Sort(out)
	return out
}

// prepare makes the folders of one attempt and describes it.
func (j *job) prepare(m mode, attempt int) (*spec, string, error) {
	var host hostNetwork
	if j.step.Network {
		host = readHostNetwork(os.LookupEnv)
	}
	sp := &spec{
		Argv: j.step.Argv, Env: j.env(host), Dir: j.dir(),
		Hostname: j.hostname(), UID: j.uid(), CPUs: j.Perturb.CPUs, Limits: j.Limits,
		UserNS: m.userNS, SetGroups: os.Geteuid() == 0, Network: j.step.Network, Overlay: m.overlay,
		Terminal: j.shell != nil,
		Scratch:  j.scratch.dir, Rootfs: j.trees["rootfs"],
		Files: append(identityFiles(j.uid(), j.hostname()), host.files...),
	}
	var out string
	j.written = map[string]writtenFolder{}
	for _, p := range places {
		tm, err := j.treeMount(p, m, attempt)
		if err != nil {
			return nil, "", fault.Wrap(fault.Usage, err, "preparing /"+p.at+" of the sandbox")
		}
		if tm.Lower == "" && tm.Upper == "" {
			continue
		}
		if tm.Memory {
			sp.Mounts = append(sp.Mounts, tm)
			continue
		}
		if p.at == "out" {
			out = tm.Upper
		}
		if p.writable {
			w := writtenFolder{dir: tm.Upper}
			if tm.Lower == "" {
				w.input = j.trees[p.input]
			}
			j.written[p.at] = w
		}
		sp.Mounts = append(sp.Mounts, tm)
	}
	return sp, out, nil
}

// treeMount decides how one place is mounted and makes its folders.
func (j *job) treeMount(p place, m mode, attempt int) (treeMount, error) {
	tm := treeMount{At: p.at, Lower: j.trees[p.input]}
	name := fmt.Sprintf("%s-%d", path.Base(p.at), attempt)
	if p.input == "vendor" || p.input == "git" {
		name = fmt.Sprintf("%s-%d", p.input, attempt)
	}
	if tm.Lower != "" && j.Perturb.Shuffle != 0 && p.input != "src" {
		to := filepath.Join(j.scratch.dir, name+"-shuffled")
		if err := copyTree(tm.Lower, to, copyOptions{seed: j.Perturb.Shuffle}); err != nil {
			return tm, err
		}
		tm.Lower = to
	}
	if !p.writable {
		return tm, nil
	}
	if j.inMemory(p, tm.Lower, m) {
		tm.Memory = true
		return tm, nil
	}
	uid := 0 // new owner of what is copied
	if !m.userNS {
		uid = j.uid()
	}
	up, err := j.scratch.sub(name, "up")
	if err != nil {
		return tm, err
	}
	if tm.Work, err = j.scratch.sub(name, "work"); err != nil {
		return tm, err
	}
	if p.input == "target" && j.kept != nil && m.userNS && m.overlay && (tm.Lower == "" || ownedByUs(tm.Lower)) {
		up, tm.Work = j.kept.upper(), j.kept.work()
	}
	tm.Upper = up
	switch {
	case tm.Lower == "":
	case p.input == "src" && j.ownSrc && m.userNS && attempt == 0 && j.Perturb.Shuffle == 0:
		tm.Lower, tm.Upper = "", tm.Lower
		return tm, nil
	case !m.overlay || !m.userNS || !ownedByUs(tm.Lower) || !keepsAttributes(up) || p.input == "src" && j.ownSrc:
		// Files of somebody else cannot be copied up in a user namespace that
		// has one user only; without a user namespace the command is user
		// 1000 and must own what it may write to.
		if err := os.Remove(up); err != nil {
			return tm, err
		}
		o := copyOptions{uid: uid}
		if p.input == "src" {
			o.seed = j.Perturb.Shuffle
		}
		err := copyTree(tm.Lower, up, o)
		tm.Lower = ""
		return tm, err
	default:
		// The merged folder has the attributes of its upper layer.
		if err := likeFolder(up, tm.Lower); err != nil {
			return tm, err
		}
	}
	if uid != 0 {
		return tm, os.Chown(up, uid, uid)
	}
	return tm, nil
}

// inMemory reports whether what the command writes to a place can go to
// memory: little is written to /src and /cargo, and nobody wants it afterwards
// unless the step says so.
func (j *job) inMemory(p place, lower string, m mode) bool {
	if !m.overlay || !m.userNS || lower == "" || p.input != "src" && p.input != "cargo" ||
		p.input == "src" && j.Perturb.Shuffle != 0 || !ownedByUs(lower) || !kernelAtLeast(6, 6) {
		return false
	}
	return !slices.ContainsFunc(j.step.Outputs, func(o string) bool {
		at, _ := outputPlace(o)
		return at == p.at
	})
}

// kernelAtLeast compares the running kernel's version. A tmpfs can be the
// upper layer of a user's overlay since 6.6 (see keepsAttributes).
func kernelAtLeast(major, minor int) bool {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return false
	}
	var a, b int
	if _, err := fmt.Sscanf(unix.ByteSliceToString(u.Release[:]), "%d.%d", &a, &b); err != nil {
		return false
	}
	return a > major || a == major && b >= minor
}

// ownedByUs reports whether the folder's owner is the user that the command
// will be outside.
func ownedByUs(dir string) bool {
	var st unix.Stat_t
	return unix.Stat(dir, &st) == nil && int(st.Uid) == os.Geteuid()
}

// keepsAttributes reports whether the file system of dir can hold the extended
// attributes with which an overlay marks folders that were replaced. Without
// (a tmpfs before Linux 6.6) making such a folder fails much later.
func keepsAttributes(dir string) bool {
	const probe = "user.espalier"
	if unix.Setxattr(dir, probe, []byte{1}, 0) != nil {
		return false
	}
	return unix.Removexattr(dir, probe) == nil
}

// likeFolder gives dir the mode and modification time of model.
func likeFolder(dir, model string) error {
	var st unix.Stat_t
	if err := unix.Stat(model, &st); err != nil {
		return &os.PathError{Op: "stat", Path: model, Err: err}
	}
	if err := os.Chmod(dir, os.FileMode(st.Mode&0o777)|0o700); err != nil {
		return err
	}
	return unix.UtimesNanoAt(unix.AT_FDCWD, dir, []unix.Timespec{st.Atim, st.Mtim}, 0)
}

// launched fills what the launcher needs besides the spec.
func (j *job) launched(sp *spec) launched {
	l := launched{program: runnerName, stdio: j.stdio,
		flags: unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS | unix.CLONE_NEWCGROUP}
	if !sp.Network {
		l.flags |= unix.CLONE_NEWNET
	}
	if j.shell != nil {
		l.onMaster = j.shell.attach
	}
	return l
}

// identityFiles say who the command is; they are the same for everybody.
func identityFiles(uid int, hostname string) []skeletonFile {
	text := func(p, format string, args ...any) skeletonFile {
		return skeletonFile{p, fmt.Appendf(nil, format, args...)}
	}
	return []skeletonFile{
		text("etc/passwd", "root:x:0:0::/:/bin/sh\nespalier:x:%d:%d::/home/espalier:/bin/sh\n", uid, uid),
		text("etc/group", "root:x:0:\nespalier:x:%d:\n", uid),
		text("etc/hosts", "127.0.0.1 localhost %s\n::1 localhost\n", hostname),
		text("etc/hostname", "%s\n", hostname),
	}
}
