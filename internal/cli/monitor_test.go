package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"espalier.dev/espalier/serial"
)

// speaker is a board at a TCP port that prints given output and hangs
// up.
func speaker(t *testing.T, says ...string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		for _, s := range says {
			io.WriteString(c, s)
		}
		c.Close()
	}()
	return "tcp://" + l.Addr().String()
}

func monitorHere(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = Run(context.Background(), append([]string{"-C", t.TempDir(), "monitor"}, args...), strings.NewReader(""), &out, &errs, lookupIn(nil))
	return code, out.String(), errs.String()
}

// TestMonitorPipe: on a pipe every byte passes; what was asked for decides the
// exit status.
func TestMonitorPipe(t *testing.T) {
	noise := "\x00\xff\xfe boot\r\n\x1b[31mred\x1b[0m\r\nready\r\nprompt> "
	panics := "====================== PANIC ======================\r\npanicked at src/main.rs:1:2:\r\nboom\r\n\r\nBacktrace:\r\n\r\n0x42000000\r\n\r\n"
	for _, c := range []struct {
		name string
		says string
		args []string
		code int
		out  string // "": what it says
		errs string
	}{
		{"everything", noise, nil, 0, "", ""},
		{"expected", noise, []string{"--expect", "ready"}, 0, "", ""},
		{"missing", noise, []string{"--expect", "never"}, 1, "", `"never" did not appear`},
		{"failed", noise, []string{"--fail", "/re[a]dy/"}, 1, "", "matches --fail"},
		{"continues after a crash", panics + "later\r\n", nil, 1, "", "boom"},
		{"a crash that ends it", panics + "later\r\n", []string{"--expect", "later"}, 1, "", "boom"},
		{"lines", noise, []string{"--text"}, 0, "\\x00\\xff\\xfe boot\nred\nready\nprompt> ", ""},
		{"filtered", noise, []string{"--filter", "ready", "--filter", "/^pro/"}, 0, "ready\nprompt> ", ""},
		{"bad filter", noise, []string{"--filter", "/(/"}, 2, " ", "reading the expression /(/"},
	} {
		t.Run(c.name, func(t *testing.T) {
			log := filepath.Join(t.TempDir(), "log")
			code, out, errs := monitorHere(t, append(c.args, "--port", speaker(t, c.says), "--log", log)...)
			want := c.out
			if want == "" {
				want = c.says
			}
			if strings.TrimSpace(want) == "" {
				want = ""
			} else if b, _ := os.ReadFile(log); string(b) != c.says {
				t.Errorf("--log has %q", b)
			}
			if code != c.code || out != want || !strings.Contains(errs, c.errs) {
				t.Errorf("exit %d, want %d\nstdout %q\nwant   %q\nstderr %s", code, c.code, out, want, errs)
			}
		})
	}
}

func TestMonitorJSON(t *testing.T) {
	code, out, _ := monitorHere(t, "--json", "--port", speaker(t, "one\r\ntwo\r\n"))
	var names []string
	for _, l := range strings.Split(strings.TrimSpace(out), "\n") {
		var e struct{ Event, Text, Verdict string }
		if err := json.Unmarshal([]byte(l), &e); err != nil {
			t.Fatal(err)
		}
		names = append(names, e.Event+" "+e.Text+e.Verdict)
	}
	if got := strings.Join(names, ","); code != 0 || !strings.HasSuffix(got, "line one,line two,result ended") {
		t.Errorf("exit %d: %s", code, got)
	}
}

func TestMonitorErrors(t *testing.T) {
	if code, _, errs := monitorHere(t, "--port", filepath.Join(t.TempDir(), "none")); code != 4 || !strings.Contains(errs, "no such port") {
		t.Errorf("exit %d: %s", code, errs)
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	if code, _, errs := monitorHere(t, "--port", "tcp://"+silent.Addr().String(), "--timeout", "100ms"); code != 124 {
		t.Errorf("exit %d: %s", code, errs)
	}
	if code, _, errs := monitorHere(t, "--port", "tcp://"+silent.Addr().String(), "--for", "100ms"); code != 0 {
		t.Errorf("exit %d: %s", code, errs)
	}
}

func TestSymbolizeLog(t *testing.T) {
	hello := testFirmware(t, "hello.elf")
	run := func(stdin string, args ...string) (int, string, string) {
		var out, errs bytes.Buffer
		code := Run(context.Background(), append([]string{"-C", t.TempDir(), "symbolize"}, args...), strings.NewReader(stdin), &out, &errs, lookupIn(nil))
		return code, out.String(), errs.String()
	}
	code, out, errs := run("", "0x42010020", "0x3fc80000", "--elf", hello)
	if code != 0 || !strings.HasPrefix(out, "0x42010020 ") || !strings.Contains(out, "0x3fc80000 ??\n") {
		t.Errorf("exit %d: %q %s", code, out, errs)
	}
	code, out, errs = run("plain\r\nat 0x42010020 and 0x3fc80000\nunfinished", "--elf", hello)
	if code != 0 || !strings.HasPrefix(out, "plain\nat 0x42010020 and 0x3fc80000\n  0x42010020 ") || !strings.HasSuffix(out, "\nunfinished\n") || strings.Contains(out, "  0x3fc80000 ") {
		t.Errorf("exit %d: %q %s", code, out, errs)
	}
	if code, _, errs := run("x"); code != 2 || !strings.Contains(errs, "which firmware?") {
		t.Errorf("exit %d: %s", code, errs)
	}
	if code, _, errs := run("x", "a", "b", "--elf", hello); code != 2 || !strings.Contains(errs, "unexpected argument a") {
		t.Errorf("exit %d: %s", code, errs)
	}
	// A report is no failure of this verb.
	if code, out, _ := run("panicked at src/main.rs:1:2:\nboom\n", "--elf", hello); code != 0 || !strings.Contains(out, "\n  panic: boom\n") {
		t.Errorf("exit %d: %q", code, out)
	}
}

// TestSymbolizeFollows: a stream that is not over is shown as it comes.
func TestSymbolizeFollows(t *testing.T) {
	hello := testFirmware(t, "hello.elf")
	in, feed := io.Pipe()
	var mu sync.Mutex
	var out bytes.Buffer
	grown := make(chan struct{}, 64)
	done := make(chan int)
	go func() {
		done <- Run(context.Background(), []string{"-C", t.TempDir(), "symbolize", "--elf", hello}, in, writerFunc(func(p []byte) (int, error) {
			mu.Lock()
			defer mu.Unlock()
			out.Write(p)
			grown <- struct{}{}
			return len(p), nil
		}), io.Discard, lookupIn(nil))
	}()
	io.WriteString(feed, "first\n")
	<-grown
	mu.Lock()
	if out.String() != "first\n" {
		t.Errorf("%q", out.String())
	}
	mu.Unlock()
	feed.Close()
	if code := <-done; code != 0 {
		t.Errorf("exit %d", code)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// TestEmulateText: frames of defmt pass as they are on a pipe, with what they
// mean on stderr; --text shows lines instead.
func TestEmulateText(t *testing.T) {
	env := testChipFiles(t)
	log := testFirmware(t, "log.elf")
	code, out, errs := emulateHere(t, env, log, "--expect", "last frame")
	if code != 0 || !strings.Contains(out, "\xff\x00") || strings.Contains(out, "last frame") || !strings.Contains(errs, "INFO  last frame  src/bin/log.rs:") {
		t.Errorf("exit %d: %d bytes, stderr %q", code, len(out), errs)
	}
	code, out, errs = emulateHere(t, env, log, "--expect", "last frame", "--filter", "/last|braces/", "--timestamps")
	if code != 0 || errs != "" || strings.Count(out, "\n") != 2 || !strings.HasPrefix(out, "[00:00.") || !strings.Contains(out, " INFO  braces {} and {1}  src/bin/log.rs:") {
		t.Errorf("exit %d: %q, stderr %q", code, out, errs)
	}
	code, out, _ = emulateHere(t, env, log, "--expect", "last frame", "--json")
	if code != 0 || !strings.Contains(out, `"level":"warn","timestamp":"0.`) || !strings.Contains(out, `"message":"a warning","place":{"function":"log::levels","file":"src/bin/log.rs","line":`) {
		t.Errorf("exit %d: %d bytes", code, len(out))
	}
}

// untouched is a board that takes note of everything that is done to its port.
type untouched struct {
	serial.Port
	mu   sync.Mutex
	done []string
}

func (u *untouched) note(text string) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.done = append(u.done, text)
	return nil
}
func (u *untouched) Write(context.Context, []byte) error           { return u.note("write") }
func (u *untouched) SetLines(context.Context, bool, bool) error    { return u.note("lines") }
func (u *untouched) SetBaud(_ context.Context, baud int) error     { return nil }
func (u *untouched) Wait(_ context.Context, _ time.Duration) error { return nil }
func (u *untouched) Now() time.Duration                            { return 0 }
func (u *untouched) Info() serial.Info                             { return serial.Info{Name: "ttyX"} }
func (u *untouched) Close() error                                  { return nil }
func (u *untouched) Read(ctx context.Context, b []byte, d time.Duration) (int, error) {
	time.Sleep(time.Millisecond)
	return copy(b, "tick\n"), ctx.Err()
}

// Attaching changes no line and sends nothing: what a chip keeps over deep sleep
// stays. --reset does.
func TestMonitorLeavesBoardAlone(t *testing.T) {
	for _, tc := range []struct {
		args []string
		want int
	}{{nil, 0}, {[]string{"--reset"}, 2}} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		u := &untouched{}
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		server := serial.Server{Port: u, RFC2217: true}
		all.Go(func() { _ = server.Serve(ctx, l) })
		code, _, errs := monitorHere(t, append(tc.args, "--port", "rfc2217://"+l.Addr().String(), "--expect", "tick", "--timeout", "20s")...)
		cancel()
		all.Wait()
		if code != 0 || len(u.done) != tc.want {
			t.Errorf("%v: exit %d, the board felt %v\n%s", tc.args, code, u.done, errs)
		}
	}
}
