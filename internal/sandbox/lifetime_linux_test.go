package sandbox

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"espalier.dev/espalier/internal/action"
	"espalier.dev/espalier/internal/fault"
)

// alive returns the processes of this machine that have token in their
// command line.
func alive(t testing.TB, token string) []string {
	t.Helper()
	dirs, err := filepath.Glob("/proc/[0-9]*")
	must(t, err)
	var out []string
	for _, d := range dirs {
		b, err := os.ReadFile(d + "/cmdline")
		if err == nil && bytes.Contains(b, []byte(token)) && !strings.HasSuffix(d, "/"+strconv.Itoa(os.Getpid())) {
			out = append(out, d+" "+string(bytes.ReplaceAll(b, []byte{0}, []byte{' '})))
		}
	}
	return out
}

func token(t testing.TB) string {
	return fmt.Sprintf("token-%d-%s", os.Getpid(), filepath.Base(t.TempDir()))
}

// onReady calls f when the text arrives.
type onReady struct {
	once sync.Once
	f    func()
}

func (w *onReady) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte("ready")) {
		w.once.Do(w.f)
	}
	return len(b), nil
}

func TestExitCodes(t *testing.T) {
	trees := map[string]string{"rootfs": rootfs(t)}
	for _, c := range []struct {
		args []string
		want int
	}{
		{[]string{"exit", "0"}, 0}, {[]string{"exit", "3"}, 3}, {[]string{"exit", "101"}, 101},
		{[]string{"kill", "9"}, 137}, {[]string{"kill", "15"}, 143},
	} {
		if r := run(t, Local{}, trees, nil, c.args...); r.err != nil || r.code != c.want {
			t.Errorf("%v: exit code %d, error %v, want %d", c.args, r.code, r.err, c.want)
		}
	}
}

func TestProgramThatCannotStart(t *testing.T) {
	root := rootfs(t)
	must(t, os.WriteFile(filepath.Join(root, "data"), []byte("no program"), 0o644))
	must(t, os.WriteFile(filepath.Join(root, "script"), []byte("#!/bin/missing\n"), 0o755))
	must(t, os.WriteFile(filepath.Join(root, "foreign"), []byte("\x7fELF\x01\x01\x01"+strings.Repeat("\x00", 60)), 0o755))
	for program, want := range map[string]string{
		"/nothing": "no such file or directory", "/script": "no such file or directory", "/data": "permission denied", "/foreign": "exec format error",
	} {
		r := run(t, Local{}, map[string]string{"rootfs": root}, func(j *job) { j.step.Argv = []string{program} })
		if fault.KindOf(r.err) != fault.Build || !strings.Contains(fmt.Sprint(r.err), want) || len(fault.Hints(r.err)) == 0 {
			t.Errorf("%s: error %v, hints %q, want %q", program, r.err, fault.Hints(r.err), want)
		}
	}
	r := run(t, Local{}, map[string]string{"rootfs": root}, func(j *job) { j.step.Dir = "/no/folder" }, "true")
	if fault.KindOf(r.err) != fault.Build || !strings.Contains(strings.Join(fault.Hints(r.err), " "), "/no/folder") {
		t.Errorf("missing working directory: %v, hints %q", r.err, fault.Hints(r.err))
	}
}

func TestNothingSurvives(t *testing.T) {
	tok := token(t)
	start := time.Now()
	r := run(t, Local{}, map[string]string{"rootfs": rootfs(t)}, nil, "daemon", tok).ok(t)
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("the output stayed open for %v", d)
	}
	_ = r
	if p := alive(t, tok); len(p) > 0 {
		t.Errorf("still alive: %q", p)
	}
}

func TestCancel(t *testing.T) {
	for name, way := range ways() {
		t.Run(name, func(t *testing.T) {
			tok, base := token(t), t.TempDir()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var at time.Time
			out := &onReady{f: func() { at = time.Now(); cancel() }}
			r := runContext(t, ctx, Local{Scratch: base}, map[string]string{"rootfs": rootfs(t)}, way, action.RunOptions{Stdout: out}, "sleep", tok)
			if d := time.Since(at); d > 2*time.Second {
				t.Errorf("took %v to stop", d)
			}
			if fault.KindOf(r.err) != fault.Interrupted {
				t.Errorf("error %v", r.err)
			}
			if p := alive(t, tok); len(p) > 0 {
				t.Errorf("still alive: %q", p)
			}
			b, err := os.ReadFile("/proc/self/mountinfo")
			must(t, err)
			if bytes.Contains(b, []byte(base)) {
				t.Errorf("a mount is left:\n%s", b)
			}
		})
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	r := runContext(t, ctx, Local{}, map[string]string{"rootfs": rootfs(t)}, nil, action.RunOptions{}, "sleep", token(t))
	if fault.KindOf(r.err) != fault.Timeout {
		t.Errorf("after the deadline: %v", r.err)
	}
}

func TestScratchIsRemoved(t *testing.T) {
	base := t.TempDir()
	s, err := newScratch(base)
	must(t, err)
	locked := filepath.Join(s.dir, "a", "b")
	must(t, os.MkdirAll(filepath.Join(locked, "c"), 0o755))
	must(t, os.Chmod(locked, 0))
	must(t, os.Chmod(filepath.Dir(locked), 0o500))
	other, err := newScratch(base)
	must(t, err)
	if _, err := os.Stat(s.dir); err != nil {
		t.Errorf("the folder of a run that is alive was removed: %v", err)
	}
	s.lock.Close() // as when the process dies
	third, err := newScratch(base)
	must(t, err)
	if _, err := os.Lstat(s.dir); err == nil {
		t.Error("the folder of a dead run is still there")
	}
	if _, err := os.Stat(other.dir); err != nil {
		t.Errorf("the folder of a run that is alive was removed: %v", err)
	}
	other.remove()
	third.remove()
	if left, _ := os.ReadDir(base); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

// What a killed verify, or a build with secrets, leaves is removed at the next
// start; the directory of another process stays.
func TestTempDirIsSwept(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	dir, remove, err := TempDir()
	must(t, err)
	dead, err := newScratch(TempBase())
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dead.dir, "firmware"), []byte("secret"), 0o600))
	dead.lock.Close() // as when the process dies
	Sweep(t.TempDir())
	if _, err := os.Lstat(dead.dir); err == nil {
		t.Error("the directory of a dead process is still there")
	}
	if _, err := os.Lstat(dir); err != nil {
		t.Errorf("the directory of a living process was removed: %v", err)
	}
	remove()
	if left, _ := os.ReadDir(os.TempDir()); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

func TestTwoAtOnce(t *testing.T) {
	trees := map[string]string{"rootfs": rootfs(t), "target": folder(t, map[string]string{"old": "x", "folder/a": "a"})}
	base := t.TempDir()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			r := run(t, Local{Scratch: base}, trees, nil, "rewrite")
			if r.err != nil || r.stdout != "/target\n/target/moved\n/target/moved/b\n/target/old\n" {
				t.Errorf("error %v, output %q", r.err, r.stdout)
			}
		})
	}
	wg.Wait()
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestOutputIsStreamedAndKept(t *testing.T) {
	const n = 4 << 20
	var out bytes.Buffer
	s, err := newScratch(t.TempDir())
	must(t, err)
	defer s.remove()
	j := &job{scratch: s, trees: map[string]string{"rootfs": rootfs(t)}}
	j.step.Argv = []string{"/inside", "spam", fmt.Sprint(n)}
	logs, err := j.openStreams(action.RunOptions{Stdout: &out, Stderr: failingWriter{}}, confirm(nil, nil, nil))
	must(t, err)
	code, _, err := j.run(t.Context())
	j.closeStdio()
	must(t, logs.close())
	if err != nil || code != 0 || out.Len() != n || logs.out.size != n || logs.err.size != n {
		t.Errorf("exit %d, error %v, streamed %d, kept %d and %d, want %d", code, err, out.Len(), logs.out.size, logs.err.size, n)
	}
}

// openPTY makes a terminal whose user is the test.
func openPTY(t *testing.T) (user, program *os.File) {
	t.Helper()
	user, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	t.Cleanup(func() { user.Close() })
	must(t, unix.IoctlSetPointerInt(int(user.Fd()), unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetUint32(int(user.Fd()), unix.TIOCGPTN)
	must(t, err)
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	must(t, err)
	t.Cleanup(func() { program.Close() })
	return user, program
}

func TestShell(t *testing.T) {
	for name, way := range ways() {
		t.Run(name, func(t *testing.T) {
			user, tty := openPTY(t)
			before, err := term.GetState(int(tty.Fd()))
			must(t, err)
			s, err := newScratch(t.TempDir())
			must(t, err)
			defer s.remove()
			j := &job{scratch: s, trees: map[string]string{"rootfs": rootfs(t)}}
			j.step.Argv = []string{"/inside", "tty"}
			if way != nil {
				way(j)
			}
			seen := make(chan string)
			go func() { // the user waits for each response before typing the next line
				defer close(seen)
				var all strings.Builder
				buf := make([]byte, 256)
				typed := map[string]string{"pid ": "hello\n", `got "hello\n"`: "\x03"}
				for {
					n, err := user.Read(buf)
					all.Write(buf[:n])
					for answer, keys := range typed {
						if strings.Contains(all.String(), answer) {
							delete(typed, answer)
							_, _ = user.WriteString(keys)
						}
					}
					if err != nil || len(typed) == 0 {
						seen <- all.String()
						return
					}
				}
			}()
			code, err := j.runShell(t.Context(), tty, tty)
			if err != nil || code != 130 {
				t.Errorf("Ctrl-C: exit code %d, error %v, want 130", code, err)
			}
			if text := <-seen; !strings.Contains(text, fmt.Sprintf("pid %d", commandPID)) {
				t.Errorf("seen: %q", text)
			}
			after, err := term.GetState(int(tty.Fd()))
			must(t, err)
			if fmt.Sprint(before) != fmt.Sprint(after) {
				t.Errorf("the terminal was not restored: %v, before %v", after, before)
			}
		})
	}
}
