package sandbox

import (
	"maps"
	"path"
	"runtime"
	"slices"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/action"
)

// observe runs a step with observation and returns what was observed of the
// sources; nil when the observation is not complete.
func observe(t *testing.T, src map[string]string, argv ...string) *action.Observation {
	t.Helper()
	if !canObserve {
		t.Skipf("steps are not observed on %s", runtime.GOARCH)
	}
	st, step := withStore(t, map[string]string{"rootfs": rootfs(t), "src": folder(t, src)}, argv...)
	r, err := Local{}.Run(t.Context(), st, step, action.RunOptions{Observe: true})
	must(t, err)
	if r.ExitCode != 0 {
		t.Fatalf("exit code %d", r.ExitCode)
	}
	return r.Observation
}

// Every way in which a process can use a file is observed, also when the file
// does not exist.
func TestObserve(t *testing.T) {
	ways := map[string]bool{ // whether the content is read
		"open": true, "openat2": true, "noatime": true, "list": true, "exec": true, "rename": true, "link": true,
		"relative": true, "descriptor": true, "thread": true, "grandchild": true, "orphan": true,
		"opath": false, "stat": false, "lstat": false, "access": false, "readlink": false, "chdir": false, "xattr": false,
	}
	src := map[string]string{"unused": "text", "sub/other": "text"}
	for how := range ways {
		src["there-"+how], src["folder-"+how+"/file"] = "text", "text"
	}
	o := observe(t, src, append([]string{"ways"}, slices.Collect(maps.Keys(ways))...)...)
	if o == nil {
		t.Fatal("the observation is not complete")
	}
	got := map[string]bool{}
	for _, f := range o.Files {
		got[path.Clean(f.Path)] = got[path.Clean(f.Path)] || f.Read
	}
	for how, read := range ways {
		for _, name := range []string{"there-", "missing-", "folder-"} {
			if r, ok := got["/src/"+name+how]; !ok || r != read {
				t.Errorf("%s%s: observed %v, read %v, want %v", name, how, ok, r, read)
			}
		}
	}
	for name := range got {
		if strings.Contains(name, "unused") || strings.HasSuffix(name, "/file") {
			t.Errorf("observed %s, which was not used", name)
		}
	}
}

// Other names for the sources end the observation.
func TestObserveLoses(t *testing.T) {
	for _, how := range []string{"symlink", "proc", "interpreter"} {
		if o := observe(t, map[string]string{"there": "text"}, "start", "/inside", "use", how, "/src/there"); o != nil {
			t.Errorf("%s: observed %v, but the file was used by another name", how, o.Files)
		}
	}
}

// The command itself is not observed; its exit code and restrictions are those
// of an unobserved step.
func TestObservedCommand(t *testing.T) {
	if o := observe(t, map[string]string{"there": "text"}, "cat", "/src/there"); o == nil || len(o.Files) != 0 {
		t.Errorf("observed %v of the command itself", o)
	}
	watch := func(j *job) { j.observe = true }
	trees := map[string]string{"rootfs": rootfs(t)}
	for _, c := range []struct {
		argv []string
		code int
	}{{[]string{"exit", "7"}, 7}, {[]string{"kill", "15"}, 143}} {
		if r := run(t, Local{}, trees, watch, c.argv...); r.code != c.code || r.err != nil {
			t.Errorf("%q: exit code %d (%v), want %d", c.argv, r.code, r.err, c.code)
		}
	}
	plain := run(t, Local{}, trees, nil, "calls").ok(t).stdout
	for _, argv := range [][]string{{"calls"}, {"start", "/inside", "calls"}} {
		if got := run(t, Local{}, trees, watch, argv...).ok(t).stdout; got != plain {
			t.Errorf("%q: the system call filter is another one: %s, want %s", argv, got, plain)
		}
	}
	a, b := run(t, Local{}, trees, nil, "look").seen(t), run(t, Local{}, trees, watch, "look").seen(t)
	for _, key := range []string{"CapEff", "CapPrm", "CapBnd", "NoNewPrivs", "Seccomp", "Seccomp_filters", "Uid", "SigIgn"} {
		if a.Status[key] != b.Status[key] {
			t.Errorf("%s: %s, unobserved %s", key, b.Status[key], a.Status[key])
		}
	}
	if a.PID != b.PID {
		t.Errorf("process id %d, unobserved %d", b.PID, a.PID)
	}
}
