package monitor

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func rules(t testing.TB, ss ...string) []Rule {
	t.Helper()
	rs, err := ParseRules(ss)
	if err != nil {
		t.Fatal(err)
	}
	return rs
}

func TestRules(t *testing.T) {
	for _, c := range []struct {
		rule, line string
		want       bool
	}{
		{"200 OK", "HTTP/1.1 200 OK", true},
		{"200 ok", "HTTP/1.1 200 OK", false},
		{"/(?i)200 ok/", "HTTP/1.1 200 OK", true},
		{`/blink \d+: .* high$/`, "blink 12: GPIO8 is high", true},
		{`/^blink/`, "I blink", false},
		{"/dev", "/dev/ttyACM0", true},
		{"//", "a//b", true},
		{"a.c", "abc", false},
	} {
		if got := rules(t, c.rule)[0].Match(c.line); got != c.want {
			t.Errorf("%s on %q: %v", c.rule, c.line, got)
		}
	}
	for _, bad := range []string{"", "/(/"} {
		var e *RuleError
		if _, err := ParseRule(bad); !errors.As(err, &e) || e.Source != bad {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

const ms = time.Millisecond

// TestVerdicts runs sequences of output texts and commands.
func TestVerdicts(t *testing.T) {
	type step struct {
		at   time.Duration
		text string // "!flush", "!tick", "!timeout", "!close" are orders
	}
	panics := "\n====================== PANIC ======================\npanicked at src/main.rs:1:2:\nboom\n\nBacktrace:\n\n0x42010044\n"
	for _, c := range []struct {
		name    string
		opt     Options
		expect  []string
		fail    []string
		steps   []step
		verdict Verdict
		reason  string
	}{
		{"one text", Options{}, []string{"ready"}, nil, []step{{0, "boot\nready\n"}}, Passed, "everything expected"},
		{"in any order", Options{}, []string{"one", "two"}, nil, []step{{0, "two\none\n"}}, Passed, ""},
		{"one of two", Options{}, []string{"one", "two"}, nil, []step{{0, "two\n"}, {1, "!close"}}, Missing, `"one" did not appear`},
		{"both in one line", Options{}, []string{"one", "two"}, nil, []step{{0, "one two\n"}}, Passed, ""},
		{"not over a line end", Options{}, []string{"one two"}, nil, []step{{0, "one \ntwo\n"}, {1, "!close"}}, Missing, ""},
		{"through colours", Options{KeepColor: true}, []string{"one two"}, nil, []step{{0, "one \x1b[1mtwo\x1b[0m\n"}}, Passed, ""},
		{"a prompt needs a flush", Options{}, []string{"login:"}, nil, []step{{0, "login: "}}, Running, ""},
		{"a prompt after a flush", Options{}, []string{"login:"}, nil, []step{{0, "login: "}, {50 * ms, "!flush"}}, Passed, ""},
		{"a flush too early", Options{}, []string{"login:"}, nil, []step{{0, "login: "}, {49 * ms, "!flush"}}, Running, ""},
		{"a text over two flushes", Options{}, []string{"login:"}, nil, []step{{0, "log"}, {50 * ms, "!flush"}, {60 * ms, "in:"}, {110 * ms, "!flush"}}, Passed, ""},
		{"a last line without end", Options{}, []string{"bye"}, nil, []step{{0, "bye"}, {1, "!close"}}, Passed, ""},
		{"fail text", Options{}, nil, []string{"ERROR"}, []step{{0, "ok\nERROR 5\n"}}, FailText, `"ERROR 5"`},
		{"fail before expect in one line", Options{}, []string{"5"}, []string{"ERROR"}, []step{{0, "ERROR 5\n"}}, FailText, ""},
		{"expect in an earlier line", Options{}, []string{"5"}, []string{"ERROR"}, []step{{0, "5\nERROR\n"}}, Passed, ""},
		{"panic", Options{}, []string{"ready"}, nil, []step{{0, panics + "\n"}}, Crashed, "boom (at src/main.rs:1:2)"},
		{"panic, then silence", Options{}, nil, nil, []step{{0, panics}, {249 * ms, "!tick"}}, Running, ""},
		{"panic, then longer silence", Options{}, nil, nil, []step{{0, panics}, {250 * ms, "!tick"}}, Crashed, "boom"},
		{"panic, then the end", Options{}, nil, nil, []step{{0, panics}, {1, "!close"}}, Crashed, "boom"},
		{"panic cut off in its first line", Options{}, nil, nil, []step{{0, "panicked at src/main.rs:1:2:"}, {1, "!close"}}, Crashed, "src/main.rs:1:2"},
		{"panic that is expected", Options{}, []string{"boom"}, nil, []step{{0, panics + "\n"}}, Passed, ""},
		{"fail text in a panic leaves the report", Options{}, nil, []string{"boom"}, []step{{0, panics + "\n"}}, Crashed, "boom (at"},
		{"panic, going on", Options{KeepGoing: true}, []string{"again"}, nil, []step{{0, panics + "\n"}}, Running, ""},
		{"panic, going on, then expected text", Options{KeepGoing: true}, []string{"again"}, nil, []step{{0, panics + "\nagain\n"}}, Crashed, "boom"},
		{"for, nothing expected", Options{For: time.Second}, nil, nil, []step{{0, "x\n"}, {time.Second, "!tick"}}, Elapsed, "1s"},
		{"for, not over yet", Options{For: time.Second}, nil, nil, []step{{0, "x\n"}, {999 * ms, "!tick"}}, Running, ""},
		{"for, by bytes", Options{For: time.Second}, []string{"late"}, nil, []step{{time.Second, "late\n"}}, TimedOut, `"late" did not appear`},
		{"for, expected text in an unfinished line", Options{For: time.Second}, []string{"late"}, nil, []step{{999 * ms, "late"}, {time.Second, "!tick"}}, Passed, ""},
		{"for, crash just before", Options{For: time.Second}, nil, nil, []step{{999 * ms, panics}, {time.Second, "!tick"}}, Crashed, ""},
		{"timeout", Options{}, nil, nil, []step{{0, "x\n"}, {1, "!timeout"}}, TimedOut, "timeout"},
		{"timeout, expecting", Options{}, []string{"y"}, nil, []step{{0, "x\n"}, {1, "!timeout"}}, TimedOut, `"y" did not appear`},
		{"end, nothing expected", Options{}, nil, nil, []step{{0, "x\n"}, {1, "!close"}}, Ended, ""},
		{"first reset of a session", Options{}, nil, nil, []step{{0, "rst:0x7 (TG0WDT_SYS_RST),boot:0xc (SPI_FAST_FLASH_BOOT)\r\nSaved PC:0x42010048\r\nSPIWP:0xee\r\n"}, {1, "!close"}}, Ended, ""},
		{"first reset of a session that begins within the banner", Options{}, nil, nil, []step{{0, "api1-20210207\r\nBuild:Feb  7 2021\r\nrst:0x10 (RTCWDT_RTC_RST),boot:0xc (SPI_FAST_FLASH_BOOT)\r\n"}, {1, "!close"}}, Ended, ""},
		{"watchdog after a line that is no banner", Options{}, nil, nil, []step{{0, "2021\x20\nrst:0x10 (RTCWDT_RTC_RST),boot:0xc (SPI_FAST_FLASH_BOOT)\r\nSPIWP:0xee\r\n"}}, Crashed, "RTC watchdog"},
		{"watchdog", Options{}, nil, nil, []step{{0, "hi\nrst:0x8 (TG1WDT_SYS_RST),boot:0xc (SPI_FAST_FLASH_BOOT)\r\nSaved PC:0x42010048\r\n"}}, Crashed, "timer group 1"},
		{"watchdog without saved counter", Options{}, nil, nil, []step{{0, "hi\nrst:0x10 (RTCWDT_RTC_RST),boot:0xc (SPI_FAST_FLASH_BOOT)\r\nSPIWP:0xee\r\n"}}, Crashed, "RTC watchdog"},
		{"watchdog that is allowed", Options{AllowReset: true}, []string{"again"}, nil, []step{{0, "hi\nrst:0x8 (TG1WDT_SYS_RST),boot:0xc (SPI_FAST_FLASH_BOOT)\r\nSaved PC:0x42010048\r\nagain\n"}}, Passed, ""},
		{"brownout", Options{}, nil, nil, []step{{0, "hi\nrst:0xf (BROWN_OUT_RST),boot:0xc (SPI_FAST_FLASH_BOOT)\r\nSaved PC:0x42010048\r\n"}}, Crashed, "supply"},
		{"restart on purpose", Options{}, nil, nil, []step{{0, strings.Repeat("hi\nrst:0xc (RTC_SW_CPU_RST),boot:0xc (SPI_FAST_FLASH_BOOT)\r\nSaved PC:0x42010048\r\n", 4)}, {1, "!close"}}, Ended, ""},
		{"restart forever", Options{}, nil, nil, []step{{0, strings.Repeat("hi\nrst:0xc (RTC_SW_CPU_RST),boot:0xc (SPI_FAST_FLASH_BOOT)\r\nSaved PC:0x42010048\r\n", 5)}}, Crashed, "keeps resetting"},
		{"deep sleep forever", Options{}, nil, nil, []step{{0, strings.Repeat("hi\nrst:0x5 (DSLEEP),boot:0xc (SPI_FAST_FLASH_BOOT)\r\n", 50)}, {1, "!close"}}, Ended, ""},
		{"reset line after noise", Options{}, nil, nil, []step{{0, "hi\n\xff\x00\xf0rst:0x8 (TG1WDT_SYS_RST),boot:0xc (SPI_FAST_FLASH_BOOT)\r\nSaved PC:0x42010048\r\n"}}, Crashed, "timer group 1"},
		{"a word about panics is none", Options{}, nil, nil, []step{{0, "we panicked at noon\nno panic\nException '1'\nBacktrace:\n"}, {1, "!close"}}, Ended, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.opt.Expect, c.opt.Fail = rules(t, c.expect...), rules(t, c.fail...)
			m := New(c.opt, &recorder{})
			for _, s := range c.steps {
				switch s.text {
				case "!flush":
					m.Flush(s.at)
				case "!tick":
					m.Tick(s.at)
				case "!timeout":
					m.Timeout(s.at)
				case "!close":
					m.Close(s.at)
				default:
					m.Write(UART0, s.at, []byte(s.text))
				}
			}
			res := m.Result()
			if res.Verdict != c.verdict || !strings.Contains(res.Reason, c.reason) {
				t.Errorf("verdict %v: %q, want %v: %q", res.Verdict, res.Reason, c.verdict, c.reason)
			}
			bad := c.verdict == Crashed || c.verdict == FailText || c.verdict == Missing || c.verdict == TimedOut
			var e *VerdictError
			if got := errors.As(res.Err(), &e); got != bad || bad && e.Verdict != c.verdict {
				t.Errorf("error %v for %v", res.Err(), c.verdict)
			}
		})
	}
}

func TestNextTick(t *testing.T) {
	m := New(Options{For: 10 * time.Second}, &recorder{})
	if at, ok := m.NextTick(); !ok || at != 10*time.Second {
		t.Errorf("%v %v", at, ok)
	}
	m.Write(UART0, time.Second, []byte("panicked at src/main.rs:1:2:\nboom\n"))
	at, ok := m.NextTick()
	if !ok || at != time.Second+quiet {
		t.Errorf("%v %v", at, ok)
	}
	if !m.Tick(at) {
		t.Error("not done at the time it asked for")
	}
	if _, ok := m.NextTick(); ok {
		t.Error("wants to be called after the verdict")
	}
}

// lines keeps what it is given.
type lines struct {
	all     []Line
	reports []*Report
}

func (l *lines) Line(x Line) {
	x.Raw = bytes.Clone(x.Raw)
	l.all = append(l.all, x)
}
func (l *lines) Report(r *Report) { l.reports = append(l.reports, r) }

func TestFlushPieces(t *testing.T) {
	var got lines
	m := New(Options{KeepColor: true}, &got)
	for i, s := range []string{"ab\xe2\x82", "\xac\x1b[3", "1mred\r", "\nnext"} {
		m.Write(UART0, time.Duration(i)*pause, []byte(s))
		m.Flush(time.Duration(i+1) * pause)
	}
	m.Close(9)
	want := []string{"ab/partial", "+€/partial", "+\x1b[31mred/partial", "+/newline", "next/partial"}
	var have []string
	for _, l := range got.all {
		s := l.Text + "/" + map[End]string{Newline: "newline", Partial: "partial"}[l.End]
		if l.Continued {
			s = "+" + s
		}
		have = append(have, s)
	}
	if strings.Join(have, "|") != strings.Join(want, "|") {
		t.Errorf("got %q, want %q", have, want)
	}
}

func TestStreamsAreApart(t *testing.T) {
	var got lines
	m := New(Options{}, &got)
	m.Write(UART0, 1, []byte("panicked at "))
	m.Write(USB, 2, []byte("hello "))
	m.Write(UART0, 3, []byte("src/a.rs:1:2:\nboom\n\n\nx\n"))
	m.Write(USB, 4, []byte("usb\n"))
	if len(got.reports) != 1 || got.reports[0].Stream != UART0 {
		t.Errorf("%+v", got.reports)
	}
	m = New(Options{}, &got)
	got.all = nil
	m.Write(UART0, 1, []byte("a"))
	m.Write(USB, 2, []byte("b\n"))
	m.Write(UART0, 3, []byte("c\n"))
	if len(got.all) != 2 || got.all[0].Text != "b" || got.all[1].Text != "ac" || got.all[1].At != 1 || got.all[0].Stream != USB {
		t.Errorf("%+v", got.all)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestRawAndLogAreUnaltered(t *testing.T) {
	var raw, log bytes.Buffer
	m := New(Options{Raw: &raw, Log: &log, Expect: rules(t, "b")}, &recorder{})
	in := []byte("a\x00\xff\x1b[31m\r\nb\r\nafter the verdict\r\n")
	for i := range in {
		m.Write(UART0, 0, in[i:i+1])
	}
	if !bytes.Equal(raw.Bytes(), in) || !bytes.Equal(log.Bytes(), in) {
		t.Errorf("raw %q, log %q", raw.Bytes(), log.Bytes())
	}
	m = New(Options{Log: failing{}}, &recorder{})
	m.Write(UART0, 0, in)
	m.Write(UART0, 0, in)
	if m.Err() == nil || m.Done() {
		t.Errorf("%v %v", m.Err(), m.Done())
	}
}

// Longer lines than MaxLine come in pieces, the same ones in any chunking,
// never cutting a character, and memory stays bounded.
func TestLongLines(t *testing.T) {
	for _, n := range []int{MaxLine - 1, MaxLine, MaxLine + 1, 2 * MaxLine, 3*MaxLine + 17} {
		for _, end := range []string{"\n", "\r\n", "\r\r\n", "\rx\n"} {
			unit := "ab€"
			body := strings.Repeat(unit, n/len(unit)+1)[:n]
			in := []byte(body + end)
			want := render(in, len(in))
			for _, chunk := range []int{1 << 10, 4093, MaxLine, MaxLine + 1} {
				if got := render(in, chunk); got != want {
					t.Fatalf("%d bytes and %q in chunks of %d differ", n, end, chunk)
				}
			}
		}
	}
	m := New(Options{}, &recorder{})
	for range 8 {
		m.Write(UART0, 0, make([]byte, 1<<20))
		m.Write(UART0, 0, bytes.Repeat([]byte("\r"), 1<<20))
	}
	if n := cap(m.streams[0].split.buf); n > 4*MaxLine {
		t.Errorf("buffer of %d bytes", n)
	}
}

func render(in []byte, chunk int) string {
	var got lines
	m := New(Options{}, &got)
	for len(in) > 0 {
		n := min(chunk, len(in))
		m.Write(UART0, 0, in[:n])
		in = in[n:]
	}
	m.Close(0)
	var b strings.Builder
	for _, l := range got.all {
		fmt.Fprintf(&b, "%d %d %v %d %s\n", l.Number, l.End, l.Continued, l.Class, l.Text)
	}
	for _, r := range got.reports {
		b.WriteString(r.String())
	}
	return b.String()
}

// FuzzChunks: any bytes, however cut, give the same lines, which are harmless
// to a terminal, and never a panic.
func FuzzChunks(f *testing.F) {
	f.Add([]byte("hello\r\nworld\rover\r\r\n\x1b[31mred\x1b[0m \xe2\x82\xac\xff\n"), uint8(1), uint8(3))
	f.Add([]byte("====================== PANIC ======================\npanicked at src/main.rs:1:2:\nboom\n\nBacktrace:\n\n0x42010044\n\n"), uint8(7), uint8(2))
	f.Add([]byte("x\nrst:0x7 (TG0WDT_SYS_RST),boot:0xc (SPI_FAST_FLASH_BOOT)\nSaved PC:0x42010048\n"), uint8(5), uint8(9))
	f.Add([]byte("Guru Meditation Error: Core  0 panic'ed (Load access fault)\nMEPC    : 0x42010048  RA      : 0x42010062\nStack memory:\n3fcb3930: 0x3fc9de01\n\nRebooting...\n"), uint8(2), uint8(2))
	f.Add([]byte("panicked at 'a\nb', src/x.rs:1:2\nTrapFrame { ra: 12, t0: ff }\nSTACKDUMP: 42010062 00ff1\n"), uint8(2), uint8(200))
	f.Fuzz(func(t *testing.T, in []byte, a, b uint8) {
		var got lines
		whole := New(Options{KeepGoing: true, KeepColor: true}, &got)
		whole.Write(UART0, 0, in)
		whole.Close(0)
		for _, l := range got.all {
			if !utf8.ValidString(l.Text) || strings.ContainsAny(l.Text, "\n\r\x00\x07\x08") {
				t.Fatalf("unfit for a terminal: %q", l.Text)
			}
		}
		for _, r := range got.reports {
			if r.FirstLine > r.LastLine || r.Message == "" {
				t.Fatalf("report %+v", r)
			}
			_ = r.String() + r.summary()
		}
		var cut lines
		m := New(Options{KeepGoing: true, KeepColor: true}, &cut)
		for rest, n := in, int(a); len(rest) > 0; n += int(b) {
			k := min(n%17+1, len(rest))
			m.Write(UART0, 0, rest[:k])
			rest = rest[k:]
		}
		m.Close(0)
		if x, y := dump2(got), dump2(cut); x != y {
			t.Fatalf("whole:\n%s\ncut:\n%s", x, y)
		}
	})
}

func dump2(l lines) string {
	var b strings.Builder
	for _, x := range l.all {
		fmt.Fprintf(&b, "%d %d %v %d %q %q\n", x.Number, x.End, x.Continued, x.Class, x.Text, x.Raw)
	}
	for _, r := range l.reports {
		fmt.Fprintf(&b, "%d-%d %s", r.FirstLine, r.LastLine, r)
	}
	return b.String()
}
