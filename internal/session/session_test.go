package session

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/ui"
	"espalier.dev/espalier/monitor"
	"espalier.dev/espalier/serial"
)

// printed is what a session has printed.
type printed struct{ out, err bytes.Buffer }

// newTestSession is a session whose outputs are pipes.
func newTestSession(t *testing.T, opt Options) (*Session, *printed) {
	t.Helper()
	s, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	p := &printed{}
	s.UI = ui.New(ui.Options{Stdout: &p.out, Stderr: &p.err})
	return s, p
}

// vanishing is a port that is gone after some reads.
type vanishing struct {
	serial.Port // nil: nothing else may be called
	reads       []string
	closed      bool
}

func (p *vanishing) Read(_ context.Context, b []byte, _ time.Duration) (int, error) {
	if len(p.reads) == 0 {
		return 0, &serial.GoneError{Name: "ttyX", Err: errors.New("unplugged")}
	}
	n := copy(b, p.reads[0])
	p.reads = p.reads[1:]
	return n, nil
}

func (p *vanishing) Info() serial.Info {
	return serial.Info{Name: "ttyX", Kind: serial.USBJTAG, Serial: "1"}
}
func (p *vanishing) Close() error { p.closed = true; return nil }

// A port that vanishes is waited for, and what the board sends before and after
// is one log.
func TestReconnect(t *testing.T) {
	first, second := &vanishing{reads: []string{"before\n", "cut"}}, &vanishing{reads: []string{"after\n"}}
	reopened := 0
	s, p := newTestSession(t, Options{Expect: []string{"before", "after"}})
	err := s.Run(t.Context(), NewSerial(first, func(_ context.Context, was serial.Info) (serial.Port, error) {
		reopened++
		if was.Serial != "1" || !first.closed {
			t.Errorf("reopened %+v, first closed: %v", was, first.closed)
		}
		return second, nil
	}), nil)
	if err != nil || reopened != 1 || !second.closed || p.out.String() != "before\ncutafter\n" {
		t.Errorf("%v, %d times, %q", err, reopened, p.out.String())
	}
	if text := p.err.String(); !strings.Contains(text, "waiting for it") || !strings.Contains(text, "ttyX is back") {
		t.Errorf("stderr %q", text)
	}
}

// --timeout, --for and an interrupt end the wait for a port that never returns.
func TestReconnectEnds(t *testing.T) {
	never := func(ctx context.Context, _ serial.Info) (serial.Port, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	run := func(ctx context.Context, opt Options) error {
		s, _ := newTestSession(t, opt)
		return s.Run(ctx, NewSerial(&vanishing{}, never), nil)
	}
	if err := run(t.Context(), Options{Timeout: 50 * time.Millisecond}); fault.KindOf(err) != fault.Timeout {
		t.Errorf("--timeout: %v", err)
	}
	if err := run(t.Context(), Options{For: 50 * time.Millisecond}); err != nil {
		t.Errorf("--for: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	if err := run(ctx, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupt: %v", err)
	}
}

// hungUp is a pseudo-terminal whose other end closes during a read.
type hungUp struct{ vanishing }

func (*hungUp) Info() serial.Info {
	return serial.Info{Name: "/dev/pts/7", Kind: serial.Terminal}
}

// The other end of a pseudo-terminal closes: that is the end of the output.
func TestHangUp(t *testing.T) {
	s, p := newTestSession(t, Options{})
	err := s.Run(t.Context(), NewSerial(&hungUp{vanishing{reads: []string{"up\n"}}}, nil), nil)
	if err != nil || p.out.String() != "up\n" {
		t.Errorf("%v, %q", err, p.out.String())
	}
}

// quiet is a port on which nothing arrives and whose lines must not be used.
type quiet struct {
	serial.Port
	kind serial.Kind
}

func (q quiet) Read(_ context.Context, _ []byte, d time.Duration) (int, error) {
	time.Sleep(min(d, time.Millisecond))
	return 0, os.ErrDeadlineExceeded
}
func (q quiet) Info() serial.Info { return serial.Info{Name: "ttyX", Kind: q.kind} }
func (q quiet) Close() error      { return nil }

// Firmware that prints to the chip's other port looks like a dead board: that is
// noted, once.
func TestSilence(t *testing.T) {
	for kind, want := range map[serial.Kind]string{
		serial.Bridge:  "this is UART0; the firmware may print to USB-Serial-JTAG",
		serial.USBJTAG: "this is USB-Serial-JTAG; the firmware may print to UART0",
	} {
		s, p := newTestSession(t, Options{For: 100 * time.Millisecond})
		s.silence = 10 * time.Millisecond
		err := s.Run(t.Context(), NewSerial(quiet{kind: kind}, nil), nil)
		if err != nil || strings.Count(p.err.String(), want) != 1 || p.out.Len() > 0 {
			t.Errorf("%v: %s", err, p.err.String())
		}
	}
}

// scripted is a board with guest time: it sends each text at its time and ends.
type scripted struct {
	now     time.Duration
	sends   []chunk
	got     []string // received, with the time
	resets  int
	closing error
	idle    bool // at the end it waits for input; an echo ends it
}

type chunk struct {
	at     time.Duration
	stream monitor.Stream
	text   string
}

func (b *scripted) Receive(ctx context.Context, d time.Duration, deliver Deliver) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(b.sends) == 0 {
		if b.idle && len(b.got) == 0 {
			return ErrIdle
		}
		return ErrEnd
	}
	if next := b.sends[0]; next.at <= b.now+d {
		b.now = max(b.now, next.at)
		b.sends = b.sends[1:]
		deliver(next.stream, b.now, []byte(next.text))
		return nil
	}
	b.now += d
	return nil
}

func (b *scripted) Send(_ context.Context, p []byte) error {
	b.got = append(b.got, b.now.String()+" "+string(p))
	return nil
}
func (b *scripted) Reset(context.Context) error { b.resets++; return nil }
func (b *scripted) Now() time.Duration          { return b.now }
func (b *scripted) Close() error                { return b.closing }

// An unfinished line counts for --expect once its stream has paused, at any
// speed of the run.
func TestExpectPrompt(t *testing.T) {
	b := &scripted{sends: []chunk{{0, monitor.UART0, "boot\nlogin: "}, {time.Hour, monitor.UART0, "timed out\n"}}}
	s, p := newTestSession(t, Options{Expect: []string{"login:"}})
	if err := s.Run(t.Context(), b, nil); err != nil || b.now > time.Second || p.out.String() != "boot\nlogin: " {
		t.Errorf("%v at %v: %q", err, b.now, p.out.String())
	}
}

// Lines of two ports are not spliced, neither on a pipe nor in a log.
func TestTwoPorts(t *testing.T) {
	b := &scripted{sends: []chunk{{0, monitor.UART0, "one"}, {1, monitor.USB, "three"}, {2, monitor.UART0, " two\n"}, {3, monitor.USB, " four\n"}}}
	log := filepath.Join(t.TempDir(), "log")
	s, p := newTestSession(t, Options{Log: log})
	const want = "one two\nthree four\n"
	if err := s.Run(t.Context(), b, nil); err != nil || p.out.String() != want {
		t.Errorf("%v: %q", err, p.out.String())
	}
	if text, err := os.ReadFile(log); err != nil || string(text) != want {
		t.Errorf("log: %v: %q", err, text)
	}
}

// Piped input goes to the board: after its program has printed something when
// the session begins with a reset, at once otherwise.
func TestPipedInput(t *testing.T) {
	for _, tc := range []struct {
		name      string
		fromReset bool
		sends     []chunk
		want      string
	}{
		{"attached", false, []chunk{{200 * time.Millisecond, monitor.UART0, "x\n"}}, "0s hello\n"},
		{"after the first line", true, []chunk{{200 * time.Millisecond, monitor.UART0, "ready\n"}, {time.Second, monitor.UART0, "end\n"}}, "200ms hello\n"},
		{"a silent program", true, []chunk{{3 * time.Second, monitor.UART0, "late\n"}}, "1s hello\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := &scripted{sends: tc.sends}
			s, _ := newTestSession(t, Options{})
			s.Stdin, s.FromReset = strings.NewReader("hello\n"), tc.fromReset
			// The reading goroutine has no deadline of its own: let the bytes arrive.
			r, err := s.start(b, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.input.wait(t.Context(), time.Minute)
			if err := r.loop(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(b.got, ""); got != tc.want {
				t.Errorf("the board received %q, want %q", got, tc.want)
			}
		})
	}
}

// A board that waits for an interrupt is not at its end while input is open.
func TestIdleBoardWaitsForInput(t *testing.T) {
	in, feed := io.Pipe()
	b := &scripted{idle: true}
	s, _ := newTestSession(t, Options{})
	s.Stdin = in
	go func() { io.WriteString(feed, "x"); feed.Close() }()
	if err := s.Run(t.Context(), b, nil); err != nil || len(b.got) != 1 {
		t.Errorf("%v, received %q", err, b.got)
	}
}

// A log on a full disk, or standard output that is closed, ends the run at once
// and with exit 2; a verdict against the firmware keeps its exit code.
func TestOutputThatCannotBeWritten(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("no /dev/full")
	}
	endless := func() *scripted {
		b := &scripted{}
		for i := range 10_000 {
			b.sends = append(b.sends, chunk{time.Duration(i) * time.Millisecond, monitor.UART0, strings.Repeat("x", 99) + "\n"})
		}
		return b
	}
	b := endless()
	s, _ := newTestSession(t, Options{Log: "/dev/full", For: time.Hour})
	err := s.Run(t.Context(), b, nil)
	if fault.KindOf(err) != fault.Usage || err.Error() != "writing /dev/full: no space left on device" || len(b.sends) == 0 {
		t.Errorf("%v, %d sends left", err, len(b.sends))
	}

	s, _ = newTestSession(t, Options{Log: "/dev/full", Fail: []string{"bad"}})
	err = s.Run(t.Context(), &scripted{sends: []chunk{{0, monitor.UART0, "bad\n"}}}, nil)
	if fault.KindOf(err) != fault.Program || !strings.Contains(err.Error(), "writing /dev/full") {
		t.Errorf("a short log of a failed run: %v", err)
	}

	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	for _, text := range []bool{false, true} {
		b, s := endless(), (*Session)(nil)
		s, _ = newTestSession(t, Options{Text: text})
		s.UI = ui.New(ui.Options{Stdout: full, Stderr: io.Discard})
		if err := s.Run(t.Context(), b, nil); fault.KindOf(err) != fault.Usage || len(b.sends) == 0 {
			t.Errorf("standard output, text %v: %v, %d sends left", text, err, len(b.sends))
		}
	}
}

// An error of the board at its end, such as a replay that differs, is the run's.
func TestCloseError(t *testing.T) {
	s, _ := newTestSession(t, Options{})
	want := fault.New(fault.Differ, "replay differs")
	if err := s.Run(t.Context(), &scripted{closing: want}, nil); !errors.Is(err, want) {
		t.Errorf("%v", err)
	}
}
