package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"espalier.dev/espalier/internal/action"
)

func TestMain(m *testing.M) {
	Init()
	if name := os.Getenv(restrictionEnv); strings.HasPrefix(name, "filtered") {
		if err := enterFiltered(); err != nil {
			panic(err)
		}
	} else if name != "" {
		if err := restrict(name); err != nil {
			panic(err)
		}
	}
	code := m.Run()
	if builtInside != "" {
		os.RemoveAll(filepath.Dir(builtInside))
	}
	os.Exit(code)
}

// The static test program is built once, by the first test that needs it.
var (
	buildInside sync.Once
	builtInside string
)

// inside returns the path of the static test program.
func inside(t testing.TB) string {
	t.Helper()
	if p := os.Getenv(insideEnv); p != "" {
		return p
	}
	buildInside.Do(func() {
		dir, err := os.MkdirTemp("", "espalier-inside")
		must(t, err)
		builtInside = filepath.Join(dir, "inside")
		cmd := exec.Command("go", "build", "-o", builtInside, "./testdata/inside")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("building the test program: %v\n%s", err, out)
		}
	})
	return builtInside
}

// insideEnv is the path of the static test program, for tests that run
// themselves again as another user.
const insideEnv = "ESPALIER_SANDBOX_TEST_INSIDE"

// rootfs returns a directory that contains only the static test program.
func rootfs(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o755))
	must(t, copyTree(inside(t), filepath.Join(dir, "inside"), copyOptions{}))
	must(t, os.Mkdir(filepath.Join(dir, "usr"), 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "usr", "file"), []byte("usr"), 0o644))
	must(t, os.MkdirAll(filepath.Join(dir, "etc", "from-rootfs"), 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "etc", "passwd"), []byte("root of the rootfs"), 0o644))
	must(t, os.Symlink("usr", filepath.Join(dir, "lib")))
	must(t, os.Symlink("/nowhere", filepath.Join(dir, "src"))) // a link in the rootfs must not redirect a mount
	return dir
}

// folder makes a directory with files.
func folder(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o755))
	for name, text := range files {
		p := filepath.Join(dir, name)
		must(t, os.MkdirAll(filepath.Dir(p), 0o755))
		must(t, os.WriteFile(p, []byte(text), 0o644))
		must(t, os.Chtimes(p, time.Unix(1, 0), time.Unix(1, 0)))
	}
	return dir
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// ran is the result of one run.
type ran struct {
	code           int
	stdout, stderr string
	out            string // host directory of /out
	err            error
}

// run runs the test program with trees, without a store.
func run(t testing.TB, l Local, trees map[string]string, change func(*job), argv ...string) ran {
	t.Helper()
	return runContext(t, t.Context(), l, trees, change, action.RunOptions{}, argv...)
}

func runContext(t testing.TB, ctx context.Context, l Local, trees map[string]string, change func(*job), opts action.RunOptions, argv ...string) ran {
	t.Helper()
	if l.Scratch == "" {
		l.Scratch = t.TempDir()
	}
	s, err := newScratch(l.Scratch)
	must(t, err)
	t.Cleanup(s.remove)
	j := &job{Local: l, scratch: s, trees: trees, step: action.Step{
		Name: "test", Argv: append([]string{"/inside"}, argv...), Env: map[string]string{"A": "1", "B": "two words"},
	}}
	if change != nil {
		change(j)
	}
	var r ran
	var stdout, stderr bytes.Buffer
	if opts.Stdout == nil {
		opts.Stdout = &stdout
	}
	if opts.Stderr == nil {
		opts.Stderr = &stderr
	}
	logs, err := j.openStreams(opts, confirm(nil, nil, nil))
	must(t, err)
	r.code, r.out, r.err = j.runAny(ctx)
	j.closeStdio()
	must(t, logs.close())
	r.stdout, r.stderr = stdout.String(), stderr.String()
	return r
}

// ok fails the test unless the command exited with 0.
func (r ran) ok(t testing.TB) ran {
	t.Helper()
	if r.err != nil || r.code != 0 {
		t.Fatalf("exit code %d, error %v\nstdout: %s\nstderr: %s", r.code, r.err, r.stdout, r.stderr)
	}
	return r
}

// seen is what "inside look" reports.
type seen struct {
	UID, GID, PID, PPID, Umask    int
	Groups                        []int
	Hostname, Zone, Dir, Kernel   string
	Env                           []string
	Root, Dev, Proc, Etc          []string
	Descriptors                   []string
	Interfaces                    []string
	Status                        map[string]string
	Connect, WriteRoot, WriteProc string
	ReadInit                      string
	Mountinfo                     string
	Writable                      map[string]string
	NoFile                        uint64
	Session                       int
	CPUs                          string
}

func (r ran) seen(t testing.TB) seen {
	t.Helper()
	r.ok(t)
	var s seen
	if err := json.NewDecoder(strings.NewReader(r.stdout)).Decode(&s); err != nil {
		t.Fatalf("%v: %s", err, r.stdout)
	}
	return s
}
