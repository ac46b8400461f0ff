package bench

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/internal/progress"
	"espalier.dev/espalier/internal/store"
	"espalier.dev/espalier/internal/supply/debian"
)

// supplyChild makes the test binary a separate process that only fetches and
// unpacks, so that its peak memory and time can be measured.
const supplyChild = "ESPALIER_BENCH_SUPPLY"

// BenchmarkSupply compares fetching and unpacking a complete toolchain with apt
// and dpkg doing the same: "apt-get install --download-only", then "dpkg-deb
// -x" of the same packages one by one. Both read the index before. It reports
// the ratio of wall times (target 1.2 at most) and espalier's peak memory
// (target below 300 MB).
//
//	go test ./bench -run '^$' -bench Supply -benchtime 3x
func BenchmarkSupply(b *testing.B) {
	if dir := os.Getenv(supplyChild); dir != "" {
		supplyRun(b, dir)
		return
	}
	devtest.Long(b, "downloads a toolchain")
	apt, dpkg := devtest.Tool(b, "apt-get"), devtest.Tool(b, "dpkg-deb")
	var ours, theirs time.Duration
	var peak int64
	for range b.N {
		d, kb, names := supplyOurs(b)
		ours += d
		peak = max(peak, kb)
		theirs += supplyTheirs(b, apt, dpkg, names)
	}
	b.ReportMetric(ours.Seconds()/float64(b.N), "ours-s")
	b.ReportMetric(theirs.Seconds()/float64(b.N), "apt+dpkg-s")
	b.ReportMetric(ours.Seconds()/theirs.Seconds(), "ratio")
	b.ReportMetric(float64(peak)/1024, "peak-MB")
	b.ReportMetric(0, "ns/op")
	if peak > 300<<10 {
		b.Errorf("peak memory %d MB, the limit is 300", peak>>10)
	}
}

// supplyOurs runs the child with an empty store.
func supplyOurs(b *testing.B) (wall time.Duration, peakKB int64, names []string) {
	dir := b.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^$", "-test.bench=Supply", "-test.benchtime=1x")
	cmd.Env = append(os.Environ(), supplyChild+"="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	text, err := os.ReadFile(filepath.Join(dir, "result"))
	if err != nil {
		b.Fatal(err)
	}
	f := strings.Fields(string(text))
	ms, err := strconv.ParseInt(f[0], 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	if peakKB, err = strconv.ParseInt(f[1], 10, 64); err != nil {
		b.Fatal(err)
	}
	return time.Duration(ms) * time.Millisecond, peakKB, f[2:]
}

func supplyRun(b *testing.B, dir string) {
	ctx := context.Background()
	st, err := store.Open(ctx, filepath.Join(dir, "store"))
	if err != nil {
		b.Fatal(err)
	}
	defer st.Close()
	sup, err := debian.Discover("/", debian.Config{})
	if err != nil {
		b.Fatal(err)
	}
	tc, err := sup.Lock(ctx, st, debian.Request{}, progress.Discard)
	if err != nil {
		b.Fatal(err)
	}
	start := time.Now()
	if _, err := sup.Assemble(ctx, st, tc, progress.Discard); err != nil {
		b.Fatal(err)
	}
	line := fmt.Sprintf("%d %d", time.Since(start).Milliseconds(), peakRSS(b))
	for _, p := range tc.Packages {
		line += " " + p.Name + "=" + p.Version
	}
	if err := os.WriteFile(filepath.Join(dir, "result"), []byte(line), 0o644); err != nil {
		b.Fatal(err)
	}
}

// peakRSS is the peak resident set size of this process in kB.
func peakRSS(b *testing.B) int64 {
	if runtime.GOOS != "linux" {
		return 0
	}
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Fatal(err)
	}
	for _, line := range strings.Split(string(text), "\n") {
		if v, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, err := strconv.ParseInt(strings.Fields(v)[0], 10, 64)
			if err != nil {
				b.Fatal(err)
			}
			return kb
		}
	}
	b.Fatal("no VmHWM")
	return 0
}

// supplyTheirs downloads and unpacks the same packages with apt and dpkg.
func supplyTheirs(b *testing.B, apt, dpkg string, names []string) time.Duration {
	dir := b.TempDir()
	for _, d := range []string{"lists/partial", "cache/archives/partial", "tree"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			b.Fatal(err)
		}
	}
	common := []string{"-o", "Dir::State::status=/dev/null", "-o", "Dir::State::lists=" + dir + "/lists", "-o", "Dir::Cache=" + dir + "/cache",
		"-o", "APT::Sandbox::User=root", "-o", "Debug::NoLocking=1"}
	run := func(args ...string) {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			b.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
	run(append(append([]string{apt}, common...), "update")...)
	// apt builds its cache once per index; espalier has read the index before,
	// too.
	run(append(append([]string{apt}, common...), "--print-uris", "-y", "install", names[0])...)
	start := time.Now()
	run(append(append(append([]string{apt}, common...), "-y", "--no-install-recommends", "--download-only", "install"), names...)...)
	debs, err := filepath.Glob(filepath.Join(dir, "cache/archives/*.deb"))
	if err != nil {
		b.Fatal(err)
	}
	if len(debs) != len(names) {
		b.Fatalf("apt brought %d packages, we take %d", len(debs), len(names))
	}
	for _, d := range debs {
		run(dpkg, "-x", d, filepath.Join(dir, "tree"))
	}
	return time.Since(start)
}
