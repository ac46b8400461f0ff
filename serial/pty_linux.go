package serial

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// PTY is the hidden end of a pseudo-terminal whose other end any program can
// open as a serial port. It has no modem lines, and cannot tell that no program
// has it open: bytes written then wait in the kernel, up to 4 KiB, and the
// rest is lost.
type PTY struct {
	stream
	fd    int
	slave int // kept open, so that programs may close and open their end
	path  string
	link  string
}

// OpenPTY makes a pseudo-terminal. With link, a symbolic link of that name
// points to it until Close.
func OpenPTY(link string) (*PTY, error) {
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &OpenError{Name: "/dev/ptmx", Err: err}
	}
	p, err := newPTY(fd, link)
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return p, nil
}

func newPTY(fd int, link string) (*PTY, error) {
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		return nil, &OpenError{Name: "pseudo-terminal", Err: err}
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		return nil, &OpenError{Name: "pseudo-terminal", Err: err}
	}
	path := "/dev/pts/" + strconv.Itoa(n)
	slave, err := unix.Open(path, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &OpenError{Name: path, Err: err}
	}
	if err := configure(slave, DefaultBaud); err != nil {
		unix.Close(slave)
		return nil, &OpenError{Name: path, Err: err}
	}
	if link != "" {
		if err := makeLink(path, link); err != nil {
			unix.Close(slave)
			return nil, &OpenError{Name: link, Err: err}
		}
	}
	return &PTY{
		stream: stream{file: os.NewFile(uintptr(fd), path), info: Info{Name: path, Kind: Terminal}, start: time.Now()},
		fd:     fd, slave: slave, path: path, link: link,
	}, nil
}

// makeLink replaces an older link, and nothing else.
func makeLink(to, link string) error {
	if st, err := os.Lstat(link); err == nil {
		if st.Mode()&os.ModeSymlink == 0 {
			return errors.New("it exists and is not a symbolic link")
		}
		if err := os.Remove(link); err != nil {
			return err
		}
	}
	return os.Symlink(to, filepath.Clean(link))
}

// Path returns the device file for other programs.
func (p *PTY) Path() string { return p.path }

// Baud returns the speed that a program has set at the other end.
func (p *PTY) Baud() int {
	t, err := unix.IoctlGetTermios(p.slave, unix.TCGETS2)
	if err != nil {
		return 0
	}
	return int(t.Ospeed)
}

// free removes the mark of exclusive use that a program has left, by
// its end or by being killed: this end stays open, so the system does not.
func (p *PTY) free() { _ = unix.IoctlSetInt(p.slave, unix.TIOCNXCL, 0) }

// linesOf returns the lines that the program at the other end asks for when
// Baud returns speed.
func linesOf(speed int) (dtr, rts, asked bool) {
	if speed&^3 != lineSpeed {
		return false, false, false
	}
	return speed&lineSpeedDTR != 0, speed&lineSpeedRTS != 0, true
}

// confirm puts the speed back.
func (p *PTY) confirm(baud int) { _ = configure(p.slave, baud) }

// SetBaud does nothing: the program at the other end decides.
func (p *PTY) SetBaud(context.Context, int) error { return nil }

// SetLines is not possible.
func (p *PTY) SetLines(context.Context, bool, bool) error { return errors.ErrUnsupported }

// Close removes the terminal and its link.
func (p *PTY) Close() error {
	if p.link != "" {
		if to, err := os.Readlink(p.link); err == nil && to == p.path {
			os.Remove(p.link)
		}
	}
	unix.Close(p.slave)
	return p.file.Close()
}
