package monitor

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"espalier.dev/espalier/firmware/defmt"
)

// logTable knows three statements: 1 "ready", 2 "n {=u8}" and 3 "text {=str}".
func logTable(t testing.TB, encoding string) *defmt.Table {
	t.Helper()
	sym := func(addr uint32, tag, data string) defmt.Symbol {
		return defmt.Symbol{Name: fmt.Sprintf(`{"package":"p","tag":"defmt_%s","data":%q,"disambiguator":"%d"}`, tag, data, addr), Addr: addr, Section: true}
	}
	tab, err := defmt.NewTable([]defmt.Symbol{{Name: "_defmt_version_ = 4"}, {Name: "_defmt_encoding_ = " + encoding},
		sym(1, "info", "ready"), sym(2, "warn", "n {=u8}"), sym(3, "error", "text {=str}"), sym(4, "println", "0x42010040 {=u8}"), sym(5, "error", "{=str}")})
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

// logMonitor is a monitor whose program uses defmt.
func logMonitor(t testing.TB, tab *defmt.Table, bare bool, opt Options, sink Sink) *Monitor {
	m := New(opt, sink)
	m.unframe = func() *unframer {
		return &unframer{table: tab, decoder: defmt.NewDecoder(tab), bare: bare}
	}
	return m
}

// Frames, packed by hand: bytes, control byte.
const (
	ready   = "\x01\x7e"     // 01 00
	five    = "\x02\x05\x7a" // 02 00 05
	mark    = "\xff\x00"
	garbage = "\x02\x05\x7a\x01\x7e" // two frames run into each other
)

func TestFrames(t *testing.T) {
	for _, c := range []struct {
		name, encoding string
		bare           bool
		in, want       string
	}{
		{"between text", "rzcobs", false, "one\r\n" + mark + ready + "\x00two\n" + mark + five + "\x00", "one|INFO  ready|two|WARN  n 5"},
		{"in the middle of a line", "rzcobs", false, "one" + mark + ready + "\x00two\n", "one|INFO  ready|two"},
		{"a zero before the first", "rzcobs", false, mark + "\x00" + ready + "\x00", "INFO  ready"},
		{"no frame", "rzcobs", false, mark + "\x01\x01\x01\x00after\n", `\xff\x00\x01\x01\x01|after`},
		{"cut off by another", "rzcobs", false, mark + "\x02\x05" + mark + ready + "\x00", `\xff\x00\x02\x05|INFO  ready`},
		{"cut off by a reset", "rzcobs", false, mark + "\x02ESP-ROM:x\r\nhi\r\n" + mark + ready + "\x00", `\xff\x00\x02ESP-ROM:x|hi|INFO  ready`},
		{"never ended", "rzcobs", false, mark + ready, `\xff\x00\x01~`},
		{"a lone mark", "rzcobs", false, "\xff", `\xff`},
		{"noise", "rzcobs", false, "\xff\xff\x00\x01\x01\x01\x00\xffx\n", `\xff\xff\x00\x01\x01\x01|\xffx`},
		{"bare", "rzcobs", true, ready + "\x00" + five + "\x00", "INFO  ready|WARN  n 5"},
		{"bare after text", "rzcobs", true, "ESP-ROM:x\r\nload\r\n" + ready + "\x00" + five + "\x00", "ESP-ROM:x|load|INFO  ready|WARN  n 5"},
		{"marked, not expected", "rzcobs", true, "ESP-ROM:x\r\nload\r\n\xff\x00" + ready + "\x00\xff\x00" + five + "\x00more\n", "ESP-ROM:x|load|INFO  ready|WARN  n 5|more"},
		{"marked, not expected, in a line", "rzcobs", true, "load\xff\x00" + ready + "\x00", "load|INFO  ready"},
		{"bare, text only", "rzcobs", true, "one\ntwo", "one|two"},
		{"raw", "raw", false, "one\n" + mark + "\x01\x00" + mark + "\x02\x00\x05two\n", "one|INFO  ready|WARN  n 5|two"},
		{"raw, bare, after text", "raw", true, "zz\n\x01\x00\x02\x00\x05", "zz|INFO  ready|WARN  n 5"},
		{"no level, an address", "rzcobs", false, mark + "\x04\x07\x7a\x00", "0x42010040 7"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tab := logTable(t, c.encoding)
			for _, size := range []int{1, 2, 3, 7, 1 << 20} {
				var got lineTexts
				m := logMonitor(t, tab, c.bare, Options{}, &got)
				for p := []byte(c.in); len(p) > 0; {
					n := min(size, len(p))
					m.Write(UART0, 0, p[:n])
					p = p[n:]
				}
				m.Close(0)
				if s := strings.Join(got, "|"); s != c.want {
					t.Errorf("in writes of %d: %q\nwant %q", size, s, c.want)
				}
			}
		})
	}
}

type lineTexts []string

func (l *lineTexts) Line(x Line)    { *l = append(*l, x.Text) }
func (l *lineTexts) Report(*Report) { *l = append(*l, "report") }

// A frame that stops in the middle holds nothing back forever, and rules see
// what was logged.
func TestFramesInTime(t *testing.T) {
	tab := logTable(t, "rzcobs")
	var got lineTexts
	m := logMonitor(t, tab, false, Options{}, &got)
	m.Write(UART0, 0, []byte(mark+"\x01"))
	m.Flush(500 * time.Millisecond)
	if len(got) != 0 {
		t.Errorf("shown too early: %q", got)
	}
	m.Flush(framePause)
	if s := strings.Join(got, "|"); s != `\xff\x00\x01` {
		t.Errorf("%q", s)
	}
	// A program that logs elsewhere and prints here is not held up.
	got = nil
	m = logMonitor(t, tab, true, Options{}, &got)
	m.Write(UART0, 0, []byte("one\ntwo\nthr"))
	if s := strings.Join(got, "|"); s != "one|two" {
		t.Errorf("%q", s)
	}
	m = logMonitor(t, tab, false, Options{Expect: rules(t, "WARN", "n 5")}, &got)
	if m.Write(UART0, 0, []byte(mark+ready+"\x00")); m.Done() {
		t.Error("too early")
	}
	if m.Write(UART0, 0, []byte(mark+five+"\x00")); m.Result().Verdict != Passed {
		t.Errorf("%+v", m.Result())
	}
}

// frame is a frame of statement 5 as esp-println sends it.
func frame(text string) string {
	b := append([]byte{5, 0, byte(len(text)), byte(len(text) >> 8), 0, 0}, text...)
	out := []byte(mark)
	run, zeros := 0, byte(0)
	for _, c := range b {
		switch {
		case run < 7 && c == 0:
			zeros |= 1 << run
			run++
		case run >= 7 && c == 0:
			out = append(out, byte(run-7)|0x80)
			run = 0
			continue
		default:
			out = append(out, c)
			run++
		}
		if run == 7 && zeros != 0 {
			out = append(out, zeros)
			run, zeros = 0, 0
		}
	}
	if run > 0 && run < 7 {
		out = append(out, (zeros|0xff<<run)&0x7f)
	} else if run >= 7 {
		out = append(out, byte(run-7)|0x80)
	}
	return string(append(out, 0))
}

// A panic handler that logs through defmt: its lines are a crash all the same.
func TestFramesOfAPanic(t *testing.T) {
	tab := logTable(t, "rzcobs")
	rec := &recorder{}
	m := logMonitor(t, tab, false, Options{}, rec)
	for _, l := range []string{"on", "", "= PANIC =", "panicked at src/main.rs:1:2:\nboom\n", "", "Backtrace:", "", "0x1", "0x2", "", "", ""} {
		if l == "= PANIC =" {
			l = "====================== PANIC ======================"
		}
		m.Write(UART0, 0, []byte(frame(l)))
	}
	m.Close(0)
	got := rec.String()
	if m.Result().Verdict != Crashed || !strings.Contains(got, "panic: boom\n  at src/main.rs:1:2\n   0: 0x00000001 ??\n   1: 0x00000002 ??\n") {
		t.Errorf("%+v\n%s", m.Result(), got)
	}
}

// FuzzFrames: any bytes, cut anyhow, give the same lines, and none is lost.
func FuzzFrames(f *testing.F) {
	for _, s := range []string{"one\r\n" + mark + ready + "\x00two\n", mark + "\x02\x05" + mark + ready + "\x00", mark + garbage + "\x00", "\xff\xff\x00\x00\x00"} {
		f.Add([]byte(s), uint64(1), false, false)
		f.Add([]byte(s), uint64(2), true, false)
		f.Add([]byte(s), uint64(3), true, true)
	}
	f.Fuzz(func(t *testing.T, b []byte, seed uint64, bare, raw bool) {
		encoding := "rzcobs"
		if raw {
			encoding = "raw"
		}
		tab := logTable(t, encoding)
		r := rand.New(rand.NewPCG(seed, 0))
		run := func(size func() int) string {
			rec := &recorder{}
			m := logMonitor(t, tab, bare, Options{KeepGoing: true}, rec)
			for p := b; len(p) > 0; {
				n := min(max(size(), 1), len(p))
				m.Write(UART0, 0, p[:n])
				p = p[n:]
			}
			m.Close(0)
			return rec.String()
		}
		whole := run(func() int { return len(b) })
		if cut := run(func() int { return r.IntN(5) }); cut != whole {
			t.Fatalf("cut:\n%s\nwhole:\n%s", cut, whole)
		}
	})
}

// BenchmarkFrames is a stream of nothing but frames, as esp-println sends them;
// "decoded" counts the text that comes out.
func BenchmarkFrames(b *testing.B) {
	tab := logTable(b, "rzcobs")
	long := "\x03\x20m\x3a" + "essage of thirty-two characters" + "\x98"
	in := bytes.Repeat([]byte(mark+five+"\x00"+mark+ready+"\x00"+mark+long+"\x00"), 20000)
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	var out counted
	for b.Loop() {
		m := logMonitor(b, tab, false, Options{Expect: rules(b, "never"), Fail: rules(b, "FATAL")}, &out)
		for p := in; len(p) > 0; {
			n := min(4096, len(p))
			m.Write(UART0, 0, p[:n])
			p = p[n:]
		}
	}
	b.ReportMetric(float64(out)/1e6/b.Elapsed().Seconds(), "decoded-MB/s")
}

type counted int

func (c *counted) Line(l Line)    { *c += counted(len(l.Text) + 1) }
func (c *counted) Report(*Report) {}
