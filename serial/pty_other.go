//go:build !linux

package serial

import "errors"

// PTY is a pseudo-terminal; this system's are not supported.
type PTY struct{ stream }

// OpenPTY returns an error that is errors.ErrUnsupported.
func OpenPTY(string) (*PTY, error) {
	return nil, &OpenError{Name: "pseudo-terminal", Err: errors.ErrUnsupported}
}

func (p *PTY) free() {}

func linesOf(int) (dtr, rts, asked bool) { return false, false, false }

func (p *PTY) confirm(int) {}

// Path returns the device file for other programs.
func (p *PTY) Path() string { return "" }

// Baud returns the speed that a program has set at the other end.
func (p *PTY) Baud() int { return 0 }
