package serial

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// device is a terminal device of this machine. Go's own poller gives it
// deadlines; termios2 any speed; TIOCMSET both modem lines in one step.
type device struct {
	stream
	fd      int
	noLines bool // of a pseudo-terminal: the other end does not confirm
	lines   bool // the other end has confirmed
}

func openDevice(ctx context.Context, name string, o Options) (Port, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	fd, err := unix.Open(name, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, deviceError(name, err)
	}
	if err := setUp(fd, o.baud()); err != nil {
		unix.Close(fd)
		return nil, deviceError(name, err)
	}
	info := describe(name)
	return &device{stream: stream{file: os.NewFile(uintptr(fd), name), info: info, start: time.Now()}, fd: fd}, nil
}

// setUp takes the device for this process alone and makes it a plain wire:
// eight bits, no parity, no flow control, no editing, and modem lines that
// stay as they are when it is closed.
func setUp(fd, baud int) error {
	if _, err := unix.IoctlGetTermios(fd, unix.TCGETS2); err != nil {
		return err
	}
	if holder, err := lockedBy(fd); err != nil || holder {
		return unix.EBUSY
	}
	if err := unix.IoctlSetInt(fd, unix.TIOCEXCL, 0); err != nil {
		return err
	}
	return configure(fd, baud)
}

// Close gives the device back. The mark of TIOCEXCL belongs to the terminal,
// not to its user: on one that another process keeps open it would stay.
func (d *device) Close() error {
	_ = unix.IoctlSetInt(d.fd, unix.TIOCNXCL, 0)
	return d.stream.Close()
}

// lockedBy takes the advisory lock that flashers and terminal programs agree
// on: root passes TIOCEXCL, but not this.
func lockedBy(fd int) (bool, error) {
	err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return true, nil
	}
	return false, nil // a file system without locks has no lock to honour
}

func configure(fd, baud int) error {
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS2)
	if err != nil {
		return err
	}
	t.Iflag, t.Oflag, t.Lflag = 0, 0, 0
	t.Cflag = unix.CS8 | unix.CREAD | unix.CLOCAL | unix.BOTHER | unix.BOTHER<<16
	t.Ispeed, t.Ospeed = uint32(baud), uint32(baud)
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	return unix.IoctlSetTermios(fd, unix.TCSETS2, t)
}

func (d *device) SetBaud(ctx context.Context, baud int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := configure(d.fd, baud); err != nil {
		if errors.Is(err, unix.EINVAL) {
			return fmt.Errorf("%s: the adapter cannot do %d baud", d.info.Name, baud)
		}
		return ioError(ctx, d.info.Name, err)
	}
	return nil
}

func (d *device) SetLines(ctx context.Context, dtr, rts bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	bits, err := unix.IoctlGetInt(d.fd, unix.TIOCMGET)
	if err == nil {
		bits &^= unix.TIOCM_DTR | unix.TIOCM_RTS
		if dtr {
			bits |= unix.TIOCM_DTR
		}
		if rts {
			bits |= unix.TIOCM_RTS
		}
		err = unix.IoctlSetPointerInt(d.fd, unix.TIOCMSET, bits)
	}
	if errors.Is(err, unix.ENOTTY) || errors.Is(err, unix.EINVAL) {
		if d.info.Kind == Terminal && !d.noLines {
			return d.signLines(ctx, dtr, rts)
		}
		return errors.ErrUnsupported
	}
	return ioError(ctx, d.info.Name, err)
}

// A pseudo-terminal has no modem lines, but both ends see its speed. ServePTY
// takes a speed that no wire has for a change of the lines, and confirms it by
// setting a speed that a wire can have; another program's pseudo-terminal never
// does that, and there are no lines.
const (
	lineSpeed    = 0x4c490000 // and DTR in bit 1, RTS in bit 0
	lineSpeedDTR = 2
	lineSpeedRTS = 1
	// A program that does not know this convention never confirms. One that has
	// confirmed before gets longer: otherwise a reset sequence would end in the
	// middle, with the chip held in reset.
	lineTimeout = 3 * time.Second // a busy machine answers late
	lineCertain = 10 * time.Second
)

func (d *device) signLines(ctx context.Context, dtr, rts bool) error {
	t, err := unix.IoctlGetTermios(d.fd, unix.TCGETS2)
	if err != nil {
		return ioError(ctx, d.info.Name, err)
	}
	before := t.Ospeed
	speed := lineSpeed
	if dtr {
		speed |= lineSpeedDTR
	}
	if rts {
		speed |= lineSpeedRTS
	}
	if err := configure(d.fd, speed); err != nil {
		return errors.ErrUnsupported
	}
	timeout := lineTimeout
	if d.lines {
		timeout = lineCertain
	}
	for end := time.Now().Add(timeout); time.Now().Before(end); {
		if t, err := unix.IoctlGetTermios(d.fd, unix.TCGETS2); err == nil && t.Ospeed&^3 != lineSpeed {
			d.lines = true
			// Perhaps one before the newest: it may not have seen that yet.
			return ioError(ctx, d.info.Name, configure(d.fd, int(before)))
		}
		if err := d.Wait(ctx, time.Millisecond); err != nil {
			_ = configure(d.fd, int(before))
			return err
		}
	}
	d.noLines = true
	if err := configure(d.fd, int(before)); err != nil {
		return ioError(ctx, d.info.Name, err)
	}
	return errors.ErrUnsupported
}

func deviceError(name string, err error) error {
	e := &OpenError{Name: name, Err: err}
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENXIO), errors.Is(err, unix.ENODEV):
		e.Reason = Missing
	case errors.Is(err, unix.EBUSY):
		e.Reason, e.Holder = Busy, holder(name)
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		d := permissionError(describe(name))
		e.Reason, e.PermissionError = Permission, &d
	case errors.Is(err, unix.ENOTTY), errors.Is(err, unix.EISDIR), errors.Is(err, unix.EINVAL):
		e.Reason = NotAPort
	}
	return e
}

// holder looks through the processes of this machine for one that has the
// device open. Processes of other users show nothing.
func holder(name string) string {
	real, err := filepath.EvalSymlinks(name)
	if err != nil {
		real = name
	}
	fds, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	own := strconv.Itoa(os.Getpid())
	for _, fd := range fds {
		if to, err := os.Readlink(fd); err != nil || to != real {
			continue
		}
		pid, _, _ := strings.Cut(strings.TrimPrefix(fd, "/proc/"), "/")
		comm, _ := os.ReadFile("/proc/" + pid + "/comm")
		program := strings.TrimSpace(string(comm))
		if pid == own {
			return "this process"
		}
		return fmt.Sprintf("%s (pid %s)", program, pid)
	}
	return ""
}
