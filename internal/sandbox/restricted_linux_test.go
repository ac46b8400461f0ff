package sandbox

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"espalier.dev/espalier/internal/action"
	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/internal/fault"
)

// Some tests need a machine that forbids something: the test binary executes
// itself again, restricts itself (restrict) and runs TestRestricted or other
// tests.
const restrictionEnv = "ESPALIER_SANDBOX_TEST_RESTRICTION"

const nobody = 65534

// foreign is a tree of another user, below $TMPDIR.
const foreign = "foreign"

// restricted returns a command that runs tests under a restriction.
func restricted(t *testing.T, name, tests string, attr *syscall.SysProcAttr) *exec.Cmd {
	t.Helper()
	if os.Getenv(restrictionEnv) != "" {
		t.Skip("already on a restricted machine")
	}
	root := rootfs(t)
	tmp := t.TempDir()
	must(t, os.Chmod(tmp, 0o777))
	for d := tmp; d != "/"; d = filepath.Dir(d) { // another user must be able to enter it
		if st, err := os.Stat(d); err == nil && st.Mode().Perm()&0o011 != 0o011 {
			must(t, os.Chmod(d, st.Mode().Perm()|0o011))
		}
	}
	must(t, copyTree(filepath.Join(root, "inside"), filepath.Join(tmp, "inside"), copyOptions{}))
	must(t, copyTree(folder(t, map[string]string{"old": "old", "folder/a": "a"}), filepath.Join(tmp, foreign), copyOptions{}))
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run="+tests, "-test.v")
	cmd.Env = append(os.Environ(), restrictionEnv+"="+name, "TMPDIR="+tmp, insideEnv+"="+filepath.Join(tmp, "inside"))
	cmd.SysProcAttr = attr
	return cmd
}

// runRestricted runs tests under a restriction and waits for them.
func runRestricted(t *testing.T, name, tests string, attr *syscall.SysProcAttr) {
	t.Helper()
	out, err := restricted(t, name, tests, attr).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS") {
		t.Errorf("%v\n%s", err, out)
	}
}

// restrict applies a restriction to this process. TestMain calls it.
func restrict(name string) error {
	tmp := os.Getenv("TMPDIR")
	user := strings.HasSuffix(name, "-nobody")
	if os.Getenv(inheritedEnv) != "" { // executed again
		return nil
	}
	switch strings.TrimSuffix(strings.TrimSuffix(name, "-nobody"), "-root") {
	case "chroot":
		for _, d := range []string{"proc", "dev", "usr", "lib", "lib64", "bin", "tmp"} {
			to := filepath.Join(tmp, d)
			if _, err := os.Stat("/" + d); err != nil {
				continue
			}
			if err := os.Mkdir(to, 0o755); err != nil {
				return err
			}
			if d == "tmp" {
				continue
			}
			if err := unix.Mount("/"+d, to, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
				return err
			}
		}
		if err := unix.Chroot(tmp); err != nil {
			return err
		}
		if err := os.Chmod("/tmp", 0o777); err != nil {
			return err
		}
		if err := os.Chdir("/"); err != nil {
			return err
		}
		os.Setenv("TMPDIR", "/tmp")
		os.Setenv(insideEnv, "/inside")
	case "layered": // as in a container whose disk is an overlay
		dirs := map[string]string{}
		for _, d := range []string{"lower", "upper", "work", "merged"} {
			dirs[d] = filepath.Join(tmp, d)
			if err := os.Mkdir(dirs[d], 0o777); err != nil {
				return err
			}
		}
		options := "lowerdir=" + dirs["lower"] + ",upperdir=" + dirs["upper"] + ",workdir=" + dirs["work"]
		if err := unix.Mount("overlay", dirs["merged"], "overlay", 0, options); err != nil {
			return err
		}
		if err := os.Chmod(dirs["merged"], 0o777); err != nil {
			return err
		}
		os.Setenv("TMPDIR", dirs["merged"])
	case "masked", "one-user":
		if err := unix.Mount("tmpfs", "/proc/sys", "tmpfs", unix.MS_RDONLY, ""); err != nil {
			return err
		}
	case "limit":
		if err := os.WriteFile("/proc/sys/user/max_user_namespaces", []byte("0"), 0o644); err != nil {
			return err
		}
	}
	if user {
		if err := syscall.Setgroups(nil); err != nil {
			return err
		}
		if err := syscall.Setgid(nobody); err != nil {
			return err
		}
		if err := syscall.Setuid(nobody); err != nil {
			return err
		}
		if err := unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0); err != nil {
			return err
		}
	}
	if strings.HasPrefix(name, "inherited") {
		return enterInherited(user)
	}
	return nil
}

// enterFiltered executes this program again under a filter like that of a
// container runtime.
func enterFiltered() error {
	if b, err := os.ReadFile("/proc/self/status"); err != nil || strings.Contains(string(b), "Seccomp:\t2") {
		return err
	}
	runtime.LockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	if err := installFilter(isolatedFamilies[:]); err != nil {
		return err
	}
	return unix.Exec("/proc/self/exe", os.Args, os.Environ())
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Getenv(restrictionEnv) != "" {
		t.Skip("already on a restricted machine")
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root to restrict the machine")
	}
}

// Everything works for an unprivileged user, on a store of another user.
func TestUnprivileged(t *testing.T) {
	devtest.Long(t, "runs the tests again as another user")
	needRoot(t)
	runRestricted(t, "plain", "^(TestRestricted|TestInside|TestFilesInside|TestWritesAreDiscarded|TestCallFilter|TestNothingSurvives|TestCancel|TestShell|TestKeepTarget|TestRunWithStore|TestSharedFilesAreNotWritten|TestOutputsInOtherPlaces|TestProbe|TestNoSandboxWithoutRoot)$",
		&syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}})
}

func TestForbidden(t *testing.T) {
	devtest.Long(t, "runs the tests again in restricted surroundings")
	needRoot(t)
	mounts := func() *syscall.SysProcAttr { return &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS} }
	t.Run("chroot as user", func(t *testing.T) { runRestricted(t, "chroot-nobody", "^TestRestricted$", mounts()) })
	t.Run("chroot as root", func(t *testing.T) {
		runRestricted(t, "chroot-root", "^(TestRestricted|TestInside|TestCancel)$", mounts())
	})
	t.Run("masked proc as user", func(t *testing.T) { runRestricted(t, "masked-nobody", "^TestRestricted$", mounts()) })
	t.Run("masked proc as root", func(t *testing.T) { runRestricted(t, "masked-root", "^TestRestricted$", mounts()) })
	t.Run("filtered", func(t *testing.T) {
		runRestricted(t, "filtered", "^TestRestricted$", &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}})
	})
	t.Run("filtered as root", func(t *testing.T) {
		runRestricted(t, "filtered-root", "^(TestRestricted|TestNoSandboxInContainer)$", nil)
	})
	t.Run("layered as root", func(t *testing.T) { runRestricted(t, "layered-root", "^(TestRestricted|TestRunWithStore)$", mounts()) })
	t.Run("layered as user", func(t *testing.T) {
		runRestricted(t, "layered-nobody", "^(TestRestricted|TestRunWithStore)$", mounts())
	})
	t.Run("one user", func(t *testing.T) {
		runRestricted(t, "one-user", "^(TestRestricted|TestNoSandboxWithOneUser)$", &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
			UidMappings: []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}},
		})
	})
	t.Run("limit", func(t *testing.T) {
		runRestricted(t, "limit", "^TestRestricted$", &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 7, HostID: os.Geteuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: 7, HostID: os.Getegid(), Size: 1}},
			AmbientCaps: []uintptr{unix.CAP_SYS_ADMIN, unix.CAP_SYS_RESOURCE},
		})
	})
}

// TestRestricted checks a run and Probe under each restriction.
func TestRestricted(t *testing.T) {
	name := os.Getenv(restrictionEnv)
	want, known := map[string]struct{ cause, hint string }{
		"plain":          {},
		"chroot-nobody":  {"this is a chroot", "outside of the chroot"},
		"chroot-root":    {},
		"masked-nobody":  {"parts of /proc are masked", "systempaths=unconfined"},
		"masked-root":    {},
		"filtered":       {"forbids namespaces", "seccomp=unconfined"},
		"filtered-root":  {"forbids namespaces", "seccomp=unconfined"},
		"layered-root":   {},
		"layered-nobody": {},
		"one-user":       {"this container has one user only", "--add-subuids"},
		"limit":          {"user.max_user_namespaces is 0", "sudo sysctl -w user.max_user_namespaces="},
	}[name]
	if !known {
		t.Skip("not the machine of this test")
	}
	r := run(t, Local{}, map[string]string{"rootfs": rootfs(t), "target": folder(t, map[string]string{"old": "old", "folder/a": "a"})}, nil, "rewrite")
	report := Probe(t.Context())
	if want.cause == "" {
		r.ok(t)
		if name == "plain" {
			theirs := filepath.Join(os.Getenv("TMPDIR"), foreign)
			run(t, Local{}, map[string]string{"rootfs": rootfs(t), "target": theirs}, nil, "rewrite").ok(t)
		}
		if !report.OK {
			t.Errorf("probe: %+v", report)
		}
		return
	}
	hints := strings.Join(fault.Hints(r.err), "\n")
	t.Logf("%v\n%s", r.err, hints)
	if fault.KindOf(r.err) != fault.Sandbox || !strings.Contains(r.err.Error(), want.cause) || !strings.Contains(hints, want.hint) {
		t.Errorf("error %v (kind %d)\nhints %s\nwant %q and %q", r.err, fault.KindOf(r.err), hints, want.cause, want.hint)
	}
	if report.OK || fmt.Sprint(report.Err) != r.err.Error() {
		t.Errorf("probe says %+v, the run %v", report, r.err)
	}
}

// TestNoSandboxInContainer runs what is possible for root in an ordinary
// container.
func TestNoSandboxInContainer(t *testing.T) {
	if os.Getenv(restrictionEnv) != "filtered-root" {
		t.Skip("not the machine of this test")
	}
	if s := run(t, Local{NoSandbox: true}, map[string]string{"rootfs": rootfs(t)}, nil, "look").seen(t); s.UID != 1000 {
		t.Errorf("user %d", s.UID)
	}
}

func TestNoSandboxWithOneUser(t *testing.T) {
	if os.Getenv(restrictionEnv) != "one-user" {
		t.Skip("not the machine of this test")
	}
	r := run(t, Local{NoSandbox: true}, map[string]string{"rootfs": rootfs(t)}, nil, "true")
	if fault.KindOf(r.err) != fault.Sandbox || !strings.Contains(r.err.Error(), "one user only") || len(fault.Hints(r.err)) == 0 {
		t.Errorf("error %v", r.err)
	}
}

func TestInIDMap(t *testing.T) {
	for _, c := range []struct {
		text string
		id   int
		want bool
	}{
		{"         0          0 4294967295\n", 1000, true},
		{"         0       1000          1\n", 1000, false},
		{"         0       1000          1\n         1     100000      65536\n", 1000, true},
		{"      1000       1000          1\n", 1000, true},
		{"", 0, false},
	} {
		if got := inIDMap(c.text, c.id); got != c.want {
			t.Errorf("%q, id %d: %v", c.text, c.id, got)
		}
	}
}

// TestKilledLauncher kills espalier while a step runs.
func TestKilledLauncher(t *testing.T) {
	tok := token(t)
	cmd := restricted(t, "sleeper", "^TestSleeper$", nil)
	base := t.TempDir()
	cmd.Env = append(cmd.Env, "SLEEPER_TOKEN="+tok, "SLEEPER_BASE="+base)
	ready := make(chan struct{})
	cmd.Stdout = &onReady{f: func() { close(ready) }}
	must(t, cmd.Start())
	select {
	case <-ready:
	case <-time.After(20 * time.Second):
		t.Fatal("the step did not start")
	}
	if len(alive(t, tok)) == 0 {
		t.Error("the step cannot be found, so its end could not be seen")
	}
	must(t, cmd.Process.Kill())
	_ = cmd.Wait()
	for deadline := time.Now().Add(10 * time.Second); len(alive(t, tok)) > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("still alive: %q", alive(t, tok))
		}
	}
	if left, _ := os.ReadDir(base); len(left) == 0 {
		t.Error("a killed run left nothing, so nothing is tested here")
	}
	running, err := newScratch(filepath.Join(base, storeFolder))
	must(t, err)
	defer running.remove()
	sweep(base)
	if left, _ := os.ReadDir(base); len(left) != 1 {
		t.Errorf("the next start left %v", left)
	}
	Sweep(base)
	if _, err := os.Lstat(running.dir); err != nil {
		t.Errorf("the directory of a run that goes on was removed: %v", err)
	}
}

func TestSleeper(t *testing.T) {
	if os.Getenv(restrictionEnv) != "sleeper" {
		t.Skip("only for TestKilledLauncher")
	}
	runContext(t, t.Context(), Local{Scratch: os.Getenv("SLEEPER_BASE")}, map[string]string{"rootfs": rootfs(t)}, nil,
		action.RunOptions{Stdout: os.Stdout}, "sleep", os.Getenv("SLEEPER_TOKEN"))
}
