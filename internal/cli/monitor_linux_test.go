package cli

import (
	"bufio"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/internal/session"
	"espalier.dev/espalier/serial"
)

// board is the other end of a serial port that is a pseudo-terminal.
func board(t *testing.T) *serial.PTY {
	t.Helper()
	b, err := serial.OpenPTY("")
	if err != nil {
		devtest.Missing(t, "pseudo-terminals")
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// hears waits until the board has been sent text.
func hears(t *testing.T, b *serial.PTY, text string) {
	t.Helper()
	got := ""
	buf := make([]byte, 256)
	for end := time.Now().Add(20 * time.Second); !strings.Contains(got, text); {
		n, err := b.Read(context.Background(), buf, time.Second)
		got += string(buf[:n])
		if err != nil && !os.IsTimeout(err) || time.Now().After(end) {
			t.Fatalf("the board heard %q, want %q: %v", got, text, err)
		}
	}
}

func says(t *testing.T, b *serial.PTY, text string) {
	t.Helper()
	if err := b.Write(context.Background(), []byte(text)); err != nil {
		t.Fatal(err)
	}
}

// TestMonitorKeys: a user at a terminal, a board at a port.
func TestMonitorKeys(t *testing.T) {
	b := board(t)
	s := onTerminal(t, nil, "-C", t.TempDir(), "monitor", "--port", b.Path())
	says(t, b, "hello\r\n")
	s.waitFor("hello\r\n")
	s.press("AT+\x14\x03\r")
	hears(t, b, "AT+\x03\r")
	s.press("\x14h")
	s.waitFor("keys: Ctrl-C quit")
	s.press("\x12")
	s.waitFor("no reset line")
	s.press("\x14f")
	s.waitFor("show only: ")
	says(t, b, "meanwhile\r\n") // is not shown into what is being typed
	s.press("\x1b")
	s.waitFor("show only:  (unchanged)\r\nmeanwhile\r\n")
	s.press("\x14t")
	s.press("\x14fnoise\x7f\x7f\x7f\x7f\x7fkeep\r")
	s.waitFor("keep\r\n")
	s.press("ok")
	hears(t, b, "ok") // keys are handled in order: the filter is in place
	says(t, b, "drop this\r\nkeep this\r\n")
	s.waitFor("keep this\r\n")
	if !strings.Contains(s.text(), "[00:0") {
		t.Errorf("no time: %q", s.text())
	}
	if strings.Contains(s.text(), "drop this") {
		t.Errorf("the filter lets pass: %q", s.text())
	}
	s.press("\x03")
	if code := s.end(); code != 0 {
		t.Errorf("exit %d; shown:\n%s", code, s.text())
	}
}

// The terminal is restored also when the end comes from elsewhere.
func TestMonitorRestoresTerminal(t *testing.T) {
	for _, c := range []struct {
		name string
		args []string
		says string
		end  func(s *terminal)
		code int
	}{
		{"expected text", []string{"--expect", "ready"}, "ready\r\n", nil, 0},
		{"timeout", []string{"--timeout", "200ms"}, "", nil, 124},
		{"fail", []string{"--fail", "bad"}, "bad\r\n", nil, 1},
		{"interrupted", nil, "up\r\n", func(s *terminal) { s.waitFor("up\r\n"); s.cmd.Process.Signal(os.Interrupt) }, 130},
		{"terminated", nil, "up\r\n", func(s *terminal) { s.waitFor("up\r\n"); s.cmd.Process.Signal(syscall.SIGTERM) }, 130},
		{"two signals at once", nil, "up\r\n", func(s *terminal) {
			s.waitFor("up\r\n")
			s.cmd.Process.Signal(os.Interrupt)
			s.cmd.Process.Signal(syscall.SIGTERM)
		}, 130},
		{"unplugged", nil, "up\r\n", nil, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := board(t)
			s := onTerminal(t, nil, append([]string{"-C", t.TempDir(), "monitor", "--port", b.Path()}, c.args...)...)
			if c.says != "" {
				says(t, b, c.says)
			}
			if c.end != nil {
				c.end(s)
			}
			if c.name == "unplugged" {
				s.waitFor("up\r\n")
				b.Close()
			}
			if code := s.end(); code != c.code {
				t.Errorf("exit %d, want %d; shown:\n%s", code, c.code, s.text())
			}
		})
	}
}

// TestMonitorWaitsAtLink: a board at the link of a pseudo-terminal is
// unplugged and plugged in again.
func TestMonitorWaitsAtLink(t *testing.T) {
	link := filepath.Join(t.TempDir(), "board")
	plug := func() *serial.PTY {
		b, err := serial.OpenPTY(link)
		if err != nil {
			devtest.Missing(t, "pseudo-terminals")
		}
		return b
	}
	b := plug()
	s := onTerminal(t, nil, "-C", t.TempDir(), "monitor", "--port", link)
	says(t, b, "before\r\n")
	s.waitFor("before\r\n")
	b.Close()
	s.waitFor("waiting for it\r\n")
	b = plug()
	defer b.Close()
	s.waitFor("is back\r\n")
	says(t, b, "after\r\n")
	s.waitFor("after\r\n")
	b.Close()
	s.waitFor("is back\r\n")
	s.press("\x03") // also while it is waited for
	if code := s.end(); code != 0 {
		t.Errorf("exit %d; shown:\n%s", code, s.text())
	}
}

// stubborn is a program that reads keys and ignores interrupts.
func stubborn() int {
	return execute(context.Background(), []string{"stubborn"}, os.Stdin, os.Stdout, os.Stderr, os.LookupEnv, []verb{{groupMaintenance, func(a *app) *cobra.Command {
		return &cobra.Command{Use: "stubborn", RunE: func(*cobra.Command, []string) error {
			s, err := newSession(a, session.Options{})
			if err != nil {
				return err
			}
			return s.Run(context.Background(), deafBoard{}, nil)
		}}
	}}})
}

// deafBoard sends one line and then blocks whatever happens.
type deafBoard struct{}

func (deafBoard) Receive(_ context.Context, _ time.Duration, deliver session.Deliver) error {
	deliver("uart0", 0, []byte("has the keyboard\n"))
	select {}
}
func (deafBoard) Send(context.Context, []byte) error { return nil }
func (deafBoard) Reset(context.Context) error        { return nil }
func (deafBoard) Now() time.Duration                 { return 0 }
func (deafBoard) Close() error                       { return nil }

// The second interrupt ends the process at once, and the terminal is restored
// all the same.
func TestSecondInterruptRestoresTerminal(t *testing.T) {
	s := programOnTerminal(t, "stubborn", nil)
	s.waitFor("has the keyboard")
	raw, err := unix.IoctlGetTermios(int(s.master.Fd()), unix.TCGETS)
	if err != nil || raw.Lflag&unix.ICANON != 0 {
		t.Fatalf("the keyboard is not taken: %+v, %v", raw, err)
	}
	s.cmd.Process.Signal(os.Interrupt)
	s.waitFor("stopping; interrupt again to end at once")
	s.cmd.Process.Signal(os.Interrupt)
	if code := s.end(); code != 130 {
		t.Errorf("exit %d; shown:\n%s", code, s.text())
	}
}

// TestMonitorResetKey: a board in another process, reached as a real one is.
// Attaching leaves it alone; Ctrl-R resets it.
func TestMonitorResetKey(t *testing.T) {
	env := testChipFiles(t)
	hello := testFirmware(t, "hello.elf")
	ctx, cancel := context.WithCancel(context.Background())
	in, out := io.Pipe()
	done := make(chan int, 1)
	go func() {
		done <- Run(ctx, []string{"emulate", hello, "--share", "rfc2217://127.0.0.1:0"}, strings.NewReader(""), out, io.Discard, lookupIn(env))
	}()
	defer func() { cancel(); in.Close(); <-done }()
	line, err := bufio.NewReader(in).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	s := onTerminal(t, nil, "-C", t.TempDir(), "monitor", hello, "--port", strings.TrimSpace(line))
	s.waitFor("blink ")
	if strings.Contains(s.text(), "\x1b[2mESP-ROM") && !strings.Contains(s.text(), "POWERON") {
		t.Errorf("attaching has reset the board: %q", s.text())
	}
	before := strings.Count(s.text(), "Hello from")
	s.press("\x12")
	for end := time.Now().Add(20 * time.Second); strings.Count(s.text(), "Hello from") == before; {
		select {
		case <-s.grown:
		case <-time.After(time.Until(end)):
			t.Fatalf("no reset; shown:\n%s", s.text())
		}
	}
	s.press("\x03")
	if code := s.end(); code != 0 {
		t.Errorf("exit %d; shown:\n%s", code, s.text())
	}
}
