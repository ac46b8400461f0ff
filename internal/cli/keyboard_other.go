//go:build !unix

package cli

import "golang.org/x/term"

// keyByKey makes a console deliver every key at once.
func keyByKey(fd int) (restore func(), err error) {
	old, err := term.MakeRaw(fd)
	if err != nil {
		return nil, err
	}
	return func() { _ = term.Restore(fd, old) }, nil
}
