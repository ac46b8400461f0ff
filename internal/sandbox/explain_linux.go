package sandbox

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"espalier.dev/espalier/internal/fault"
)

// facts are settings and properties of the machine that can prevent sandboxes.
// "" is a setting that this kernel does not have.
type facts struct {
	usernsClone    string // kernel.unprivileged_userns_clone (Debian's and hardened kernels)
	apparmorUserns string // kernel.apparmor_restrict_unprivileged_userns (Ubuntu)
	apparmorLabel  string // of this process, e.g. "docker-default (enforce)"
	maxNamespaces  map[string]string
	chroot         bool
	container      string // "docker", "podman", "kubernetes", "container" or ""
	seccomp        bool   // a system call filter applies to this process
	root           bool
	executable     string
	kernel         string // release
}

// namespaceLimits are the names below /proc/sys/user.
var namespaceLimits = [...]string{"user", "mnt", "pid", "net", "ipc", "uts", "cgroup"}

// hostFacts returns the facts of this machine.
func hostFacts() facts {
	read := func(name string) string {
		b, err := os.ReadFile(name)
		if err != nil {
			return ""
		}
		return strings.TrimSpace(strings.TrimRight(string(b), "\x00"))
	}
	exists := func(name string) bool { _, err := os.Stat(name); return err == nil }
	f := facts{
		usernsClone:    read("/proc/sys/kernel/unprivileged_userns_clone"),
		apparmorUserns: read("/proc/sys/kernel/apparmor_restrict_unprivileged_userns"),
		apparmorLabel:  read("/proc/self/attr/apparmor/current"),
		maxNamespaces:  map[string]string{},
		root:           os.Geteuid() == 0,
		kernel:         read("/proc/sys/kernel/osrelease"),
		executable:     "/usr/local/bin/espalier",
	}
	for _, n := range namespaceLimits {
		f.maxNamespaces[n] = read("/proc/sys/user/max_" + n + "_namespaces")
	}
	if exe, err := os.Executable(); err == nil {
		f.executable = exe
	}
	f.chroot = !hasRootMount(read("/proc/self/mountinfo"))
	for _, line := range strings.Split(read("/proc/self/status"), "\n") {
		if v, ok := strings.CutPrefix(line, "Seccomp:"); ok {
			f.seccomp = strings.TrimSpace(v) != "0"
		}
	}
	switch {
	case os.Getenv("KUBERNETES_SERVICE_HOST") != "":
		f.container = "kubernetes"
	case exists("/run/.containerenv"):
		f.container = "podman"
	case exists("/.dockerenv"):
		f.container = "docker"
	case os.Getenv("container") != "":
		f.container = "container"
	}
	return f
}

// hasRootMount reports whether "/" is a mount point in a mountinfo file
// (proc(5)): in a chroot to an ordinary directory it is not.
func hasRootMount(mountinfo string) bool {
	sc := bufio.NewScanner(strings.NewReader(mountinfo))
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		if f := strings.Fields(sc.Text()); len(f) > 4 && f[4] == "/" {
			return true
		}
	}
	return mountinfo == "" // no /proc: unknown
}

// explain turns a failed stage into a fault with the cause and the remedy.
func explain(err error, f facts) error {
	var e *stageError
	if !errors.As(err, &e) {
		return err
	}
	cause, hints := e.remedy(f)
	var one *oneUserError
	if errors.As(e.err, &one) {
		if cause != "" {
			cause += ", and "
		}
		cause += "this container has one user only, so root needs a user namespace, too"
		hints = append(hints, oneUserHints...)
	}
	text := "setting the sandbox up (" + e.stage
	if e.what != "" {
		text += " " + e.what
	}
	text += ")"
	if cause != "" {
		text += ": " + cause
	}
	hints = append(hints, "espalier doctor   # tests each part of the sandbox",
		"add --no-sandbox to build without it: results are marked as not hermetic and are never shared")
	return fault.Wrap(fault.Sandbox, e.err, text, hints...)
}

func (e *stageError) denied() bool {
	return errors.Is(e.err, unix.EPERM) || errors.Is(e.err, unix.EACCES)
}

// remedy returns the cause according to the facts, "" when unknown, and the
// commands that fix it.
func (e *stageError) remedy(f facts) (string, []string) {
	switch {
	case e.stage == stageExec:
		return "/proc is not mounted here", []string{"mount -t proc proc /proc"}
	case e.stage == stageClone && (errors.Is(e.err, unix.ENOSPC) || errors.Is(e.err, unix.EUSERS)):
		return f.limitRemedy()
	case e.stage == stageClone && errors.Is(e.err, unix.EINVAL):
		return "this kernel was built without user namespaces", []string{"use a kernel with CONFIG_USER_NS=y, or run the build on another machine"}
	case e.stage == stageClone && errors.Is(e.err, unix.ENOSYS):
		return f.containerRemedy("the container's system call filter forbids namespaces")
	case e.stage == stageClone && e.denied():
		switch {
		case f.usernsClone == "0":
			return "kernel.unprivileged_userns_clone is 0", sysctl("kernel.unprivileged_userns_clone", "1")
		case f.chroot:
			return "this is a chroot, where the kernel allows no user namespace", []string{
				"run espalier outside of the chroot, or enter the directory with a container tool instead: sudo systemd-nspawn -D /path/to/directory",
				"sudo espalier ...   # root needs no user namespace, not even in a chroot"}
		case f.apparmorUserns == "1":
			return f.apparmorRemedy()
		case f.container != "" || f.seccomp:
			return f.containerRemedy("the container's system call filter forbids namespaces")
		}
		return "a security module or a policy of this machine forbids user namespaces", []string{"dmesg | tail   # often names the policy"}
	case e.stage == stageProc && e.denied():
		return f.containerRemedy("parts of /proc are masked here, so the kernel refuses a fresh one")
	case e.stage == stageDevices && errors.Is(e.err, unix.ENOENT):
		return "this machine's /dev has no such file", []string{"in a chroot: sudo mount --rbind /dev /path/to/chroot/dev"}
	case e.stage == stageFolders && e.denied():
		return "the directory belongs to another user", []string{"run espalier as the owner of its store, not with sudo; or give it a store of its own: export XDG_CACHE_HOME=/path/to/directory"}
	case (e.stage == stagePrivate || e.stage == stageTmpfs || e.stage == stageOverlay || e.stage == stageBind || e.stage == stageLoopback) && e.denied():
		switch {
		case f.apparmorUserns == "1" && !f.root:
			return f.apparmorRemedy()
		case f.container != "" || f.seccomp || strings.Contains(f.apparmorLabel, "(enforce)"):
			return f.containerRemedy("the container's security policy forbids mounts")
		}
		return "a security module of this machine forbids mounts", []string{"dmesg | tail   # often names the policy"}
	case errors.Is(e.err, unix.ENOSPC):
		return f.limitRemedy()
	}
	return "", nil
}

// limitRemedy is the remedy for an exhausted number of namespaces, which the
// kernel reports as ENOSPC.
func (f facts) limitRemedy() (string, []string) {
	for _, n := range namespaceLimits {
		if v, err := strconv.Atoi(f.maxNamespaces[n]); err == nil && v < 16 {
			name := "user.max_" + n + "_namespaces"
			return fmt.Sprintf("%s is %d", name, v), sysctl(name, "15000")
		}
	}
	return "the number of namespaces that this user may have is used up", append(
		sysctl("user.max_user_namespaces", "100000"),
		"in a container the limit of the host counts: run the command there")
}

// sysctl returns the commands that change a kernel setting now and permanently.
func sysctl(name, value string) []string {
	return []string{
		fmt.Sprintf("sudo sysctl -w %s=%s", name, value),
		fmt.Sprintf("echo '%s=%s' | sudo tee /etc/sysctl.d/90-espalier.conf   # also after a reboot", name, value),
	}
}

// apparmorRemedy allows user namespaces for this program only, which is less
// than changing the setting.
func (f facts) apparmorRemedy() (string, []string) {
	profile := `abi <abi/4.0>,\ninclude <tunables/global>\nprofile espalier "%s" flags=(unconfined) {\n  userns,\n}\n`
	return "AppArmor forbids unprivileged user namespaces (kernel.apparmor_restrict_unprivileged_userns=1)", []string{
		fmt.Sprintf("printf '%s' '%s' | sudo tee /etc/apparmor.d/espalier && sudo apparmor_parser -r /etc/apparmor.d/espalier   # allows it to espalier alone", profile, f.executable),
		"sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0   # allows it to every program, until the next boot",
	}
}

// containerRemedy is the remedy in a container that was started with the usual
// restrictions.
func (f facts) containerRemedy(cause string) (string, []string) {
	docker := "docker run --security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined ..."
	podman := "podman run --security-opt seccomp=unconfined --security-opt unmask=ALL --security-opt label=disable ..."
	switch f.container {
	case "docker":
		return cause, []string{docker}
	case "podman":
		return cause, []string{podman}
	case "kubernetes":
		return cause, []string{`in the pod's spec: hostUsers: false, and for the container securityContext: {seccompProfile: {type: Unconfined}, procMount: Unmasked}`}
	}
	return cause, []string{docker, podman}
}
