package session

import (
	"context"
	"errors"
	"strings"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/serial"
)

// Sharing says where a serial port is shared with other programs. Exactly one of
// Address and PTY is set.
type Sharing struct {
	Address string // rfc2217://HOST:PORT or tcp://HOST:PORT; port 0: a free one
	PTY     bool   // a pseudo-terminal
	Link    string // symbolic link to the pseudo-terminal; "": none

	// Announce receives the address or device that others open.
	Announce func(port string)

	// Event receives one line for each client that connects or leaves.
	Event func(text string)

	// Reopen waits for a port that has vanished and opens it again; Note says so.
	// Without Reopen the loss of the port is the end.
	Reopen func(ctx context.Context, was serial.Info) (serial.Port, error)
	Note   func(text string)
}

// CheckShare checks the address. The error is a fault.Usage.
func CheckShare(address string) error {
	scheme, _, ok := strings.Cut(address, "://")
	if !ok || scheme != "tcp" && scheme != "rfc2217" {
		return fault.New(fault.Usage, address+": want tcp://HOST:PORT or rfc2217://HOST:PORT",
			"rfc2217://127.0.0.1:0 takes a free port")
	}
	return nil
}

// SharePort shares a port until ctx ends. The caller closes port.
func SharePort(ctx context.Context, port serial.Port, s Sharing) error {
	if s.PTY {
		return sharePTY(ctx, port, s)
	}
	if err := CheckShare(s.Address); err != nil {
		return err
	}
	scheme, addr, _ := strings.Cut(s.Address, "://")
	l, err := serial.Listen(ctx, addr)
	if err != nil {
		return fault.Wrap(fault.Port, err, "listening at "+s.Address)
	}
	addr = l.Addr().String() // the same port after a reconnect
	s.Announce(scheme + "://" + addr)
	for first := port; ; {
		server := serial.Server{Port: port, RFC2217: scheme == "rfc2217", Event: s.Event}
		err := server.Serve(ctx, l)
		var gone *serial.GoneError
		lost := errors.As(err, &gone) && s.Reopen != nil
		if lost {
			s.Note(gone.Error() + "; waiting for it")
		}
		if lost || port != first {
			port.Close()
		}
		if !lost {
			return err
		}
		if port, err = s.Reopen(ctx, port.Info()); err != nil {
			return err
		}
		s.Note(port.Info().Name + " is back")
		if l, err = serial.Listen(ctx, addr); err != nil {
			port.Close()
			return fault.Wrap(fault.Port, err, "listening again")
		}
	}
}

func sharePTY(ctx context.Context, port serial.Port, s Sharing) error {
	pty, err := serial.OpenPTY(s.Link)
	if err != nil {
		return err
	}
	defer pty.Close()
	name := s.Link
	if name == "" {
		name = pty.Path()
	}
	s.Announce(name)
	return serial.ServePTY(ctx, pty, port)
}
