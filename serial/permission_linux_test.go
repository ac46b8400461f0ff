package serial

import (
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestJudge(t *testing.T) {
	dialout := func(mode uint32) node { return node{gid: 20, mode: mode, group: "dialout"} }
	root := node{mode: 0o660, group: "root"}
	jtag := Info{Name: "/dev/ttyACM0", VID: 0x303a, PID: 0x1001}
	stranger := account{uid: 1000, gids: []uint32{1000}, listed: []uint32{1000}}
	for _, tc := range []struct {
		name  string
		n     node
		p     account
		i     Info
		ok    bool
		hints []string // each begins with
	}{
		{"root", node{mode: 0}, account{}, jtag, true, nil},
		{"in the group", dialout(0o660), account{uid: 1000, gids: []uint32{1000, 20}}, jtag, true, nil},
		{"for all users", node{mode: 0o666}, stranger, jtag, true, nil},
		{"owner", node{uid: 1000, mode: 0o600}, stranger, jtag, true, nil},
		{"not in the group", dialout(0o660), stranger, jtag, false, []string{
			"sudo usermod -aG dialout $USER    (then log in again)",
			`echo 'SUBSYSTEM=="tty", ATTRS{idVendor}=="303a", ATTRS{idProduct}=="1001", MODE="0660", GROUP="dialout", TAG+="uaccess"' | sudo tee /etc/udev/rules.d/70-espalier.rules && sudo udevadm control --reload && sudo udevadm trigger`}},
		{"joined, not logged in again", dialout(0o660), account{uid: 1000, gids: []uint32{1000}, listed: []uint32{1000, 20}}, jtag, false, []string{
			"you are in the group dialout, but this session does not know it yet: log out and in again, or: newgrp dialout"}},
		{"another distribution's group", node{gid: 986, mode: 0o660, group: "uucp"}, stranger, jtag, false, []string{"sudo usermod -aG uucp ", "echo '"}},
		{"a group without a name", node{gid: 986, mode: 0o660}, stranger, jtag, false, []string{"sudo usermod -aG 986 ", "echo '"}},
		{"root's alone", root, stranger, jtag, false, []string{"echo '"}},
		{"the group may only read", dialout(0o640), account{uid: 1000, gids: []uint32{20}}, jtag, false, []string{"echo '"}},
		{"owner may not, others may", node{uid: 1000, mode: 0o066}, stranger, jtag, false, []string{"echo '"}},
		{"on the mainboard", root, stranger, Info{Name: "/dev/ttyS0"}, false, []string{
			`echo 'KERNEL=="ttyS0", GROUP="dialout", MODE="0660"' | sudo tee /etc/udev/rules.d/70-espalier.rules && `}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d, ok := judge(tc.n, tc.p, tc.i)
			if ok != tc.ok {
				t.Fatalf("%v", ok)
			}
			if ok {
				return
			}
			have := d.Hints()
			if len(have) != len(tc.hints) {
				t.Fatalf("%q", have)
			}
			for i, h := range have {
				if !strings.HasPrefix(h, tc.hints[i]) {
					t.Errorf("%q, want %q", h, tc.hints[i])
				}
			}
		})
	}
}

// A device that this process may not open, seen before opening and when.
func TestAccess(t *testing.T) {
	pty, err := OpenPTY("")
	if err != nil {
		t.Skipf("needs pseudo-terminals: %v", err)
	}
	defer pty.Close()
	name := pty.Path()
	if d := Access(Info{Name: name}); d != nil {
		t.Errorf("one's own: %+v", d)
	}
	if d := Access(Info{Name: "/dev/no-such-port"}); d != nil {
		t.Errorf("a device that does not exist: %+v", d)
	}
	if err := os.Chmod(name, 0); err != nil {
		t.Fatal(err)
	}
	type result struct {
		seen *PermissionError
		err  error
	}
	done := make(chan result, 1)
	go func() {
		// Of this thread alone, which ends with the goroutine.
		runtime.LockOSThread()
		if os.Geteuid() == 0 {
			if _, _, e := unix.RawSyscall(unix.SYS_SETRESUID, 65534, 65534, 65534); e != 0 {
				done <- result{err: e}
				return
			}
		}
		seen := Access(Info{Name: name})
		p, err := Open(t.Context(), name, Options{})
		if err == nil {
			p.Close()
		}
		done <- result{seen, err}
	}()
	r := <-done
	var open *OpenError
	if !errors.As(r.err, &open) || open.Reason != Permission {
		t.Fatalf("opening: %v", r.err)
	}
	if r.seen == nil {
		t.Error("not seen before opening")
	}
	if h := open.Hints(); len(h) == 0 || !strings.HasPrefix(h[len(h)-1], "echo '") {
		t.Errorf("%q", h)
	}
}
