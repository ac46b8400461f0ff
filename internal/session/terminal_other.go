//go:build !unix

package session

import "golang.org/x/term"

// setRaw makes a console deliver every key at once.
func setRaw(fd int) (restore func(), err error) {
	old, err := term.MakeRaw(fd)
	if err != nil {
		return nil, err
	}
	return func() { _ = term.Restore(fd, old) }, nil
}

// foreground: consoles have no job control.
func foreground(int) bool { return true }
