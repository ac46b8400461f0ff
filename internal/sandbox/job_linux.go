package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"espalier.dev/espalier/internal/action"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/layout"
)

// job is one step with its inputs as host directories.
type job struct {
	Local
	step    action.Step
	keep    map[string]func(path string, info fs.FileInfo) bool // action.RunOptions.Keep
	rewrite map[string]func(string, io.ReaderAt, int64) (io.Reader, bool)
	trees   map[string]string // input path to host directory
	ownSrc  bool              // trees["src"] is a private copy and may be modified
	scratch *scratch
	stdio   [3]*os.File
	shell   *terminal // nil: no terminal

	written map[string]writtenDir // by writable path, after prepare

	observe  bool                // action.RunOptions.Observe
	observed *action.Observation // after run; nil when it is not complete

	// For tests: start without these features, as on a machine that lacks them.
	noUserNS, noOverlay, noProcSubset bool
}

// writtenDir is the host directory of one writable path.
type writtenDir struct {
	dir string
	// input is the tree that dir was initially a copy of, "" when dir was
	// empty. Of a copy, only files that the command changed count as written.
	input string
}

// mode is the set of features that the machine supports.
type mode struct{ userNS, overlay bool }

// run runs the step and returns its exit code and the host directory of /out.
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
		case m.userNS && os.Geteuid() == 0 && mayWorkAsRoot(se) && !mapped(j.uid()):
			return 0, "", explain(&stageError{se.stage, se.what, &oneUserError{se.err}}, hostFacts())
		case m.userNS && os.Geteuid() == 0 && mayWorkAsRoot(se):
			// Root may make namespaces without a user namespace: in a chroot,
			// or where the number of user namespaces is limited to zero.
			m = mode{userNS: false, overlay: !j.noOverlay}
		case se.stage == stageClone || se.stage == stagePrivilege:
			return 0, "", explain(first, hostFacts())
		default:
			return 0, "", explain(err, hostFacts())
		}
	}
}

// mayWorkAsRoot reports whether namespaces without a user namespace may succeed.
func mayWorkAsRoot(e *stageError) bool {
	switch e.stage {
	case stageClone, stagePrivate, stageTmpfs, stageProc, stageDevices, stageOverlay, stageBind:
		return true
	}
	return false
}

// check returns errors of the step itself.
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
		if name != layout.InputRootfs && name != layout.InputUnits && !slices.ContainsFunc(layout.Places(), func(p layout.Place) bool { return p.Input == name && name != "" }) {
			return bad("layout %d has no place for the input %q", layout.Version, name)
		}
	}
	for _, o := range j.step.Outputs {
		if !fs.ValidPath(strings.TrimPrefix(o, "/")) || o == "." || o == "/" {
			return bad("output %q is not a clean path", o)
		}
		if place, _ := outputPlace(o); place == "" {
			return bad("output %q does not lie in a writable place of layout %d", o, layout.Version)
		}
	}
	for k, v := range j.step.Env {
		if k == "" || strings.ContainsAny(k, "=\x00") || strings.Contains(v, "\x00") {
			return bad("environment variable %q cannot be set", k)
		}
	}
	return nil
}

// cannotStart returns the reason why the command could not be executed.
func (j *job) cannotStart(e *stageError) error {
	program := j.step.Argv[0]
	var hint string
	switch {
	case errors.Is(e.err, unix.ENOENT):
		hint = "the program, the interpreter that it names, or the working directory " + j.dir() + " is missing in the step's inputs"
	case errors.Is(e.err, unix.EACCES):
		hint = "the program is not executable, or the store is on a file system mounted with noexec; choose another place: export XDG_CACHE_HOME=/path/to/directory"
	case errors.Is(e.err, unix.ENOEXEC):
		hint = "the program is not for this machine's processor"
	}
	if hint == "" {
		return fault.Wrap(fault.Build, e.err, "starting "+program+" in the sandbox")
	}
	return fault.Wrap(fault.Build, e.err, "starting "+program+" in the sandbox", hint)
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

// env returns the complete environment of the command, sorted.
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

// prepare makes the directories of one attempt and its specification.
func (j *job) prepare(m mode, attempt int) (*spec, string, error) {
	var host hostNetwork
	if j.step.Network {
		host = readHostNetwork(os.LookupEnv)
	}
	sp := &spec{
		Argv: j.step.Argv, Env: j.env(host), Dir: j.dir(),
		Hostname: j.hostname(), UID: j.uid(), CPUs: j.Perturb.CPUs, Limits: j.Limits,
		Umask: j.Perturb.Umask, OldKernel: j.Perturb.OldKernel,
		UserNS: m.userNS, SetGroups: os.Geteuid() == 0, Network: j.step.Network, Overlay: m.overlay,
		Terminal: j.shell != nil, CoverProc: j.noProcSubset, Observe: j.observe,
		Scratch: j.scratch.dir, Rootfs: j.trees["rootfs"],
		Files: append(identityFiles(j.uid(), j.hostname()), host.files...),
	}
	if len(j.Perturb.Preload) > 0 {
		sp.Files = append(sp.Files, skeletonFile{preloadFile, j.Perturb.Preload}, skeletonFile{"etc/ld.so.preload", []byte("/" + preloadFile + "\n")})
	}
	var out string
	j.written = map[string]writtenDir{}
	for _, p := range layout.Places() {
		tm, err := j.treeMount(p, m, attempt)
		if err != nil {
			return nil, "", fault.Wrap(fault.Usage, err, "preparing /"+p.At+" of the sandbox", spaceHints(err)...)
		}
		if tm.Lower == "" && tm.Upper == "" {
			continue
		}
		if tm.Memory {
			sp.Mounts = append(sp.Mounts, tm)
			continue
		}
		if p.At == "out" {
			out = tm.Upper
		}
		if p.Writable {
			w := writtenDir{dir: tm.Upper}
			if tm.Lower == "" {
				w.input = j.trees[p.Input]
			}
			j.written[p.At] = w
		}
		sp.Mounts = append(sp.Mounts, tm)
	}
	return sp, out, nil
}

// preloadFile is the library of Perturb.Preload, relative to the root inside. A file of
// the loader names it, and not LD_PRELOAD: the environment of the step stays as it is,
// and programs that clear theirs load it, too.
const preloadFile = "etc/espalier-preload.so"

// spaceHints are the remedies for a full disk.
func spaceHints(err error) []string {
	if !errors.Is(err, unix.ENOSPC) && !errors.Is(err, unix.EDQUOT) {
		return nil
	}
	return []string{"espalier gc   # removes what no lock and no recent build needs",
		"ESPALIER_STORE=/path/on/a/larger/disk espalier ...   # puts the store, and so the sandbox, elsewhere"}
}

// launched returns the launcher's parameters besides the spec.
func (j *job) launched(sp *spec) launched {
	l := launched{program: runnerName, stdio: j.stdio,
		flags: unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS | unix.CLONE_NEWCGROUP}
	if !sp.Network {
		l.flags |= unix.CLONE_NEWNET
	}
	if j.shell != nil {
		l.onMaster = j.shell.attach
	}
	if sp.Observe {
		l.onEnd = func(m message) {
			if m.Blind == "" {
				j.observed = &action.Observation{Files: m.Observed}
			}
		}
	}
	return l
}

// identityFiles are the files that identify the command's user and host; they
// are the same on every machine.
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
