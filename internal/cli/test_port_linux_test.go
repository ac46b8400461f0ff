package cli

import (
	"encoding/xml"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/devtest"
)

// testsProject is a copy of a project whose tests scripts/firmware has built, with
// its lock.
func testsProject(t *testing.T, name string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("..", "..", "testdata", name))); err != nil {
		t.Fatal(err)
	}
	lock, err := os.ReadFile(filepath.Join(devtest.Store(t), "projects", name, "espalier.lock"))
	if err != nil {
		devtest.Missing(t, "the locked project "+name+" (scripts/firmware)")
	}
	if err := os.WriteFile(filepath.Join(dir, "espalier.lock"), lock, 0o666); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestTestOnPort: espalier test writes each program to a board at a port, as it
// does on a desk; what needs a debug probe is refused with the reason.
func TestTestOnPort(t *testing.T) {
	devtest.Long(t, "builds tests and flashes them, in real time")
	port, _ := sharedBoard(t, testChipFiles(t), "--download", "--pty", "--speed", "4")
	programs, frameworks := testsProject(t, "fwtests"), testsProject(t, "frameworks")
	report := filepath.Join(t.TempDir(), "report.xml")
	verdict := regexp.MustCompile(`(?m)^test (.*)$`)
	for _, k := range []struct {
		name, dir string
		args      []string
		code      int
		tests     string // names and verdicts
		text      string // of the output
	}{
		{"programs", programs, []string{"--test", "plain", "--test", "failing", "--expect", "plain program", "--junit", report}, 1,
			"failing ... FAILED, plain ... ok, result: FAILED. 1 passed; 1 failed;", "(at tests/failing.rs:14:5)"},
		{"defmt-test", frameworks, []string{"--test", "unit"}, 0,
			"an_empty_frame ... ok, wraps ... ok, later ... ignored, keeps_its_state ... ok, refuses ... ok, result: ok. 4 passed; 0 failed; 1 ignored;", "in the second test"},
		{"a text in defmt", frameworks, []string{"--test", "serial", "--expect", "a checksum of 0x42"}, 0, "serial ... ok, result: ok. 1 passed;", ", verified"},
		{"a semihosting exit", frameworks, []string{"--test", "serial", "--expect", "no such text"}, 1, "serial ... FAILED, result: FAILED. 0 passed; 1 failed;", "Breakpoint exception"},
		{"no text", programs, []string{"--test", "plain"}, 2, "", "plain: with --port a test passes by a text that it prints"},
		{"embedded-test, from the ELF", programs, []string{"--test", "suite"}, 2, "", "suite: embedded-test chooses tests by semihosting, which needs a debug probe"},
		{"embedded-test, by semihosting", frameworks, []string{"--test", "protocol0", "--expect", "x"}, 2, "", "protocol0: embedded-test chooses tests"},
		{"defmt-test by RTT", frameworks, []string{"--test", "broken"}, 2, "", "broken: defmt-test logs by RTT, which needs a debug probe"},
		{"levels of pins", programs, []string{"--test", "plain", "--expect", "x", "--vcd"}, 2, "", "--vcd: only the emulated board has it"},
	} {
		t.Run(k.name, func(t *testing.T) {
			env := []string{"HOME=" + t.TempDir(), "PATH=" + t.TempDir(), "ESPALIER_STORE=" + devtest.Store(t), "TMPDIR=" + t.TempDir()}
			cmd := espalier(t, env, append([]string{"-C", k.dir, "test", "--offline", "--port", port}, k.args...)...)
			out, _ := cmd.CombinedOutput()
			var tests []string
			for _, m := range verdict.FindAllStringSubmatch(string(out), -1) {
				tests = append(tests, m[1])
			}
			got := strings.Join(tests, ", ")
			if cmd.ProcessState.ExitCode() != k.code || !strings.HasPrefix(got, k.tests) || (got == "") != (k.tests == "") || !strings.Contains(string(out), k.text) {
				t.Errorf("exit %d, want %d\n%s\nwant %s, and %q in\n%s", cmd.ProcessState.ExitCode(), k.code, got, k.tests, k.text, out)
			}
		})
	}
	var doc struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
	}
	b, err := os.ReadFile(report)
	if err == nil {
		err = xml.Unmarshal(b, &doc)
	}
	if err != nil || doc.Tests != 2 || doc.Failures != 1 {
		t.Errorf("report: %v\n%s", err, b)
	}
}
