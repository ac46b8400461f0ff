package sandbox

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"espalier.dev/espalier/internal/fault"
)

func TestExplain(t *testing.T) {
	for _, c := range []struct {
		name  string
		err   *stageError
		facts facts
		cause string
		hint  string // prefix of one hint
	}{
		{"Debian's switch", &stageError{stageClone, "", unix.EPERM}, facts{usernsClone: "0"},
			"kernel.unprivileged_userns_clone is 0", "sudo sysctl -w kernel.unprivileged_userns_clone=1"},
		{"Ubuntu, first mount", &stageError{stagePrivate, "", unix.EACCES}, facts{apparmorUserns: "1", executable: "/opt/espalier"},
			"AppArmor forbids", `printf 'abi <abi/4.0>,\ninclude <tunables/global>\nprofile espalier "%s" flags=(unconfined) {\n  userns,\n}\n' '/opt/espalier' | sudo tee /etc/apparmor.d/espalier`},
		{"Ubuntu, clone", &stageError{stageClone, "", unix.EPERM}, facts{apparmorUserns: "1"}, "AppArmor forbids", "printf "},
		{"Ubuntu, loopback", &stageError{stageLoopback, "", unix.EPERM}, facts{apparmorUserns: "1"}, "AppArmor forbids", "printf "},
		{"no user namespaces allowed", &stageError{stageClone, "", unix.ENOSPC}, facts{maxNamespaces: map[string]string{"user": "0"}},
			"user.max_user_namespaces is 0", "sudo sysctl -w user.max_user_namespaces=15000"},
		{"no network namespaces allowed", &stageError{stageClone, "", unix.ENOSPC}, facts{maxNamespaces: map[string]string{"user": "9999", "net": "0"}},
			"user.max_net_namespaces is 0", "sudo sysctl -w user.max_net_namespaces=15000"},
		{"used up", &stageError{stageClone, "", unix.ENOSPC}, facts{maxNamespaces: map[string]string{"user": "9999"}}, "used up", "sudo sysctl -w user.max_user_namespaces="},
		{"kernel without", &stageError{stageClone, "", unix.EINVAL}, facts{}, "built without user namespaces", "use a kernel"},
		{"chroot", &stageError{stageClone, "", unix.EPERM}, facts{chroot: true}, "this is a chroot", "run espalier outside"},
		{"docker", &stageError{stageClone, "", unix.EPERM}, facts{container: "docker", seccomp: true}, "system call filter", "docker run --security-opt seccomp=unconfined"},
		{"podman", &stageError{stageProc, "", unix.EPERM}, facts{container: "podman"}, "parts of /proc are masked", "podman run --security-opt"},
		{"kubernetes", &stageError{stageClone, "", unix.EPERM}, facts{container: "kubernetes"}, "system call filter", "in the pod's spec:"},
		{"unknown container", &stageError{stageClone, "", unix.EPERM}, facts{seccomp: true}, "system call filter", "podman run"},
		{"unknown policy", &stageError{stageClone, "", unix.EPERM}, facts{}, "security module", "dmesg"},
		{"mounts in a container", &stageError{stageTmpfs, "", unix.EACCES}, facts{container: "docker", root: true, apparmorLabel: "docker-default (enforce)"}, "forbids mounts", "docker run"},
		{"no proc", &stageError{stageExec, "", unix.ENOENT}, facts{}, "/proc is not mounted", "mount -t proc"},
		{"no devices", &stageError{stageDevices, "/dev/null", unix.ENOENT}, facts{}, "/dev has no such file", "in a chroot:"},
		{"store of another user", &stageError{stageFolders, "/x", unix.EACCES}, facts{root: true}, "another user", "run espalier as the owner"},
	} {
		err := explain(c.err, c.facts)
		if fault.KindOf(err) != fault.Sandbox || !strings.Contains(err.Error(), c.cause) {
			t.Errorf("%s: %v, want %q", c.name, err, c.cause)
		}
		hints, found := fault.Hints(err), false
		for _, h := range hints {
			found = found || strings.HasPrefix(h, c.hint)
		}
		if !found || !strings.Contains(hints[len(hints)-1], "--no-sandbox") {
			t.Errorf("%s: hints %q, want %q", c.name, hints, c.hint)
		}
	}
}

func TestHasRootMount(t *testing.T) {
	for name, c := range map[string]struct {
		mountinfo string
		want      bool
	}{
		"host":    {"22 1 254:0 / / rw - ext4 /dev/vda rw\n23 22 0:5 / /proc rw - proc proc rw\n", true},
		"chroot":  {"23 22 0:5 / /proc rw - proc proc rw\n", false},
		"no proc": {"", true},
	} {
		if got := hasRootMount(c.mountinfo); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
