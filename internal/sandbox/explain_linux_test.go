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
		hint  string // beginning of one hint
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

// The filter is read by an interpreter of its own: each call gets the answer
// that the list says, and every path ends.
func TestFilterProgram(t *testing.T) {
	if auditArch == 0 {
		t.Skip("no filter on this processor")
	}
	eval := func(p []unix.SockFilter, arch, nr, arg0, arg1 uint32) uint32 {
		var a uint32
		for pc := 0; pc < len(p); pc++ {
			i := p[pc]
			switch i.Code {
			case unix.BPF_LD | unix.BPF_W | unix.BPF_ABS:
				a = map[uint32]uint32{0: nr, 4: arch, 16: arg0, 24: arg1}[i.K]
			case unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K:
				if a == i.K {
					pc += int(i.Jt)
				} else {
					pc += int(i.Jf)
				}
			case unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K:
				if a&i.K != 0 {
					pc += int(i.Jt)
				} else {
					pc += int(i.Jf)
				}
			case unix.BPF_RET | unix.BPF_K:
				return i.K
			default:
				t.Fatalf("instruction %d: code %#x", pc, i.Code)
			}
		}
		t.Fatalf("call %d runs off the end", nr)
		return 0
	}
	for _, families := range [][]uint32{nil, networkFamilies[:], localFamilies[:]} {
		p := filterProgram(families)
		for _, nr := range forbidden {
			if got := eval(p, auditArch, nr, 0, 0); got != retEPERM {
				t.Errorf("call %d: %#x", nr, got)
			}
		}
		for _, nr := range absent {
			if got := eval(p, auditArch, nr, 0, 0); got != retENOSYS {
				t.Errorf("call %d: %#x", nr, got)
			}
		}
		for _, c := range []struct {
			name           string
			arch, nr, a, b uint32
			want           uint32
		}{
			{"read", auditArch, unix.SYS_READ, 0, 0, retAllow},
			{"foreign architecture", auditArch ^ 1, unix.SYS_READ, 0, 0, retENOSYS},
			{"fork", auditArch, unix.SYS_CLONE, uint32(unix.SIGCHLD), 0, retAllow},
			{"thread", auditArch, unix.SYS_CLONE, unix.CLONE_VM | unix.CLONE_FS | unix.CLONE_FILES | unix.CLONE_SIGHAND | unix.CLONE_THREAD, 0, retAllow},
			{"user namespace", auditArch, unix.SYS_CLONE, unix.CLONE_NEWUSER, 0, retEPERM},
			{"network namespace", auditArch, unix.SYS_CLONE, unix.CLONE_NEWNET | uint32(unix.SIGCHLD), 0, retEPERM},
			{"window size", auditArch, unix.SYS_IOCTL, 0, unix.TIOCGWINSZ, retAllow},
			{"typing for others", auditArch, unix.SYS_IOCTL, 0, unix.TIOCSTI, retEPERM},
			{"typing for others on the console", auditArch, unix.SYS_IOCTL, 0, unix.TIOCLINUX, retEPERM},
			{"packet socket", auditArch, unix.SYS_SOCKET, unix.AF_PACKET, 0, socketAnswer(families, unix.AF_PACKET)},
			{"Unix socket", auditArch, unix.SYS_SOCKET, unix.AF_UNIX, 0, socketAnswer(families, unix.AF_UNIX)},
			{"IPv6 socket", auditArch, unix.SYS_SOCKET, unix.AF_INET6, 0, socketAnswer(families, unix.AF_INET6)},
		} {
			if got := eval(p, c.arch, c.nr, c.a, c.b); got != c.want {
				t.Errorf("%s with families %v: %#x, want %#x", c.name, families, got, c.want)
			}
		}
	}
}

func socketAnswer(families []uint32, f uint32) uint32 {
	if len(families) == 0 {
		return retAllow
	}
	for _, x := range families {
		if x == f {
			return retAllow
		}
	}
	return retNoAF
}
