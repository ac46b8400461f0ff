package sandbox

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// ways are the methods of setting up a sandbox; the environment of a step must
// be the same with each.
func ways() map[string]func(*job) {
	m := map[string]func(*job){
		"overlay": nil,
		"copies":  func(j *job) { j.noOverlay = true },
	}
	if os.Geteuid() == 0 {
		m["root"] = func(j *job) { j.noUserNS = true }
		m["root copies"] = func(j *job) { j.noUserNS, j.noOverlay = true, true }
	}
	return m
}

func TestInside(t *testing.T) {
	t.Setenv("ESPALIER_TEST_SECRET", "secret")
	t.Setenv("LC_ALL", "tr_TR.UTF-8")
	t.Setenv("TZ", "Asia/Tokyo")
	root := rootfs(t)
	trees := func(t *testing.T) map[string]string {
		return map[string]string{
			"rootfs": root, "src": folder(t, map[string]string{"a": "a"}), "cargo": folder(t, map[string]string{"config.toml": "c"}),
			"vendor": folder(t, map[string]string{"crate/lib.rs": "v"}), "git": folder(t, map[string]string{"tree/lib.rs": "g"}),
			"target": folder(t, map[string]string{"old": "t"}),
		}
	}
	for name, way := range ways() {
		t.Run(name, func(t *testing.T) {
			old := unix.Umask(0o077)
			defer unix.Umask(old)
			in := trees(t)
			s := run(t, Local{}, in, func(j *job) {
				j.step.Dir = "/src"
				if way != nil {
					way(j)
				}
			}, "look").seen(t)
			for _, c := range []struct {
				what      string
				got, want any
			}{
				{"user", s.UID, 1000},
				{"group", s.GID, 1000},
				{"process id", s.PID, s.wantPID()},
				{"parent", s.PPID, 1},
				{"session leader", s.Session, s.PID},
				{"umask", s.Umask, 0o022},
				{"host name", s.Hostname, "espalier"},
				{"time zone", s.Zone, "UTC"},
				{"working directory", s.Dir, "/src"},
				{"environment", s.Env, []string{"A=1", "B=two words"}},
				{"root", s.Root, []string{"cargo", "dev", "etc", "home", "inside", "lib", "out", "proc", "src", "target", "tmp", "usr"}},
				{"devices", s.Dev, []string{"fd", "full", "null", "random", "shm", "stderr", "stdin", "stdout", "urandom", "zero"}},
				{"/etc", s.Etc, []string{"from-rootfs", "group", "hostname", "hosts", "passwd"}},
				{"/proc", s.Proc, s.wantProc()},
				{"interfaces", s.Interfaces, []string{"lo up|loopback|running"}},
				{"connect", s.Connect, "dial tcp 192.0.2.1:80: connect: network is unreachable"},
				{"write to /", s.WriteRoot, "open /usr-file: read-only file system"},
				{"write to /proc", s.WriteProc, "open /proc/self/oom_score_adj: read-only file system"},
				{"permitted capabilities", s.Status["CapPrm"], "0000000000000000"},
				{"effective capabilities", s.Status["CapEff"], "0000000000000000"},
				{"inheritable capabilities", s.Status["CapInh"], "0000000000000000"},
				{"ambient capabilities", s.Status["CapAmb"], "0000000000000000"},
				{"bounding set", s.Status["CapBnd"], "0000000000000000"},
				{"no new privileges", s.Status["NoNewPrivs"], "1"},
				{"ignored signals", s.Status["SigIgn"], "0000000000000000"},
				{"blocked signals", s.Status["SigBlk"], "0000000000000000"},
			} {
				if fmt.Sprint(c.got) != fmt.Sprint(c.want) {
					t.Errorf("%s: got %v, want %v", c.what, c.got, c.want)
				}
			}
			if auditArch != 0 && s.Status["Seccomp"] != "2" {
				t.Errorf("no system call filter: %s", s.Status["Seccomp"])
			}
			if os.Geteuid() == 0 && len(s.Groups) != 0 {
				t.Errorf("supplementary groups of root: %v", s.Groups)
			}
			for d, want := range map[string]string{
				"/src": "<nil>", "/cargo": "<nil>", "/target": "<nil>", "/out": "<nil>", "/tmp": "<nil>", "/home/espalier": "<nil>", "/dev/shm": "<nil>",
				"/cargo/registry/src/v": "read-only file system", "/cargo/git/checkouts": "read-only file system",
				"/": "read-only file system", "/etc": "read-only file system", "/dev": "read-only file system",
			} {
				if got := s.Writable[d]; !strings.HasSuffix(got, want) {
					t.Errorf("writing to %s: %s, want %s", d, got, want)
				}
			}
			if !strings.Contains(s.ReadInit, "readlink /proc/1/exe: permission denied") {
				t.Errorf("process 1 can be looked into: %s", s.ReadInit)
			}
			for _, d := range s.Descriptors { // 3 is the directory of the listing itself
				n, target, _ := strings.Cut(d, " ")
				if !slices.Contains([]string{"0", "1", "2", "3"}, n) && !strings.Contains(target, "anon_inode") {
					t.Errorf("inherited descriptor %s", d)
				}
			}
			for _, dir := range in {
				if name == "overlay" && strings.Contains(s.Mountinfo, filepath.Base(filepath.Dir(dir))) {
					t.Errorf("the host folder %s can be seen in mountinfo:\n%s", dir, s.Mountinfo)
				}
				if _, err := os.Lstat(filepath.Join(dir, "probe")); err == nil {
					t.Errorf("a write went through to the input %s", dir)
				}
			}
		})
	}
}

// wantProc is the expected content of /proc: processes and, before Linux 5.8,
// the names of covered entries.
func (s seen) wantProc() []string {
	if !kernelAtLeast(5, 8) {
		return s.Proc
	}
	return []string{"1", fmt.Sprint(s.PID), "self", "thread-self"}
}

// wantPID is the constant, or the actual id on a kernel without checkpoint
// support.
func (s seen) wantPID() int {
	if _, err := os.Stat("/proc/sys/kernel/ns_last_pid"); err != nil {
		return s.PID
	}
	return commandPID
}

// Before Linux 5.8, entries of /proc about the machine are covered.
func TestCoveredProc(t *testing.T) {
	for name, way := range ways() {
		t.Run(name, func(t *testing.T) {
			old := func(j *job) {
				j.noProcSubset = true
				if way != nil {
					way(j)
				}
			}
			trees := map[string]string{"rootfs": rootfs(t)}
			for _, p := range []string{"/proc/cmdline", "/proc/keys", "/proc/meminfo", "/proc/sys/kernel/random/boot_id"} {
				if r := run(t, Local{}, trees, old, "cat", p); r.stdout != "" {
					t.Errorf("%s: %q", p, r.stdout)
				}
			}
			if r := run(t, Local{}, trees, old, "cat", "/proc/self/status").ok(t); !strings.Contains(r.stdout, "Name:\tinside") {
				t.Errorf("/proc/self/status: %q", r.stdout)
			}
		})
	}
}

func TestFilesInside(t *testing.T) {
	for name, way := range ways() {
		t.Run(name, func(t *testing.T) {
			trees := map[string]string{"rootfs": rootfs(t), "src": folder(t, map[string]string{"a": "source"})}
			for file, want := range map[string]string{
				"/etc/passwd":   "root:x:0:0::/:/bin/sh\nespalier:x:1000:1000::/home/espalier:/bin/sh\n",
				"/etc/hostname": "espalier\n",
				"/lib/file":     "usr", // through a link of the rootfs
				"/src/a":        "source",
			} {
				if got := run(t, Local{}, trees, way, "cat", file).ok(t).stdout; got != want {
					t.Errorf("%s: got %q, want %q", file, got, want)
				}
			}
			exe, err := os.Executable()
			must(t, err)
			for _, p := range []string{"/proc/cmdline", "/proc/keys", "/proc/sys/kernel/random/boot_id", "/proc/partitions", "/proc/version", exe, "/proc/1/exe", "/proc/1/root/etc/hostname", "/proc/1/environ", trees["src"] + "/a"} {
				if r := run(t, Local{}, trees, way, "cat", p); r.code == 0 && r.stdout != "" {
					t.Errorf("%s can be read", p)
				}
			}
			r := run(t, Local{}, trees, way, "stat", "/", "/etc", "/src/a").ok(t)
			if want := "/ 1 drwxr-xr-x\n/etc 1 drwxr-xr-x\n/src/a 1 -rw-r--r--\n"; r.stdout != want {
				t.Errorf("times: got %q, want %q", r.stdout, want)
			}
		})
	}
}

// Changes of an input are discarded after the run, whatever they are.
func TestWritesAreDiscarded(t *testing.T) {
	for name, way := range ways() {
		t.Run(name, func(t *testing.T) {
			target := folder(t, map[string]string{"old": "old", "folder/a": "a"})
			trees := map[string]string{"rootfs": rootfs(t), "target": target}
			for range 2 {
				r := run(t, Local{}, trees, way, "rewrite").ok(t)
				if want := "/target\n/target/moved\n/target/moved/b\n/target/old\n"; r.stdout != want {
					t.Fatalf("got %q, want %q", r.stdout, want)
				}
			}
			b, err := os.ReadFile(filepath.Join(target, "old"))
			must(t, err)
			if string(b) != "old" {
				t.Errorf("the input is %q now", b)
			}
			if _, err := os.Stat(filepath.Join(target, "folder", "a")); err != nil {
				t.Error(err)
			}
		})
	}
}

// A store in a tmpfs works like one on a disk.
func TestScratchInMemory(t *testing.T) {
	dir, err := os.MkdirTemp("/dev/shm", "espalier-test")
	if err != nil {
		t.Skipf("no memory file system: %v", err)
	}
	defer os.RemoveAll(dir)
	trees := map[string]string{"rootfs": rootfs(t), "target": folder(t, map[string]string{"old": "old", "folder/a": "a"})}
	r := run(t, Local{Scratch: dir}, trees, nil, "rewrite").ok(t)
	if want := "/target\n/target/moved\n/target/moved/b\n/target/old\n"; r.stdout != want {
		t.Errorf("got %q, want %q", r.stdout, want)
	}
}

func TestCallFilter(t *testing.T) {
	if auditArch == 0 {
		t.Skip("no filter on this processor")
	}
	want := map[string]unix.Errno{
		"keyctl": unix.EPERM, "add_key": unix.EPERM, "bpf": unix.EPERM, "perf_event_open": unix.EPERM, "mount": unix.EPERM,
		"unshare": unix.EPERM, "setns": unix.EPERM, "ptrace": unix.EPERM, "clone-newuser": unix.EPERM, "tiocsti": unix.EPERM,
		"io_uring_setup": unix.ENOSYS, "clone3": unix.ENOSYS, "x32": unix.ENOSYS,
		"socket-unix": 0, "socket-inet": 0, "socket-inet6": 0, "socket-netlink": 0, "socketpair-unix": 0, "getpid": 0,
		"socket-packet": unix.EAFNOSUPPORT, "socket-vsock": unix.EAFNOSUPPORT, "socket-alg": unix.EAFNOSUPPORT,
		"socket-bluetooth": unix.EAFNOSUPPORT, "socketpair-tipc": unix.EAFNOSUPPORT,
	}
	for _, network := range []bool{false, true} {
		t.Run(fmt.Sprintf("network=%v", network), func(t *testing.T) {
			r := run(t, Local{}, map[string]string{"rootfs": rootfs(t)}, func(j *job) { j.step.Network = network }, "calls").ok(t)
			if network {
				want["socket-unix"] = unix.EAFNOSUPPORT
			}
			lines := strings.Split(strings.TrimSpace(r.stdout), "\n")
			if len(lines) != len(want) {
				t.Fatalf("only %q", lines)
			}
			for _, l := range lines {
				name, n, _ := strings.Cut(l, " ")
				if n != fmt.Sprint(int(want[name])) {
					t.Errorf("%s: got error %s, want %d", name, n, want[name])
				}
			}
		})
	}
}

func TestPerturb(t *testing.T) {
	l := Local{Perturb: Perturb{Hostname: "elsewhere", UID: 4711, CPUs: 1, Env: map[string]string{"A": "other", "C": "more"}, Shuffle: 7, Umask: 0o077, OldKernel: true, Preload: []byte("library")}}
	trees := map[string]string{"rootfs": rootfs(t), "vendor": folder(t, map[string]string{"x": "1", "y/z": "2"}), "src": folder(t, map[string]string{"m": "3"})}
	s := run(t, l, trees, nil, "look").seen(t)
	if s.Hostname != "elsewhere" || s.UID != 4711 || s.GID != 4711 || strings.ContainsAny(s.CPUs, "-,") {
		t.Errorf("host name %s, user %d, group %d, processors %s", s.Hostname, s.UID, s.GID, s.CPUs)
	}
	if s.Umask != 0o077 || !strings.HasPrefix(s.Kernel, "2.6.") {
		t.Errorf("umask %o, kernel %s", s.Umask, s.Kernel)
	}
	if got := run(t, l, trees, nil, "cat", "/etc/espalier-preload.so").ok(t).stdout; got != "library" {
		t.Errorf("the library is %q", got)
	}
	if got := run(t, l, trees, nil, "cat", "/etc/ld.so.preload").ok(t).stdout; got != "/etc/espalier-preload.so\n" {
		t.Errorf("libraries to load first: %q", got)
	}
	if got, want := fmt.Sprint(s.Env), "[A=other B=two words C=more]"; got != want {
		t.Errorf("environment %s, want %s", got, want)
	}
	r := run(t, l, trees, nil, "list", "/cargo/registry/src/v").ok(t)
	if want := "/cargo/registry/src/v\n/cargo/registry/src/v/x\n/cargo/registry/src/v/y\n/cargo/registry/src/v/y/z\n"; r.stdout != want {
		t.Errorf("got %q, want %q", r.stdout, want)
	}
}

// With Shuffle, directories of all inputs list their entries in the opposite
// order, however the file system orders them.
func TestPerturbedOrder(t *testing.T) {
	if !kernelAtLeast(6, 6) {
		t.Skip("overlays in memory need Linux 6.6")
	}
	files := map[string]string{}
	for _, n := range strings.Fields("alpha bravo charlie delta echo foxtrot golf hotel") {
		files["sub/"+n] = n
	}
	trees := map[string]string{"rootfs": rootfs(t), "vendor": folder(t, files), "git": folder(t, files), "src": folder(t, files)}
	for _, dir := range []string{"/src/sub", "/cargo/registry/src/v/sub", "/cargo/git/checkouts/sub"} {
		names := func(l Local) []string {
			return strings.Split(run(t, l, trees, nil, "names", dir).ok(t).stdout, "\n")
		}
		first, second := names(Local{}), names(Local{Perturb: Perturb{Shuffle: 1}})
		slices.Reverse(second)
		if len(first) != 8 || !slices.Equal(first, second) {
			t.Errorf("%s: %q, and backwards %q", dir, first, second)
		}
	}
}
