//go:build amd64 || arm64

package sandbox

import (
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// An interpreter of classic BPF runs the filter: each call has the expected
// result, and no path leaves the program.
func TestFilterProgram(t *testing.T) {
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
	for _, families := range [][]uint32{nil, isolatedFamilies[:], networkFamilies[:], localFamilies[:]} {
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
			{"hypervisor socket", auditArch, unix.SYS_SOCKET, unix.AF_VSOCK, 0, retNoAF},
			{"pair of Unix sockets", auditArch, unix.SYS_SOCKETPAIR, unix.AF_UNIX, 0, retAllow},
			{"pair of TIPC sockets", auditArch, unix.SYS_SOCKETPAIR, unix.AF_TIPC, 0, retNoAF},
			{"IPv6 socket", auditArch, unix.SYS_SOCKET, unix.AF_INET6, 0, socketAnswer(families, unix.AF_INET6)},
		} {
			if got := eval(p, c.arch, c.nr, c.a, c.b); got != c.want {
				t.Errorf("%s with families %v: %#x, want %#x", c.name, families, got, c.want)
			}
		}
	}
}

func socketAnswer(families []uint32, f uint32) uint32 {
	if slices.Contains(families, f) {
		return retAllow
	}
	return retNoAF
}
