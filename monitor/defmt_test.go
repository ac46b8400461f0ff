package monitor_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"espalier.dev/espalier/firmware"
	"espalier.dev/espalier/firmware/defmt"
	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/monitor"
)

// logged keeps the frames of defmt: as they came, and as they are shown.
type logged struct {
	transcript
	frames []byte
	lines  []string
	plain  []string
}

func (l *logged) Line(x monitor.Line) {
	if !x.Logged {
		if x.Class == monitor.Program {
			l.plain = append(l.plain, x.Text)
		}
		return
	}
	if x.Continued {
		l.lines[len(l.lines)-1] += "\n" + x.Text
		return
	}
	l.frames = append(append(l.frames, x.Raw...), 0)
	text := x.Text
	if x.Level == defmt.NoLevel {
		text = x.Message // the peer shows no time
	}
	if p := x.Place; p != nil {
		text += fmt.Sprintf(" @%s:%d", filepath.Base(p.File), p.Line)
	}
	l.lines = append(l.lines, text)
}

// TestRealLog boots a program that logs every kind of argument through
// esp-println, between plain text, and compares every line with defmt-print on
// the same bytes.
func TestRealLog(t *testing.T) {
	peer := devtest.Tool(t, "defmt-print")
	var sink logged
	var raw bytes.Buffer
	res := watchInto(t, "log", monitor.Options{Raw: &raw}, &sink)
	if res.Verdict != monitor.Crashed || !strings.Contains(res.Reason, "the end of the log") {
		t.Fatalf("%v: %s", res.Verdict, res.Reason)
	}
	if len(sink.lines) < 100 || len(sink.frames) >= raw.Len() {
		t.Fatalf("%d lines, %d of %d bytes", len(sink.lines), len(sink.frames), raw.Len())
	}
	cmd := exec.Command(peer, "-e", filepath.Join(devtest.Store(t), "firmware", "log.elf"), "--log-format", "{t} {L} {s} @{f}:{l}")
	cmd.Stdin = bytes.NewReader(sink.frames)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	// The peer names what is wrong with CBOR, and fills line numbers up.
	want := regexp.MustCompile(`invalid CBOR \(error: [^\[]*, bytes: `).ReplaceAllString(string(out), "invalid CBOR (bytes: ")
	want = regexp.MustCompile(`(@[a-z_]+\.rs:\d+) *\n`).ReplaceAllString(want, "$1\n")
	got := regexp.MustCompile(`(println has no level: 1) @[a-z.:0-9]*`).ReplaceAllString(strings.Join(sink.lines, "\n")+"\n", "$1")
	// A message of two lines has its location after the first one here.
	got = regexp.MustCompile(`(INFO  two)( @log.rs:\d+)\n(lines)`).ReplaceAllString(got, "$1\n$3$2")
	if got != want {
		g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
		for i := range min(len(g), len(w)) {
			if g[i] != w[i] {
				t.Errorf("line %d:\n ours   %q\n theirs %q", i, g[i], w[i])
			}
		}
		t.Errorf("%d lines, the peer has %d", len(g), len(w))
	}
	if p := strings.Join(sink.plain, "|"); !strings.HasPrefix(p, "plain text before the first frame|plain text between frames, with an address 0x42") {
		t.Errorf("plain text: %q", p)
	}
}

// TestRealStackDump: a program without frame pointers panics in a function
// that its callers keep on the stack; between them and the dump lie functions
// that never return and save no return address.
func TestRealStackDump(t *testing.T) {
	res, s := watch(t, "stackdump", monitor.Options{})
	if res.Verdict != monitor.Crashed || len(s.reports) != 1 {
		t.Fatalf("%+v\n%s", res, s)
	}
	source, err := os.ReadFile("../testdata/defmt/src/bin/stackdump.rs")
	if err != nil {
		t.Fatal(err)
	}
	at := func(function, text string) string {
		for i, l := range strings.Split(string(source), "\n") {
			if strings.Contains(l, text) {
				return fmt.Sprintf("%s src/bin/stackdump.rs:%d", function, i+1)
			}
		}
		t.Fatalf("no %q in the source", text)
		return ""
	}
	have := functions(s.reports[0])
	want := []string{at("stackdump::calibrate", "    table[channel]"), at("stackdump::average", "sum += calibrate"), at("stackdump::sensor", "average(&samples) +"), at("main", "sensor(black_box(7))")}
	if !inOrder(have, want) {
		t.Errorf("%q\nare not in order in %q", want, have)
	}
	text := strings.Join(have, "\n")
	for _, name := range []string{"core::panicking::panic_fmt", "core::panicking::panic_bounds_check", "_start_rust"} {
		if strings.Count(text, name+" ") != 1 {
			t.Errorf("%s is not there once: %q", name, have)
		}
	}
	if len(s.reports[0].Hints) != 0 {
		t.Errorf("hints: %q", s.reports[0].Hints)
	}
	// Whatever is on the stack, the unwinding ends.
	b, err := os.ReadFile(filepath.Join(devtest.Store(t), "firmware", "stackdump.elf"))
	if err != nil {
		t.Fatal(err)
	}
	app, err := firmware.Open(bytes.NewReader(b), firmware.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(5, 6))
	code := app.ExecutableRanges()
	for range 2000 {
		stack := make([]byte, 4*r.IntN(200))
		for i := 0; i+4 <= len(stack); i += 4 {
			x := code[r.IntN(len(code))]
			binary.LittleEndian.PutUint32(stack[i:], x.Start+uint32(r.Uint64N(x.End-uint64(x.Start)))&^1)
		}
		x := code[r.IntN(len(code))]
		from := firmware.Stack{Memory: func(addr uint32) (uint32, bool) {
			if off := uint64(addr - 0x3fc80000); off+4 <= uint64(len(stack)) {
				return binary.LittleEndian.Uint32(stack[off:]), true
			}
			return 0, false
		}}
		from.PC = x.Start + uint32(r.Uint64N(x.End-uint64(x.Start)))&^1
		from.Set(2, 0x3fc80000)
		if n := len(app.Unwind(from)); n > 200 {
			t.Fatalf("%d frames", n)
		}
	}
}
