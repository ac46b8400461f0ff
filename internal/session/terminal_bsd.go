//go:build unix && !linux && !solaris && !illumos && !aix

package session

import "golang.org/x/sys/unix"

const getTermios, setTermios = unix.TIOCGETA, unix.TIOCSETA
