package sandbox

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// wantAttributes are the attributes that a step inherits, however espalier was
// started.
var wantAttributes = map[string]string{
	"SigIgn": "0000000000000000", "SigBlk": "0000000000000000",
	"CapInh": "0000000000000000", "CapPrm": "0000000000000000", "CapEff": "0000000000000000",
	"CapBnd": "0000000000000000", "CapAmb": "0000000000000000", "NoNewPrivs": "1",
	"dumpable": "1", "keep capabilities": "0", "securebits": "0", "timer slack": "50000",
	"machine check policy": "2", "no huge pages": "0", "personality": "0",
	"scheduling policy": "0", "nice value": "20", "I/O priority": "0", "memory policy": "0",
	"umask": "0022", "oom_score_adj": "0", "coredump_filter": "00000033",
	"session": fmt.Sprint(commandPID), "process group": fmt.Sprint(commandPID),
	"Max cpu time": "unlimited unlimited seconds", "Max file size": "unlimited unlimited bytes",
	"Max data size": "unlimited unlimited bytes", "Max stack size": "8388608 unlimited bytes",
	"Max core file size": "0 0 bytes", "Max resident set": "unlimited unlimited bytes",
	"Max processes": "16384 16384 processes", "Max open files": "16384 16384 files",
	"Max locked memory": "65536 65536 bytes", "Max address space": "unlimited unlimited bytes",
	"Max file locks": "unlimited unlimited locks", "Max pending signals": "1024 1024 signals",
	"Max msgqueue size": "819200 819200 bytes", "Max nice priority": "0 0",
	"Max realtime priority": "0 0", "Max realtime timeout": "unlimited unlimited us",
}

// TestInherited runs a step from this process as it is, and from one in which
// every inheritable attribute differs.
func TestInherited(t *testing.T) {
	all := allCPUs(t)
	for name, way := range ways() {
		t.Run(name, func(t *testing.T) {
			r := run(t, Local{}, map[string]string{"rootfs": rootfs(t)}, way, "attributes").ok(t)
			got := map[string]string{}
			must(t, json.Unmarshal([]byte(r.stdout), &got))
			want := maps.Clone(wantAttributes)
			want["Cpus_allowed_list"] = all
			if os.Geteuid() != 0 { // the kernel refuses to raise a priority again
				for _, k := range []string{"nice value", "scheduling policy"} {
					delete(want, k)
					delete(got, k)
				}
			}
			if _, err := os.Stat("/proc/sys/kernel/ns_last_pid"); err != nil {
				for _, k := range []string{"session", "process group"} {
					delete(want, k)
					delete(got, k)
				}
			}
			names := map[string]bool{}
			for k := range got {
				names[k] = true
			}
			for k := range want {
				names[k] = true
			}
			for _, k := range slices.Sorted(maps.Keys(names)) {
				if got[k] != want[k] {
					t.Errorf("%s: got %q, want %q", k, got[k], want[k])
				}
			}
		})
	}
	if os.Getenv(restrictionEnv) == "" {
		runRestricted(t, "inherited", "^TestInherited$", nil)
		if os.Geteuid() == 0 {
			runRestricted(t, "inherited-nobody", "^TestInherited$", nil)
		}
	}
}

// allCPUs returns the processors of this cpuset.
func allCPUs(t *testing.T) string {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, all unix.CPUSet
	must(t, unix.SchedGetaffinity(0, &before))
	defer func() { must(t, unix.SchedSetaffinity(0, &before)) }()
	for i := range all {
		all[i] = ^all[i]
	}
	must(t, unix.SchedSetaffinity(0, &all))
	b, err := os.ReadFile("/proc/thread-self/status")
	must(t, err)
	_, rest, _ := strings.Cut(string(b), "Cpus_allowed_list:")
	list, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSpace(list)
}

const inheritedEnv = "ESPALIER_SANDBOX_TEST_INHERITED"

// enterInherited changes the inheritable attributes of this process and
// executes it again, so that all of its threads have them from the beginning.
func enterInherited(user bool) error {
	runtime.LockOSThread()
	unix.Umask(0o027)
	for _, l := range []struct {
		resource int
		soft     uint64
	}{
		{unix.RLIMIT_CPU, 5000}, {unix.RLIMIT_FSIZE, 1 << 40}, {unix.RLIMIT_DATA, 1 << 40}, {unix.RLIMIT_STACK, 1 << 22},
		{unix.RLIMIT_RSS, 1 << 40}, {unix.RLIMIT_NPROC, 30000}, {unix.RLIMIT_NOFILE, 1000}, {unix.RLIMIT_MEMLOCK, 1 << 12},
		{unix.RLIMIT_AS, 1 << 45}, {unix.RLIMIT_LOCKS, 1000}, {unix.RLIMIT_SIGPENDING, 900}, {unix.RLIMIT_MSGQUEUE, 4096},
		{unix.RLIMIT_RTTIME, 1 << 40},
	} {
		var have unix.Rlimit
		if err := unix.Getrlimit(l.resource, &have); err != nil {
			return err
		}
		have.Cur = min(l.soft, have.Max)
		if err := unix.Setrlimit(l.resource, &have); err != nil {
			return fmt.Errorf("limit %d: %w", l.resource, err)
		}
	}
	if fd, err := unix.Open("/etc", unix.O_RDONLY, 0); err != nil { // without close-on-exec
		return err
	} else if err := unix.Dup2(fd, 50); err != nil {
		return err
	}
	if _, err := unix.KeyctlJoinSessionKeyring("espalier-test"); err == nil {
		_, _ = unix.AddKey("user", "espalier-test", []byte("secret"), unix.KEY_SPEC_SESSION_KEYRING)
	}
	if !user {
		if err := unix.Setpriority(unix.PRIO_PROCESS, 0, 7); err != nil {
			return err
		}
		if err := unix.Prctl(unix.PR_SET_SECUREBITS, 1<<2, 0, 0, 0); err != nil { // SECBIT_NO_SETUID_FIXUP
			return err
		}
	}
	var cpus unix.CPUSet
	if err := unix.SchedGetaffinity(0, &cpus); err != nil {
		return err
	}
	first := 0
	for !cpus.IsSet(first) {
		first++
	}
	cpus.Zero()
	cpus.Set(first)
	if err := unix.SchedSetaffinity(0, &cpus); err != nil {
		return err
	}
	const schedBatch, schedIdle, ioprioIdle, preferred, noRandomize = 3, 5, 3 << 13, 1, 0x0040000
	policy, priority := uintptr(schedIdle), int32(0)
	if user {
		policy = schedBatch
	}
	var nodes uint64 = 1
	for name, e := range map[string]error{
		"scheduling policy": call3(unix.SYS_SCHED_SETSCHEDULER, 0, policy, uintptr(unsafe.Pointer(&priority))),
		"I/O priority":      call3(unix.SYS_IOPRIO_SET, ioprioWhoProcess, 0, ioprioIdle),
		"memory policy":     ignore(unix.ENOSYS, call3(unix.SYS_SET_MEMPOLICY, preferred, uintptr(unsafe.Pointer(&nodes)), 64)),
		"personality":       call3(unix.SYS_PERSONALITY, noRandomize, 0, 0),
		"timer slack":       unix.Prctl(unix.PR_SET_TIMERSLACK, 123456, 0, 0, 0),
		"huge pages":        unix.Prctl(unix.PR_SET_THP_DISABLE, 1, 0, 0, 0),
		"machine check":     ignore(unix.EINVAL, unix.Prctl(unix.PR_MCE_KILL, unix.PR_MCE_KILL_SET, unix.PR_MCE_KILL_EARLY, 0, 0)),
		"OOM score":         os.WriteFile("/proc/self/oom_score_adj", []byte("300"), 0),
		"core dump filter":  os.WriteFile("/proc/self/coredump_filter", []byte("0x7f"), 0),
	} {
		if e != nil {
			return fmt.Errorf("%s: %w", name, e)
		}
	}
	// Handler 1 is SIG_IGN. SIGCHLD is not among them: the test waits for children.
	act := [4]uint64{1}
	for _, sig := range []unix.Signal{unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGPIPE, unix.SIGTERM, unix.SIGTSTP, unix.SIGUSR1, unix.SIGTTOU, 40} {
		if _, _, e := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(sig), uintptr(unsafe.Pointer(&act)), 0, 8, 0, 0); e != 0 {
			return e
		}
	}
	mask := uint64(1<<(unix.SIGUSR2-1) | 1<<(unix.SIGALRM-1) | 1<<(unix.SIGPROF-1) | 1<<44)
	if _, _, e := unix.RawSyscall6(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&mask)), 0, 8, 0, 0); e != 0 {
		return e
	}
	return unix.Exec("/proc/self/exe", os.Args, append(os.Environ(), inheritedEnv+"=1"))
}

func call3(nr, a, b, c uintptr) error {
	if _, _, e := unix.RawSyscall(nr, a, b, c); e != 0 {
		return e
	}
	return nil
}

func ignore(this unix.Errno, err error) error {
	if err == this {
		return nil
	}
	return err
}

// SIGHUP ends a step that was started under nohup(1).
func TestNoHUP(t *testing.T) {
	if os.Getenv(restrictionEnv) != "" {
		t.Skip("already on a restricted machine")
	}
	nohup, err := exec.LookPath("nohup")
	must(t, err)
	cmd := exec.CommandContext(t.Context(), nohup, "/proc/self/exe", "-test.run=^TestInside$", "-test.v")
	cmd.Args[1] = os.Args[0]
	cmd.Env = append(os.Environ(), insideEnv+"="+inside(t))
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: TestInside") {
		t.Errorf("%v\n%s", err, out)
	}
}
