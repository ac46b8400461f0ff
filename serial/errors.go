package serial

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
)

// Reason says why a port cannot be opened.
type Reason uint8

// Reasons.
const (
	Other      Reason = iota
	Missing           // no such device, or no such host
	Busy              // another process has it
	Permission        // the user may not
	Refused           // nothing listens at that address
	NotAPort          // it exists and is something else
	BadName           // the name cannot be understood
)

// OpenError is a port that cannot be opened.
type OpenError struct {
	Name   string
	Reason Reason
	// Holder names the process that has a busy port, "picocom (pid 4711)", ""
	// when it cannot be found out.
	Holder string
	// PermissionError explains Permission; nil where the system has no such thing.
	PermissionError *PermissionError
	Err             error
}

func (e *OpenError) Error() string {
	what := "opening " + e.Name + ": "
	switch e.Reason {
	case Missing:
		return what + "no such port"
	case Busy:
		if e.Holder != "" {
			return what + "in use by " + e.Holder
		}
		return what + "in use by another process"
	case Permission:
		return what + "permission denied"
	case NotAPort:
		return what + "it is not a serial port"
	case Refused:
		return what + "connection refused: nothing listens there"
	}
	if e.Err == nil {
		return what + "failed"
	}
	return what + e.Err.Error()
}

// Hints says what to do about it.
func (e *OpenError) Hints() []string {
	switch e.Reason {
	case Missing:
		return []string{"espalier ports", "a cable without data wires powers the board and shows no port"}
	case Busy:
		if e.Holder == "" {
			return []string{"sudo fuser -v " + e.Name}
		}
		return []string{"close it, or: kill " + pidOf(e.Holder)}
	case Permission:
		if e.PermissionError != nil {
			return e.PermissionError.Hints()
		}
	case Refused:
		return []string{"espalier serve-port PORT --listen ... on the machine with the board"}
	case BadName:
		return []string{"/dev/ttyACM0, tcp://HOST:PORT, rfc2217://HOST:PORT"}
	}
	return nil
}

func (e *OpenError) Unwrap() error { return e.Err }

func pidOf(holder string) string {
	_, pid, _ := strings.Cut(holder, "(pid ")
	return strings.TrimSuffix(pid, ")")
}

// GoneError is a port that has disconnected: unplugged, re-enumerated, or closed
// by its other end.
type GoneError struct {
	Name string
	Err  error // nil: the other end closed it
}

func (e *GoneError) Error() string {
	if e.Err == nil {
		return e.Name + ": the other end closed the connection"
	}
	return e.Name + ": the port has disconnected: " + e.Err.Error()
}

// Hints says what to do about it.
func (e *GoneError) Hints() []string {
	return []string{"check the cable, then: espalier ports"}
}

func (e *GoneError) Unwrap() error { return e.Err }

func isTimeout(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }

// ioError turns an error of reading or writing into the contract's. A context
// that has ended is why a deadline has passed.
func ioError(ctx context.Context, name string, err error) error {
	if err == nil {
		return nil
	}
	if cause := ctx.Err(); cause != nil {
		return cause
	}
	if isTimeout(err) {
		return os.ErrDeadlineExceeded
	}
	if errors.Is(err, io.EOF) {
		return &GoneError{Name: name}
	}
	var sys syscall.Errno
	if errors.As(err, &sys) {
		return &GoneError{Name: name, Err: sys}
	}
	if errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrClosed) {
		return &GoneError{Name: name, Err: errors.New("it was closed here")}
	}
	return &GoneError{Name: name, Err: err}
}

func unsupported(err error) bool { return errors.Is(err, errors.ErrUnsupported) }
