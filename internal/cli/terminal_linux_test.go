package cli

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"espalier.dev/espalier/internal/devtest"
)

// terminal is the real program on a pseudo-terminal of its own.
type terminal struct {
	t      *testing.T
	cmd    *exec.Cmd
	master *os.File
	before *unix.Termios

	mu    sync.Mutex
	shown bytes.Buffer
	grown chan struct{}
}

// onTerminal starts espalier with a controlling terminal. What it shows is
// collected; keys can be pressed.
func onTerminal(t *testing.T, env []string, args ...string) *terminal {
	t.Helper()
	return programOnTerminal(t, "espalier", env, args...)
}

func programOnTerminal(t *testing.T, program string, env []string, args ...string) *terminal {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		devtest.Missing(t, "pseudo-terminals")
	}
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 80}); err != nil {
		t.Fatal(err)
	}
	before, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s := &terminal{t: t, master: master, before: before, grown: make(chan struct{}, 1)}
	s.cmd = &exec.Cmd{Path: self, Args: append([]string{program}, args...), Stdin: slave, Stdout: slave, Stderr: slave,
		SysProcAttr: &syscall.SysProcAttr{Setsid: true, Setctty: true}}
	s.cmd.Env = append([]string{"TERM=xterm", "HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH")}, env...)
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	slave.Close()
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := master.Read(buf)
			s.mu.Lock()
			s.shown.Write(buf[:n])
			s.mu.Unlock()
			select {
			case s.grown <- struct{}{}:
			default:
			}
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		s.cmd.Process.Kill()
		master.Close()
	})
	return s
}

func (s *terminal) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shown.String()
}

// waitFor waits until the terminal has shown text.
func (s *terminal) waitFor(text string) {
	s.t.Helper()
	deadline := time.After(30 * time.Second)
	for !strings.Contains(s.text(), text) {
		select {
		case <-s.grown:
		case <-deadline:
			s.t.Fatalf("%q did not appear; shown:\n%s", text, s.text())
		}
	}
}

func (s *terminal) press(keys string) {
	s.t.Helper()
	if _, err := io.WriteString(s.master, keys); err != nil {
		s.t.Fatal(err)
	}
}

// end waits for the end and returns the exit status. The terminal must be as
// it was.
func (s *terminal) end() int {
	s.t.Helper()
	done := make(chan error, 1)
	go func() { done <- s.cmd.Wait() }()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		s.t.Fatalf("does not end; shown:\n%s", s.text())
	}
	after, err := unix.IoctlGetTermios(int(s.master.Fd()), unix.TCGETS)
	if err != nil {
		s.t.Fatal(err)
	}
	if *after != *s.before {
		s.t.Errorf("the terminal's mode has changed: %+v, was %+v", after, s.before)
	}
	return s.cmd.ProcessState.ExitCode()
}

func TestInterruptOnTerminal(t *testing.T) {
	s := onTerminal(t, nil, "inspect", "-v", "-")
	s.waitFor("reading standard input")
	s.press("\x03")
	if code := s.end(); code != 130 {
		t.Errorf("exit %d; shown:\n%s", code, s.text())
	}
	s.waitFor("interrupted\r\n")
}

func TestColourOnTerminal(t *testing.T) {
	s := onTerminal(t, nil, "frobnicate")
	if code := s.end(); code != 2 {
		t.Errorf("exit %d", code)
	}
	s.waitFor("\x1b[31mespalier:\x1b[0m unknown verb frobnicate\r\n")
	s = onTerminal(t, []string{"NO_COLOR=1"}, "frobnicate")
	s.end()
	s.waitFor("hint: espalier --help lists the verbs\r\n")
	if strings.Contains(s.text(), "\x1b") {
		t.Errorf("escape sequences with NO_COLOR: %q", s.text())
	}
}

// TestEmulateQuits: Ctrl-C on a board that runs in real time is handled at once;
// a signal from elsewhere is an interrupt. Both restore the terminal.
func TestEmulateQuits(t *testing.T) {
	env := testChipFiles(t)
	hello := testFirmware(t, "hello.elf")
	for _, tc := range []struct {
		name string
		args []string
		end  func(s *terminal)
		code int
	}{
		{"Ctrl-C", nil, func(s *terminal) { s.press("\x03") }, 0},
		{"Ctrl-C with an expectation", []string{"--expect", "never", "--speed", "1"}, func(s *terminal) { s.press("\x03") }, 1},
		{"signal", nil, func(s *terminal) { s.cmd.Process.Signal(os.Interrupt) }, 130},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := onTerminal(t, env, append([]string{"emulate", hello}, tc.args...)...)
			s.waitFor("ESP-ROM:esp32c3-api1-20210207")
			tc.end(s)
			if code := s.end(); code != tc.code {
				t.Errorf("exit %d, want %d; shown:\n%s", code, tc.code, s.text())
			}
		})
	}
}

// TestEmulateKeys: the emulated board takes the keys of the monitor, and what is
// typed reaches the firmware.
func TestEmulateKeys(t *testing.T) {
	env := testChipFiles(t)
	hello := testFirmware(t, "hello.elf")
	s := onTerminal(t, env, "emulate", hello)
	s.waitFor("blink 2:")
	s.press("\x14h")
	s.waitFor("keys: Ctrl-C quit")
	s.press("\x14t")
	s.press("\x12")
	s.waitFor("] \x1b[0mHello from an ESP32-C3!") // once more, with the time before it
	s.press("\x14fblink\r")
	s.press("\x03")
	if code := s.end(); code != 0 {
		t.Errorf("exit %d; shown:\n%s", code, s.text())
	}
}

// TestEmulateFirmware boots what a compiler made, on a pipe and on a terminal.
func TestEmulateFirmware(t *testing.T) {
	env := testChipFiles(t)
	hello, panics := testFirmware(t, "hello.elf"), testFirmware(t, "panic.elf")
	s := onTerminal(t, env, "emulate", hello, "--expect", "blink 3", "--timeout", "20s")
	if code := s.end(); code != 0 {
		t.Errorf("hello: exit %d", code)
	}
	s.waitFor("blink 3: GPIO8 is high\r\n")
	s = onTerminal(t, env, "emulate", panics, "--for", "10s")
	if code := s.end(); code != 1 {
		t.Errorf("panic: exit %d", code)
	}
	s.waitFor("panic::calibrate at src/bin/panic.rs:30:5")
	if strings.Contains(s.text(), "===== PANIC") {
		t.Errorf("the raw lines of a crash are on the terminal besides its report:\n%s", s.text())
	}
}
