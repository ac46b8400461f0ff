package cli

import (
	"os"

	"golang.org/x/term"

	"espalier.dev/espalier/internal/ui"
)

// keyboard delivers keys one by one, as they are pressed.
type keyboard struct {
	events  chan keyEvent
	restore func()
}

// openKeyboard takes over the terminal's keyboard, if both input and output
// are a person's. It returns nil otherwise. The caller restores the terminal.
func (a *app) openKeyboard() *keyboard {
	f, ok := a.stdin.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) || !a.ui.Terminal(ui.Stdout) || a.ui.JSON() {
		return nil
	}
	restore, ok, err := a.way.add(func() (func(), error) { return keyByKey(int(f.Fd())) })
	if err != nil {
		a.ui.Debugf("no keys: %v", err)
	}
	if !ok {
		return nil
	}
	k := &keyboard{events: make(chan keyEvent, 64), restore: restore}
	go func() {
		var r keyReader
		b := make([]byte, 256)
		for {
			n, err := f.Read(b)
			for _, e := range r.feed(b[:n]) {
				k.events <- e
			}
			if err != nil {
				return
			}
		}
	}()
	return k
}

// pressed returns the channel of keys; nil, on which nothing ever comes,
// without a keyboard.
func (k *keyboard) pressed() <-chan keyEvent {
	if k == nil {
		return nil
	}
	return k.events
}

func (k *keyboard) close() {
	if k != nil {
		k.restore()
	}
}
