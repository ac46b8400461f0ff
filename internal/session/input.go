package session

import (
	"context"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"espalier.dev/espalier/internal/exithook"
	"espalier.dev/espalier/internal/ui"
)

// input delivers what the user types or pipes in.
type input struct {
	events   chan keyEvent
	keyboard bool // keys, one by one; else bytes of a pipe or file
	release  func()
	held     *keyEvent // an event that take has been told to keep
	ended    bool
}

// openInput uses stdin in one of three ways. A terminal, when stdout is one too,
// delivers keys, and its mode is restored by close or by hooks. A pipe or a file
// delivers its bytes. Anything else, such as the terminal of a background job,
// delivers nothing.
func openInput(stdin io.Reader, u *ui.UI, hooks *exithook.Hooks) *input {
	in := &input{ended: true, release: func() {}}
	if stdin == nil {
		return in
	}
	f, isFile := stdin.(*os.File)
	if !isFile || !term.IsTerminal(int(f.Fd())) {
		in.start(stdin, func(b []byte) []keyEvent { return []keyEvent{{actSend, string(b)}} })
		return in
	}
	fd := int(f.Fd())
	if !u.Terminal(ui.Stdout) || u.JSON() || hooks == nil || !foreground(fd) {
		return in
	}
	release, ok, err := hooks.Add(func() (func(), error) { return setRaw(fd) })
	if err != nil {
		u.Debugf("no keys: %v", err)
	}
	if ok {
		in.release, in.keyboard = release, true
		var keys keyReader
		in.start(f, keys.feed)
	}
	return in
}

// start reads r in the background. The goroutine ends with r, or with the
// process: a read of a terminal cannot be interrupted.
func (in *input) start(r io.Reader, events func([]byte) []keyEvent) {
	in.ended = false
	in.events = make(chan keyEvent, 16)
	go func() {
		b := make([]byte, 1024)
		for {
			n, err := r.Read(b)
			if n > 0 {
				for _, e := range events(b[:n]) {
					in.events <- e
				}
			}
			if err != nil {
				in.events <- keyEvent{act: actEnd}
				return
			}
		}
	}()
}

// firstPiped waits until the first piped bytes are there, or the end of the
// input, for at most a moment: an emulated board at full speed could otherwise
// reach its end before the first read returns.
func (in *input) firstPiped(ctx context.Context) {
	if in.ended || in.keyboard {
		return
	}
	in.wait(ctx, 50*time.Millisecond)
}

// wait waits for an event, which next returns then.
func (in *input) wait(ctx context.Context, d time.Duration) {
	if in.held != nil {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case e := <-in.events: // of no channel, nothing is received
		in.held = &e
	case <-t.C:
	case <-ctx.Done():
	}
}

// next returns the next event, if there is one.
func (in *input) next() (keyEvent, bool) {
	if in.held == nil {
		select {
		case e := <-in.events:
			in.held = &e
		default:
			return keyEvent{}, false
		}
	}
	e := *in.held
	in.held = nil
	if e.act == actEnd {
		in.ended = true
		return in.next()
	}
	return e, true
}

func (in *input) close() { in.release() }
