package monitor_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/c3"
	"espalier.dev/espalier/esp/image"
	"espalier.dev/espalier/firmware"
	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/monitor"
)

// resource returns a file of the espflash crate: mask ROM and bootloader.
func resource(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(os.Getenv("ESPALIER_PEERS"), "espflash", "resources", name))
	if err != nil {
		devtest.Missing(t, "the resources of the espflash crate in $ESPALIER_PEERS/espflash")
	}
	return b
}

// transcript keeps what a monitor gives as text.
type transcript struct {
	strings.Builder
	reports []*monitor.Report
}

func (s *transcript) Line(l monitor.Line) {
	fmt.Fprintf(s, "%-7s|%s\n", l.Class, l.Text)
	for _, n := range l.Notes {
		fmt.Fprintf(s, "       |  %s = %s\n", l.Text[n.Start:n.End], n.Frames[0].Function)
	}
}

func (s *transcript) Report(r *monitor.Report) {
	s.reports = append(s.reports, r)
	s.WriteString(r.String())
}

// watch boots a firmware of the test store on the emulated board and monitors
// it as espalier run does.
func watch(t *testing.T, name string, opt monitor.Options) (monitor.Result, *transcript) {
	t.Helper()
	script := &transcript{}
	return watchInto(t, name, opt, script), script
}

func watchInto(t *testing.T, name string, opt monitor.Options, sink monitor.Sink) monitor.Result {
	t.Helper()
	devtest.Long(t, "boots a board")
	elf, err := os.ReadFile(filepath.Join(devtest.Store(t), "firmware", name+".elf"))
	if err != nil {
		devtest.Missing(t, "firmware/"+name+".elf in the test store")
	}
	rom := resource(t, "roms/esp32c3_rev300_rom.elf")
	flash, err := image.FromELF(elf, image.Inputs{Bootloader: resource(t, "bootloaders/esp32c3-bootloader.bin")})
	if err != nil {
		t.Fatal(err)
	}
	app, err := firmware.Open(bytes.NewReader(elf), firmware.Options{})
	if err != nil {
		t.Fatal(err)
	}
	mask, err := firmware.Open(bytes.NewReader(rom), firmware.Options{})
	if err != nil {
		t.Fatal(err)
	}
	board, err := c3.New(emu.Config{ROM: rom, Flash: flash.Merged()})
	if err != nil {
		t.Fatal(err)
	}
	opt.Symbols = firmware.NewSymbols(app, mask)
	if opt.For == 0 {
		opt.For = 10 * time.Second
	}
	m := monitor.New(opt, sink)
	at := func(tm emu.Time) time.Duration { return time.Duration(tm) * 25 / 4 } // a tick is 6.25 ns
	now := time.Duration(0)
	for !m.Done() {
		until, _ := m.NextTick()
		res := board.Run(context.Background(), emu.Limit(until-now+time.Nanosecond), emu.UntilOutput(func(o emu.Output) bool {
			return o.Stream == emu.UART0 && m.Write(monitor.UART0, at(o.At), o.Data)
		}))
		now = res.Now
		if res.Reason == emu.StopIdle || res.Err != nil {
			t.Logf("the board stopped: %v %v", res.Reason, res.Err)
			break
		}
		m.Tick(now)
	}
	return m.Close(now)
}

// functions lists what a report names, frame by frame.
func functions(r *monitor.Report) []string {
	var out []string
	for _, f := range r.Frames {
		for _, g := range f.Frames {
			out = append(out, fmt.Sprintf("%s %s:%d", g.Function, g.File, g.Line))
		}
	}
	return out
}

// inOrder reports whether all of want appear in have, in that order.
func inOrder(have, want []string) bool {
	for _, h := range have {
		if len(want) > 0 && h == want[0] {
			want = want[1:]
		}
	}
	return len(want) == 0
}

func TestRealPanic(t *testing.T) {
	res, s := watch(t, "panic", monitor.Options{Expect: []monitor.Rule{rule(t, "still here")}})
	if res.Verdict != monitor.Crashed || res.Err() == nil || len(s.reports) != 1 {
		t.Fatalf("%+v\n%s", res, s)
	}
	r := s.reports[0]
	if r.Kind != monitor.Panic || r.Message != "index out of bounds: the len is 3 but the index is 7" || !strings.HasPrefix(r.Location, "src/bin/panic.rs:") {
		t.Errorf("%v %q %q", r.Kind, r.Message, r.Location)
	}
	line := locationLine(t, r.Location)
	have := functions(r)
	if want := fmt.Sprintf("panic::calibrate src/bin/panic.rs:%d", line); !inOrder(have, []string{want}) {
		t.Errorf("no frame %q in %q", want, have)
	}
	for _, name := range []string{"panic::calibrate", "panic::sensor", "main"} {
		if n := strings.Count("\n"+strings.Join(have, "\n"), "\n"+name+" src/bin/panic.rs"); n != 1 {
			t.Errorf("%s appears %d times in %q", name, n, have)
		}
	}
	seen := map[uint32]bool{}
	for _, f := range r.Frames {
		if seen[f.Addr] || len(f.Frames) == 0 {
			t.Errorf("0x%08x is repeated or unknown", f.Addr)
		}
		seen[f.Addr] = true
	}
	checkBoot(t, s.String())
}

func TestRealException(t *testing.T) {
	res, s := watch(t, "exception", monitor.Options{})
	if res.Verdict != monitor.Crashed || len(s.reports) != 1 {
		t.Fatalf("%+v\n%s", res, s)
	}
	r := s.reports[0]
	if r.Kind != monitor.Exception || r.Core != "ProCpu" || !strings.HasPrefix(r.Message, "Exception 'Load access fault (5)' mepc=0x") || len(r.Registers) < 15 {
		t.Errorf("%v %q %q %v", r.Kind, r.Core, r.Message, r.Registers)
	}
	if !strings.Contains(r.Where(), "src/bin/exception.rs:") || r.Frames[0].Role != "pc" {
		t.Errorf("where: %q", r.Where())
	}
	if !strings.Contains(res.Reason, "src/bin/exception.rs:") {
		t.Errorf("reason: %q", res.Reason)
	}
	checkBoot(t, s.String())
}

func TestRealRuns(t *testing.T) {
	for _, c := range []struct {
		name    string
		opt     monitor.Options
		verdict monitor.Verdict
	}{
		{"hello", monitor.Options{Expect: []monitor.Rule{rule(t, "Hello from"), rule(t, `/blink \d+: GPIO8 is low$/`)}}, monitor.Passed},
		{"hello", monitor.Options{For: 3 * time.Second}, monitor.Elapsed},
		{"hello", monitor.Options{For: time.Second, Expect: []monitor.Rule{rule(t, "goodbye")}}, monitor.TimedOut},
		{"hello", monitor.Options{Fail: []monitor.Rule{rule(t, "is high")}}, monitor.FailText},
		{"reset", monitor.Options{Expect: []monitor.Rule{rule(t, "done")}}, monitor.Passed},
		{"quiet", monitor.Options{For: time.Second}, monitor.Elapsed},
	} {
		t.Run(fmt.Sprintf("%s/%v", c.name, c.verdict), func(t *testing.T) {
			res, s := watch(t, c.name, c.opt)
			if res.Verdict != c.verdict {
				t.Errorf("%v: %s\n%s", res.Verdict, res.Reason, s)
			}
			checkBoot(t, s.String())
		})
	}
}

// checkBoot demands that ROM and bootloader lines are told from the
// program's, and that none of their addresses is annotated.
func checkBoot(t *testing.T, transcript string) {
	t.Helper()
	booting := false
	for _, l := range strings.Split(transcript, "\n") {
		class, text, _ := strings.Cut(l, "|")
		class = strings.TrimSpace(class)
		switch class {
		case "boot":
			if !booting && !strings.HasPrefix(text, "ESP-ROM:") {
				t.Errorf("a boot line amid the program's: %q", l)
			}
			booting = true
		case "program", "crash":
			booting = false
		case "":
			if booting && strings.HasPrefix(text, "  0x") {
				t.Errorf("an address of a boot line is annotated: %q", l)
			}
		}
		if class != "boot" && (strings.Contains(text, "load:0x") || strings.Contains(text, " boot: ") || strings.Contains(text, "entry 0x")) {
			t.Errorf("not known as a boot line: %q", l)
		}
	}
}

func rule(t *testing.T, s string) monitor.Rule {
	t.Helper()
	r, err := monitor.ParseRule(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// locationLine is the line number in "file.rs:line:column".
func locationLine(t *testing.T, location string) (line int) {
	t.Helper()
	parts := strings.Split(location, ":")
	if len(parts) != 3 {
		t.Fatalf("location %q", location)
	}
	if _, err := fmt.Sscan(parts[1], &line); err != nil {
		t.Fatal(err)
	}
	return line
}
