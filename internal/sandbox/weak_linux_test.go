package sandbox

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"espalier.dev/espalier/internal/action"
	"espalier.dev/espalier/internal/fault"
)

func TestNoSandbox(t *testing.T) {
	needRoot(t)
	l := Local{NoSandbox: true, Scratch: t.TempDir()}
	vendor := folder(t, map[string]string{"crate/lib.rs": "v"})
	target := folder(t, map[string]string{"old": "old", "folder/a": "a"})
	trees := map[string]string{
		"rootfs": rootfs(t), "src": folder(t, map[string]string{"a": "source"}), "vendor": vendor, "target": target,
	}
	for range 2 { // the second run uses the root that the first made
		s := run(t, l, trees, func(j *job) { j.step.Dir = "/src" }, "look").seen(t)
		if s.UID != 1000 || s.GID != 1000 || len(s.Groups) != 0 || s.Dir != "/src" || s.Zone != "UTC" || s.Umask != 0o022 {
			t.Errorf("%+v", s)
		}
		if got, want := fmt.Sprint(s.Root), "[cargo dev etc home inside lib out proc src target tmp usr]"; got != want {
			t.Errorf("root %s, want %s", got, want)
		}
		if got, want := fmt.Sprint(s.Env), "[A=1 B=two words]"; got != want {
			t.Errorf("environment %s, want %s", got, want)
		}
		for d, want := range map[string]string{
			"/src": "<nil>", "/target": "<nil>", "/out": "<nil>", "/tmp": "<nil>", "/home/espalier": "<nil>",
			"/": "permission denied", "/etc": "permission denied", "/cargo/registry/src/v": "permission denied",
		} {
			if got := s.Writable[d]; !strings.HasSuffix(got, want) {
				t.Errorf("writing to %s: %s, want %s", d, got, want)
			}
		}
		if auditArch != 0 && !strings.Contains(s.Connect, "address family not supported") {
			t.Errorf("connect: %s", s.Connect)
		}
	}
	r := run(t, l, trees, nil, "rewrite").ok(t)
	if want := "/target\n/target/moved\n/target/moved/b\n/target/old\n"; r.stdout != want {
		t.Errorf("got %q, want %q", r.stdout, want)
	}
	r = run(t, l, trees, nil, "outputs").ok(t)
	if b, err := os.ReadFile(r.out + "/file"); string(b) != "file" {
		t.Errorf("output %q, %v", b, err)
	}
	if r := run(t, l, trees, func(j *job) { j.step.Argv[0] = "/none" }); fault.KindOf(r.err) != fault.Build {
		t.Errorf("missing program: %v", r.err)
	}
	roots, err := filepath.Glob(filepath.Join(l.Scratch, weakPrefix+"*"+weakSuffix))
	if err != nil || len(roots) != 1 {
		t.Errorf("kept roots %q, want one for all runs", roots)
	}
	old := time.Now().Add(-2 * weakAge)
	for _, r := range roots {
		must(t, os.Chtimes(r, old, old))
	}
	sweep(l.Scratch)
	if left, _ := filepath.Glob(filepath.Join(l.Scratch, weakPrefix+"*")); len(left) != 0 {
		t.Errorf("an old root is kept: %q", left)
	}
	if l.hermetic(action.Step{}) {
		t.Error("counts as hermetic")
	}
}

func TestNoSandboxLeavesNothingRunning(t *testing.T) {
	needRoot(t)
	l := Local{NoSandbox: true, Scratch: t.TempDir()}
	trees := map[string]string{"rootfs": rootfs(t)}
	tok := token(t)
	run(t, l, trees, nil, "daemon", tok).ok(t)
	if p := alive(t, tok); len(p) > 0 {
		t.Errorf("still alive: %q", p)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var at time.Time
	r := runContext(t, ctx, l, trees, nil, action.RunOptions{Stdout: &onReady{f: func() { at = time.Now(); cancel() }}}, "sleep", tok)
	if fault.KindOf(r.err) != fault.Interrupted || time.Since(at) > 2*time.Second {
		t.Errorf("error %v after %v", r.err, time.Since(at))
	}
	if p := alive(t, tok); len(p) > 0 {
		t.Errorf("still alive: %q", p)
	}
}

func TestNoSandboxWithoutRoot(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("runs as an ordinary user, see TestUnprivileged")
	}
	r := run(t, Local{NoSandbox: true}, map[string]string{"rootfs": rootfs(t)}, nil, "true")
	if fault.KindOf(r.err) != fault.Sandbox || !strings.Contains(r.err.Error(), "only root may") {
		t.Errorf("error %v", r.err)
	}
}
