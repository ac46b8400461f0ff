package fwtest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"espalier.dev/espalier/emu/testbed"
	"espalier.dev/espalier/esp/image"
	"espalier.dev/espalier/internal/chipfiles"
	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/internal/fwtest"
	"espalier.dev/espalier/internal/scenario"
	"espalier.dev/espalier/internal/store"
	"espalier.dev/espalier/monitor"
)

// built is a test program of testdata/fwtests.
func built(t testing.TB, name string) *fwtest.Program {
	t.Helper()
	dir := devtest.Store(t)
	elf, err := os.ReadFile(filepath.Join(dir, "firmware", "tests", name+".elf"))
	if err != nil {
		devtest.Missing(t, "tests/"+name+".elf (scripts/firmware)")
	}
	st, err := store.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	rom, err := chipfiles.Own().ROM(t.Context(), st, chipfiles.EmulatedRevision)
	if err != nil {
		devtest.Missing(t, "mask ROM: "+err.Error())
	}
	boot, err := chipfiles.Own().Bootloader(t.Context(), st, image.DIO)
	if err != nil {
		devtest.Missing(t, "bootloader: "+err.Error())
	}
	f, err := image.FromELF(elf, image.Inputs{Bootloader: boot})
	if err != nil {
		t.Fatal(err)
	}
	return &fwtest.Program{Name: name, ELF: elf, Flash: f.Merged(), ROM: rom}
}

func bed() (testbed.Config, error) { return testbed.Config{Network: testbed.None}, nil }

// run runs all tests of programs, those that are ignored, too.
func run(t testing.TB, r fwtest.Runner, programs ...*fwtest.Program) []fwtest.Result {
	t.Helper()
	r.Bed = bed
	for _, p := range programs {
		if err := r.Load(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	jobs, _ := fwtest.Filter{Included: true}.Select(programs)
	var out []fwtest.Result
	if err := r.Run(t.Context(), jobs, func(res fwtest.Result) { out = append(out, res) }); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestSuite(t *testing.T) {
	results := run(t, fwtest.Runner{Workers: 2}, built(t, "suite"))
	want := map[string]string{ // what the message of a failed test contains, "ok"
		"celsius": "ok", "sees_a_fresh_board": "ok", "panics": "ok", "slow": "ok", "returns_ok": "ok",
		"with_a_panic": "panicked at tests/suite.rs", "with_an_error": "returned an error", "hangs": "timed out after 1s of guest time",
		"resets": "the chip was reset: ", "does_not_panic": "should panic and does not", "floods": "timed out after 1s",
	}
	for _, r := range results {
		name := r.Test.Name[strings.LastIndex(r.Test.Name, ":")+1:]
		w, ok := want[name]
		delete(want, name)
		switch {
		case !ok:
			t.Errorf("%s: not expected", r.Test.Name)
		case w == "ok" && r.Outcome != fwtest.Passed, w != "ok" && (r.Outcome != fwtest.Failed || !strings.Contains(r.Message, w)):
			t.Errorf("%s: %v %q, want %q\n%s", r.Test.Name, r.Outcome, r.Message, w, strings.Join(r.Output, "\n"))
		case name == "with_a_panic":
			if text := strings.Join(r.Output, "\n"); !strings.Contains(text, "reading the sensor") {
				t.Errorf("output %q", text)
			}
			if text := strings.Join(r.Backtrace, "\n"); !strings.Contains(text, "tests/suite.rs") {
				t.Errorf("backtrace\n%s", text)
			}
		case name == "floods":
			if n := len(strings.Join(r.Output, "\n")); n > 300<<10 {
				t.Errorf("%d bytes are kept", n)
			}
		}
	}
	if len(want) > 0 {
		t.Errorf("not run: %v", want)
	}
}

// A test that starts from the shared boot goes as after a boot of its own, on one
// board at a time and on several.
func TestSharedBoot(t *testing.T) {
	p := built(t, "suite")
	text := func(r fwtest.Runner) string {
		var b strings.Builder
		for _, x := range run(t, r, p) {
			fmt.Fprintln(&b, x.Test.Name, x.Outcome, x.Message, x.Elapsed, x.Trace, x.Output, x.Backtrace)
		}
		return b.String()
	}
	shared := text(fwtest.Runner{Workers: 1, Seed: 7})
	if got := text(fwtest.Runner{Workers: 4, Seed: 7}); got != shared {
		t.Errorf("four boards at a time:\n%s\none:\n%s", got, shared)
	}
	if got := text(fwtest.Runner{Workers: 2, Seed: 7, Fresh: true}); got != shared {
		t.Errorf("booted for each test:\n%s\nshared boot:\n%s", got, shared)
	}
}

func TestPrograms(t *testing.T) {
	expects, err := monitor.ParseRules([]string{"plain program"})
	if err != nil {
		t.Fatal(err)
	}
	expected := built(t, "plain")
	expected.Name, expected.Expect = "expected", expects
	results := run(t, fwtest.Runner{Workers: 2}, built(t, "plain"), built(t, "failing"), expected, built(t, "rtt"))
	for i, want := range []string{"ok ", "FAILED panicked at tests/failing.rs", "ok ", "ok "} {
		if got := results[i].Outcome.String() + " " + results[i].Message; !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s, want %s", results[i].Test.Name, got, want)
		}
	}
	// No line of RTT is lost, although the buffer is small.
	text := strings.Join(results[3].Output, "\n")
	for n := range 40 {
		if line := fmt.Sprintf("line %d by RTT", n); !strings.Contains(text, line) {
			t.Errorf("no %q in\n%s", line, text)
			break
		}
	}
}

func TestFailFastAndRetries(t *testing.T) {
	results := run(t, fwtest.Runner{Workers: 4, FailFast: true}, built(t, "failing"), built(t, "plain"))
	if len(results) != 1 {
		t.Errorf("%d results after the first failure", len(results))
	}
	results = run(t, fwtest.Runner{Retries: 2, Seed: 5}, built(t, "failing"))
	if len(results) != 1 || results[0].Attempts != 3 || results[0].Seed != 7 {
		t.Errorf("%+v", results)
	}
}

func TestScenarioDecides(t *testing.T) {
	for text, want := range map[string]string{
		"expect \"plain program\"\n":                      "ok ",
		"expect \"no such text\" within 5ms\n":            `FAILED s:1:1: no line with "no such text" within 5ms`,
		"expect \"plain program\" within 20s\nwait 10s\n": "FAILED s:2:1: not reached: wait",
	} {
		p := built(t, "plain")
		var err error
		if p.Scenario, err = scenario.Parse("s", []byte(text), nil); err != nil {
			t.Fatal(err)
		}
		r := run(t, fwtest.Runner{}, p)[0]
		if got := r.Outcome.String() + " " + r.Message; got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

// The step after an expected line begins when the line has come, not when the time
// for it is over.
func TestScenarioIsPrompt(t *testing.T) {
	p := built(t, "../hello")
	var err error
	if p.Scenario, err = scenario.Parse("s", []byte("expect \"Hello\" within 20s\nexpect \"blink 1\" within 20s\nwait 1ms\n"), nil); err != nil {
		t.Fatal(err)
	}
	r := run(t, fwtest.Runner{}, p)[0]
	if r.Outcome != fwtest.Passed || r.Elapsed > 2*time.Second {
		t.Errorf("%v %s after %v", r.Outcome, r.Message, r.Elapsed)
	}
}

// A scenario that takes longer than a program has otherwise is performed to its end.
func TestLongScenario(t *testing.T) {
	for text, want := range map[string]string{
		"wait 61s\n": "ok  1m1s",
		"wait 50s\nexpect \"no such text\" within 20s\n": `FAILED s:2:1: no line with "no such text" within 20s 1m10s`,
	} {
		p := built(t, "../hello")
		var err error
		if p.Scenario, err = scenario.Parse("s", []byte(text), nil); err != nil {
			t.Fatal(err)
		}
		r := run(t, fwtest.Runner{}, p)[0]
		if got := fmt.Sprint(r.Outcome, " ", r.Message, " ", r.Elapsed.Truncate(time.Second)); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func TestLimit(t *testing.T) {
	p := built(t, "plain")
	r := run(t, fwtest.Runner{Limit: time.Millisecond}, p)[0]
	if r.Outcome != fwtest.Failed || r.Message != "timed out after 1ms of guest time" || r.Elapsed != time.Millisecond {
		t.Errorf("%v %s %v", r.Outcome, r.Message, r.Elapsed)
	}
}

func BenchmarkTests(b *testing.B) {
	p := built(b, "suite")
	r := fwtest.Runner{Workers: 2, Bed: bed}
	if err := r.Load(b.Context(), p); err != nil {
		b.Fatal(err)
	}
	jobs, _ := fwtest.Filter{Names: []string{"tests::celsius", "tests::returns_ok"}}.Select([]*fwtest.Program{p})
	for len(jobs) < 100 {
		jobs = append(jobs, jobs...)
	}
	for b.Loop() {
		if err := r.Run(b.Context(), jobs[:100], func(fwtest.Result) {}); err != nil {
			b.Fatal(err)
		}
	}
}

// Screenshots and levels of pins are kept in a folder of the test, and looking at
// the pins changes nothing.
func TestArtifacts(t *testing.T) {
	p := built(t, "suite")
	var err error
	if p.Scenario, err = scenario.Parse("s", []byte("ssd1306 screen sda 4 scl 5\nscreenshot start.png\n"), nil); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	one := func(r fwtest.Runner) fwtest.Result {
		r.Bed = bed
		if err := r.Load(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		jobs, _ := fwtest.Filter{Names: []string{"tests::celsius"}, Exact: true}.Select([]*fwtest.Program{p})
		var out fwtest.Result
		if err := r.Run(t.Context(), jobs, func(res fwtest.Result) { out = res }); err != nil {
			t.Fatal(err)
		}
		return out
	}
	kept := one(fwtest.Runner{Artifacts: dir, VCD: true})
	if kept.Outcome != fwtest.Passed {
		t.Errorf("%v %s", kept.Outcome, kept.Message)
	}
	for name, head := range map[string]string{"pins.vcd": "$timescale", "start.png": "\x89PNG"} {
		b, err := os.ReadFile(filepath.Join(dir, "suite", "tests", "celsius", name))
		if err != nil || !strings.HasPrefix(string(b), head) {
			t.Errorf("%s: %.20q, %v", name, b, err)
		}
	}
	if without := one(fwtest.Runner{}); without.Outcome != kept.Outcome || without.Elapsed != kept.Elapsed {
		t.Errorf("without levels %v after %v, with them %v after %v", without.Outcome, without.Elapsed, kept.Outcome, kept.Elapsed)
	}
}
