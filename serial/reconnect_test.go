package serial

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"
)

// mortal is a port that disconnects when a test says so.
type mortal struct {
	Port // nil: nothing else is called
	name string
	gone bool
	log  *[]string
	data []byte
	now  time.Duration
}

func (m *mortal) note(text string) error {
	if m.gone {
		return &GoneError{Name: m.name, Err: errors.New("unplugged")}
	}
	*m.log = append(*m.log, m.name+" "+text)
	return nil
}

func (m *mortal) Read(_ context.Context, p []byte, d time.Duration) (int, error) {
	m.now += d
	if err := m.note("read"); err != nil {
		return 0, err
	}
	if len(m.data) == 0 {
		return 0, os.ErrDeadlineExceeded
	}
	return copy(p, m.data), nil
}
func (m *mortal) Write(_ context.Context, p []byte) error { return m.note("write " + string(p)) }
func (m *mortal) SetBaud(context.Context, int) error      { return m.note("baud") }
func (m *mortal) SetLines(_ context.Context, dtr, rts bool) error {
	return m.note(map[bool]string{true: "reset", false: "lines"}[rts && !dtr])
}
func (m *mortal) Wait(_ context.Context, d time.Duration) error { m.now += d; return m.note("wait") }
func (m *mortal) Now() time.Duration                            { return m.now }
func (m *mortal) Info() Info                                    { return Info{Name: m.name} }
func (m *mortal) Close() error                                  { *m.log = append(*m.log, m.name+" close"); return nil }

func TestReconnect(t *testing.T) {
	var log []string
	one, two := &mortal{name: "1", log: &log}, &mortal{name: "2", log: &log, data: []byte("x")}
	next := []*mortal{two}
	k := Reconnect(one, func(_ context.Context, was Info) (Port, error) {
		log = append(log, "reopen "+was.Name)
		if len(next) == 0 {
			return nil, &OpenError{Name: was.Name, Reason: Missing}
		}
		p := next[0]
		next = next[1:]
		return p, nil
	})
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(k.SetBaud(ctx, 9600))
	must(k.Wait(ctx, time.Second))
	one.gone = true
	must(k.SetLines(ctx, false, true)) // the reset it went of is not asked for twice
	if k.Now() != time.Second {
		t.Errorf("the clock jumps to %v", k.Now())
	}
	b := make([]byte, 8)
	n, err := k.Read(ctx, b, time.Second)
	if n != 1 || err != nil || k.Now() != 2*time.Second || k.Info().Name != "2" || k.Current() != Port(two) {
		t.Errorf("%d %v %v", n, err, k.Now())
	}
	must(k.SetLines(ctx, false, false))

	// Lost on the way, and a release is asked for again.
	three := &mortal{name: "3", log: &log}
	next = []*mortal{three}
	two.gone = true
	must(k.Write(ctx, []byte("lost")))
	must(k.Write(ctx, []byte("sent")))
	four := &mortal{name: "4", log: &log}
	next = []*mortal{four}
	three.gone = true
	must(k.SetLines(ctx, false, false))

	// It does not come back.
	four.gone = true
	var gone *GoneError
	if _, err := k.Read(ctx, b, time.Second); !errors.As(err, &gone) {
		t.Errorf("%v", err)
	}
	if err := k.Write(ctx, nil); !errors.As(err, &gone) { // and is not waited for again
		t.Errorf("%v", err)
	}
	want := "[1 baud 1 wait 1 close reopen 1 2 baud 2 read 2 lines 2 close reopen 2 3 baud 3 write sent 3 close reopen 3 4 baud 4 lines 4 close reopen 4]"
	if got := fmt.Sprint(log); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	k = Reconnect(&mortal{name: "5", gone: true, log: &log}, func(context.Context, Info) (Port, error) {
		t.Error("opened after Close")
		return nil, os.ErrClosed
	})
	must(k.Close())
	if err := k.Wait(ctx, 0); !errors.As(err, &gone) {
		t.Errorf("%v", err)
	}
}
