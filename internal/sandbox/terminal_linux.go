package sandbox

import (
	"strconv"

	"golang.org/x/sys/unix"
)

// openTerminal makes a terminal inside the sandbox, sends its master end to the
// launcher and returns the other end. It must run before pivot_root, while the
// descriptor paths are valid.
func (r *runner) openTerminal() (slave int, err error) {
	pts, err := r.target("dev/pts", false)
	if err != nil {
		return -1, err
	}
	defer unix.Close(pts)
	master, err := unix.Openat(pts, "ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	defer unix.Close(master)
	if err := unix.IoctlSetPointerInt(master, unix.TIOCSPTLCK, 0); err != nil {
		return -1, err
	}
	n, err := unix.IoctlGetUint32(master, unix.TIOCGPTN)
	if err != nil {
		return -1, err
	}
	slave, err = unix.Openat(pts, strconv.Itoa(int(n)), unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	if !r.UserNS {
		if err := unix.Fchown(slave, r.UID, r.UID); err != nil {
			return -1, err
		}
	}
	r.ctl.sendWith(message{Master: true}, unix.UnixRights(master))
	return slave, nil
}
