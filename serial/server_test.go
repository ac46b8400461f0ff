package serial

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"testing"
	"time"
)

// wire is a port that sends back what it is sent, and records what else
// happens to it.
type wire struct {
	mu     sync.Mutex
	data   chan []byte
	rest   []byte
	record []string
	gone   bool
}

func newWire() *wire { return &wire{data: make(chan []byte, 100)} }

func (w *wire) Read(ctx context.Context, p []byte, timeout time.Duration) (int, error) {
	if len(w.rest) == 0 {
		t := time.NewTimer(timeout)
		defer t.Stop()
		select {
		case b, ok := <-w.data:
			if !ok {
				return 0, &GoneError{Name: "wire"}
			}
			w.rest = b
		case <-t.C:
			return 0, os.ErrDeadlineExceeded
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	n := copy(p, w.rest)
	w.rest = w.rest[n:]
	return n, nil
}

func (w *wire) Write(_ context.Context, p []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.gone {
		w.data <- bytes.Clone(p)
	}
	return nil
}

func (w *wire) note(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.record = append(w.record, fmt.Sprintf(format, args...))
}

func (w *wire) SetBaud(_ context.Context, baud int) error { w.note("%d", baud); return nil }
func (w *wire) SetLines(_ context.Context, dtr, rts bool) error {
	w.note("dtr %t rts %t", dtr, rts)
	return nil
}
func (w *wire) Wait(context.Context, time.Duration) error { return nil }
func (w *wire) Now() time.Duration                        { return 0 }
func (w *wire) Info() Info                                { return Info{Name: "wire"} }
func (w *wire) Close() error                              { return nil }

func (w *wire) unplug() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.gone = true
	close(w.data)
}

// serve shares a wire and returns its address.
func serve(t *testing.T, w *wire, rfc2217 bool) (addr string, done chan error) {
	t.Helper()
	l, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done = make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	s := Server{Port: w, RFC2217: rfc2217}
	go func() { done <- s.Serve(ctx, l) }()
	t.Cleanup(cancel)
	return l.Addr().String(), done
}

// echo sends p and wants it back.
func echo(t *testing.T, p Port, sent []byte) {
	t.Helper()
	if err := p.Write(t.Context(), sent); err != nil {
		t.Fatal(err)
	}
	var got []byte
	buf := make([]byte, 100)
	for len(got) < len(sent) {
		n, err := p.Read(t.Context(), buf, 5*time.Second)
		if err != nil {
			t.Fatalf("after %d of %d bytes: %v", len(got), len(sent), err)
		}
		got = append(got, buf[:n]...)
	}
	if !bytes.Equal(got, sent) {
		t.Errorf("%q came back as %q", sent, got)
	}
}

// every byte, and those that telnet treats in a special way next to each other.
func awkward() []byte {
	var p []byte
	for b := range 256 {
		p = append(p, byte(b), 255)
	}
	return append(p, 255, 255, 250, 240, 255, 13, 0, 13, 10)
}

func TestTCP(t *testing.T) {
	addr, _ := serve(t, newWire(), false)
	p, err := Open(t.Context(), "tcp://"+addr, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	echo(t, p, awkward())
	if err := p.SetLines(t.Context(), true, false); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("lines: %v", err)
	}
	if err := p.SetBaud(t.Context(), 9600); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("baud: %v", err)
	}
	if _, err := p.Read(t.Context(), make([]byte, 1), time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("silence: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(5*time.Millisecond, cancel)
	if _, err := p.Read(ctx, make([]byte, 1), time.Minute); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestRFC2217(t *testing.T) {
	w := newWire()
	addr, _ := serve(t, w, true)
	p, err := Open(t.Context(), "rfc2217://"+addr, Options{Baud: 74880})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	echo(t, p, awkward())
	for _, s := range [][2]bool{{false, false}, {true, true}, {false, true}, {true, false}, {false, false}} {
		if err := p.SetLines(t.Context(), s[0], s[1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.SetBaud(t.Context(), 921600); err != nil {
		t.Fatal(err)
	}
	echo(t, p, awkward())
	// Each change of both lines is one step at the other end.
	want := []string{"74880", "dtr false rts false", "dtr true rts true", "dtr false rts true", "dtr true rts false", "dtr false rts false", "921600"}
	w.mu.Lock()
	defer w.mu.Unlock()
	if fmt.Sprint(w.record) != fmt.Sprint(want) {
		t.Errorf("the port saw\n%q, want\n%q", w.record, want)
	}
}

// Clients that set one line after the other, as pyserial does, must not let a
// chip out of reset before it sees its boot pin low.
func TestLinesOneByOne(t *testing.T) {
	w := newWire()
	addr, _ := serve(t, w, true)
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var tel telnet
	buf := make([]byte, 1000)
	set := func(v byte) {
		t.Helper()
		if _, err := conn.Write(comPort(nil, comSetControl, v)); err != nil {
			t.Fatal(err)
		}
		for {
			n, err := conn.Read(buf)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range tel.feed(buf[:n]) {
				if e.verb == telSB && e.command == comSetControl+comServer && e.value[0] == v {
					return
				}
			}
		}
	}
	for _, v := range []byte{ctlDTROff, ctlRTSOn, ctlDTROn, ctlRTSOff, ctlDTROff} {
		set(v)
	}
	want := []string{"dtr false rts false", "dtr false rts true", "dtr true rts false", "dtr false rts false"}
	w.mu.Lock()
	defer w.mu.Unlock()
	if fmt.Sprint(w.record) != fmt.Sprint(want) {
		t.Errorf("the port saw\n%q, want\n%q", w.record, want)
	}
}

func TestSecondClientIsSentAway(t *testing.T) {
	addr, _ := serve(t, newWire(), false)
	first, err := Open(t.Context(), "tcp://"+addr, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	echo(t, first, []byte("mine"))
	second, err := Open(t.Context(), "tcp://"+addr, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	var gone *GoneError
	if _, err := second.Read(t.Context(), make([]byte, 1), 5*time.Second); !errors.As(err, &gone) {
		t.Errorf("the second client gets %v", err)
	}
	echo(t, first, []byte("still mine"))
}

func TestServerEndsWithThePort(t *testing.T) {
	w := newWire()
	_, done := serve(t, w, false)
	w.unplug()
	var gone *GoneError
	if err := <-done; !errors.As(err, &gone) {
		t.Errorf("the server ended with %v", err)
	}
}

func TestOpenErrors(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	for _, tc := range []struct {
		name string
		want Reason
	}{
		{"/dev/no-such-port", Missing},
		{t.TempDir(), NotAPort},
		{"tcp://" + l.Addr().String(), Refused},
		{"rfc2217://" + l.Addr().String(), Refused},
		{"tcp://nowhere", BadName},
	} {
		p, err := Open(t.Context(), tc.name, Options{})
		var e *OpenError
		if !errors.As(err, &e) || e.Reason != tc.want {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		if p != nil || len(e.Hints()) == 0 && tc.want != NotAPort {
			t.Errorf("%s: port %v, hints %q", tc.name, p, e.Hints())
		}
	}
}

// Not an RFC 2217 server: it accepts and answers something else.
func TestNoRFC2217There(t *testing.T) {
	addr, _ := serve(t, newWire(), false) // echoes our own telnet
	_, err := Open(t.Context(), "rfc2217://"+addr, Options{})
	var e *OpenError
	if !errors.As(err, &e) {
		t.Errorf("%v", err)
	}
}

func FuzzTelnet(f *testing.F) {
	f.Add([]byte("plain\xff\xff\xff\xfb\x2c\xff\xfa\x2c\x05\x08\xff\xf0rest"), 3)
	f.Add([]byte{255, 250, 255, 255, 255}, 1)
	f.Fuzz(func(t *testing.T, p []byte, cut int) {
		text := func(events []telnetEvent) (s string) {
			for _, e := range events {
				if e.verb == 0 {
					s += string(e.data)
				} else {
					s += fmt.Sprintf("<%d %d %d %x>", e.verb, e.option, e.command, e.value)
				}
			}
			return s
		}
		var whole, pieces telnet
		want := text(whole.feed(p))
		cut = min(max(cut, 0), len(p))
		if got := text(pieces.feed(p[:cut])) + text(pieces.feed(p[cut:])); got != want {
			t.Errorf("cut at %d: %q, whole: %q", cut, got, want)
		}
		var back telnet
		if got := text(back.feed(escape(nil, p))); got != string(p) {
			t.Errorf("%q comes back as %q", p, got)
		}
	})
}
