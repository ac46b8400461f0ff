package bench

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"espalier.dev/espalier/internal/action"
	"espalier.dev/espalier/internal/build"
	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/progress"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/sandbox"
	"espalier.dev/espalier/internal/store"
)

func TestMain(m *testing.M) {
	sandbox.Init()
	os.Exit(m.Run())
}

// helloProject is the locked copy of the hello template that scripts/firmware
// keeps next to the test store.
func helloProject(b *testing.B) string {
	b.Helper()
	dir := filepath.Join(devtest.Store(b), "projects", "hello")
	if _, err := os.Stat(filepath.Join(dir, lock.FileName)); err != nil {
		devtest.Missing(b, "the locked hello project (scripts/firmware)")
	}
	return dir
}

// plain is a machine with the locked toolchain and without any sandbox: the
// same files at the same paths below a directory in which cargo runs with
// chroot. Its time is that of cargo alone.
type plain struct {
	dir  string
	plan build.Plan
	st   *store.Store
}

func newPlain(b *testing.B) *plain {
	b.Helper()
	if os.Geteuid() != 0 {
		devtest.Missing(b, "root, to run the same toolchain without a sandbox")
	}
	ctx := context.Background()
	st, err := store.Open(ctx, devtest.Store(b))
	check(b, err)
	b.Cleanup(func() { st.Close() })
	p, err := project.Open(helloProject(b), project.Options{})
	check(b, err)
	host := runtime.GOOS + "/" + runtime.GOARCH
	pins, err := lock.Load(p)
	check(b, err)
	m, err := build.Assemble(ctx, st, p, pins, host, progress.Discard)
	check(b, err)
	plan, err := build.PlanFor(ctx, st, p, pins, m)
	check(b, err)

	dir := filepath.Join(b.TempDir(), "root")
	for _, in := range []struct {
		at   string
		tree store.Digest
		time int64
	}{
		{"", m.Rootfs, 1}, {"cargo", m.Cargo, 1}, {"cargo/registry/src/v", m.Vendor, 1},
		{"src", inputOf(b, plan.Scratch(), "src"), 2},
	} {
		at := filepath.Join(dir, in.at)
		check(b, os.RemoveAll(at)) // Materialise makes the directory
		check(b, st.Materialise(ctx, in.tree, at, store.MaterialiseOptions{MTime: time.Unix(in.time, 0)}))
	}
	for _, d := range []string{"dev", "tmp", "target", "out", "home/espalier"} {
		check(b, os.MkdirAll(filepath.Join(dir, d), 0o777))
	}
	for name, minor := range map[string]int{"null": 3, "zero": 5, "urandom": 9} {
		check(b, syscall.Mknod(filepath.Join(dir, "dev", name), syscall.S_IFCHR|0o666, 1<<8|minor))
	}
	// Files that were just written are in larger pages of the page cache than
	// files that were read, and executing them causes fewer page faults. Both
	// sides must be as on a machine that was just started.
	settle()
	if err := os.WriteFile("/proc/sys/vm/drop_caches", []byte("3"), 0); err != nil {
		b.Logf("the copy is warmer than the store: %v", err)
	}
	return &plain{dir: dir, plan: plan, st: st}
}

func inputOf(b *testing.B, s action.Step, name string) store.Digest {
	for _, in := range s.Inputs {
		if in.Path == name {
			return in.Tree
		}
	}
	b.Fatalf("step has no input %s", name)
	return store.Digest{}
}

// cargo runs the plan's own command line outside of the sandbox.
func (p *plain) cargo(b *testing.B) (wall, cpu time.Duration) {
	b.Helper()
	step := p.plan.Scratch()
	cmd := exec.Command(step.Argv[0], step.Argv[1:]...)
	cmd.Path = step.Argv[0]
	cmd.Dir = step.Dir
	cmd.Env = nil
	for k, v := range step.Env {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: p.dir}
	var out bytes.Buffer
	cmd.Stderr = &out
	start := time.Now()
	if err := cmd.Run(); err != nil {
		b.Fatalf("cargo without a sandbox: %v\n%s", err, out.String())
	}
	return time.Since(start), cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
}

// elf returns the digest of the ELF of the plain build.
func (p *plain) elf(b *testing.B) store.Digest {
	text, err := os.ReadFile(filepath.Join(p.dir, "out", p.plan.Output))
	check(b, err)
	return store.DigestOf(text)
}

// BenchmarkCleanBuild compares a first "espalier build" with the same cargo
// command on the same toolchain without a sandbox (target: 1.05 at most), and
// with a step that compiles everything at once, as that of verify. All must
// make the same bytes.
//
//	go test ./bench -run '^$' -bench CleanBuild -benchtime 1x -timeout 60m
func BenchmarkCleanBuild(b *testing.B) {
	devtest.Long(b, "builds a firmware from scratch, eight times")
	p := newPlain(b)
	dir, espalier := helloCopy(b), command(b)
	n := 0
	var alone, layered, atOnce time.Duration
	same := func(elf []byte) {
		b.Helper()
		if got := store.DigestOf(elf); got != p.elf(b) {
			b.Fatalf("the sandbox made %v, cargo alone %v", got, p.elf(b))
		}
	}
	runs := []func(){
		func() {
			check(b, os.RemoveAll(filepath.Join(p.dir, "target")))
			check(b, os.Mkdir(filepath.Join(p.dir, "target"), 0o777))
			settle()
			wall, _ := p.cargo(b)
			alone += wall
		},
		func() {
			// A variable that crates and the standard library might read, new each
			// time, so that neither a result nor an earlier layer can be used.
			n++
			check(b, os.WriteFile(filepath.Join(dir, "espalier.toml"), fmt.Appendf(nil, "[build.env]\nRUST_BENCHMARK_RUN = \"%d %d\"\n", os.Getpid(), n), 0o644))
			settle()
			wall, _ := espalier(p.st, dir)
			layered += wall
			elf, err := os.ReadFile(filepath.Join(dir, "target", "espalier", p.plan.Output+".elf"))
			check(b, err)
			same(elf)
		},
		func() {
			settle()
			start := time.Now()
			out, err := build.Runner{Store: p.st, Executor: sandbox.Local{}, Report: progress.Discard, Scratch: true}.Run(context.Background(), p.plan)
			check(b, err)
			atOnce += time.Since(start)
			same(out.Bytes)
		},
	}
	runs[0]()
	runs[1]()
	alone, layered = 0, 0 // the page cache is warm for all from now on
	for b.Loop() {
		for _, run := range runs {
			run()
		}
		for _, run := range slices.Backward(runs) {
			run()
		}
	}
	b.ReportMetric(layered.Seconds()/float64(2*b.N), "ours-s")
	b.ReportMetric(alone.Seconds()/float64(2*b.N), "cargo-s")
	b.ReportMetric(layered.Seconds()/alone.Seconds(), "ratio")
	b.ReportMetric(atOnce.Seconds()/alone.Seconds(), "at-once-ratio")
	b.ReportMetric(float64(runtime.NumCPU()), "jobs")
	b.ReportMetric(0, "ns/op")
}

// helloCopy is a copy of the hello project for editing.
func helloCopy(b *testing.B) string {
	dir := filepath.Join(b.TempDir(), "hello")
	check(b, os.CopyFS(dir, os.DirFS(helloProject(b))))
	return dir
}

// command builds espalier and returns a function that measures its build verb
// as a whole process, with the processes of the sandbox.
func command(b *testing.B) func(st *store.Store, dir string) (wall, cpu time.Duration) {
	exe := filepath.Join(b.TempDir(), "espalier")
	if out, err := exec.Command("go", "build", "-o", exe, "../cmd/espalier").CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	return func(st *store.Store, dir string) (time.Duration, time.Duration) {
		cmd := exec.Command(exe, "-C", dir, "build", "-q")
		cmd.Env = append(os.Environ(), "ESPALIER_STORE="+st.Dir())
		start := time.Now()
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("espalier build: %v\n%s", err, out)
		}
		return time.Since(start), cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	}
}

// settle writes modified pages to the disk, so that this does not slow down the
// next build.
func settle() { syscall.Sync() }

// BenchmarkEdit compares "espalier build" after an edit of one line of main.rs
// with "cargo build" after the same edit in a warm target directory (target:
// 1.10 at most), and both without a change (target: 0.2 at most). Whole
// processes are measured, alternately; it reports the medians of eleven, and of
// the processor time, which says something on a busy machine, too.
//
//	go test ./bench -run '^$' -bench Edit -benchtime 1x
func BenchmarkEdit(b *testing.B) {
	devtest.Long(b, "builds a firmware")
	p := newPlain(b)
	dir, espalier := helloCopy(b), command(b)
	ours := func() (time.Duration, time.Duration) { return espalier(p.st, dir) }
	theirs := func() (time.Duration, time.Duration) { return p.cargo(b) }
	edit := func(n int) {
		for _, name := range []string{filepath.Join(dir, "src", "main.rs"), filepath.Join(p.dir, "src", "src", "main.rs")} {
			text, err := os.ReadFile(filepath.Join(helloProject(b), "src", "main.rs"))
			check(b, err)
			// A number that is new each time: neither side may find the result
			// in a cache.
			changed := strings.Replace(string(text), "Hello from", fmt.Sprintf("Hello %d %d from", os.Getpid(), n), 1)
			check(b, os.WriteFile(name, []byte(changed), 0o644))
		}
	}
	theirs() // a clean build, after which the target directory is warm
	ours()
	for b.Loop() {
		var editOurs, editTheirs, idleOurs, idleTheirs measured
		for n := range 11 {
			edit(n)
			editOurs.add(ours())
			editTheirs.add(theirs())
			idleOurs.add(ours())
			idleTheirs.add(theirs())
		}
		for _, c := range []struct {
			name         string
			ours, theirs measured
		}{{"edit", editOurs, editTheirs}, {"idle", idleOurs, idleTheirs}} {
			b.ReportMetric(median(c.ours.wall).Seconds(), c.name+"-s")
			b.ReportMetric(median(c.theirs.wall).Seconds(), c.name+"-cargo-s")
			b.ReportMetric(median(c.ours.wall).Seconds()/median(c.theirs.wall).Seconds(), c.name+"-ratio")
			b.ReportMetric(median(c.ours.cpu).Seconds(), c.name+"-cpu-s")
			b.ReportMetric(median(c.theirs.cpu).Seconds(), c.name+"-cargo-cpu-s")
			b.ReportMetric(median(c.ours.cpu).Seconds()/median(c.theirs.cpu).Seconds(), c.name+"-cpu-ratio")
		}
		b.ReportMetric(0, "ns/op")
	}
}

// measured are the times of processes.
type measured struct{ wall, cpu []time.Duration }

func (m *measured) add(wall, cpu time.Duration) {
	m.wall, m.cpu = append(m.wall, wall), append(m.cpu, cpu)
}

func median(d []time.Duration) time.Duration {
	d = slices.Clone(d)
	slices.Sort(d)
	return d[len(d)/2]
}
