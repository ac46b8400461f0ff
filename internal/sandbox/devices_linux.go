package sandbox

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// device is a character device that every sandbox has.
type device struct {
	name         string
	major, minor uint32
}

var (
	devices   = [...]device{{"null", 1, 3}, {"zero", 1, 5}, {"full", 1, 7}, {"random", 1, 8}, {"urandom", 1, 9}}
	ttyDevice = device{"tty", 5, 0}
)

// openDevice is an open device file of the host.
type openDevice struct {
	device
	fd int // O_PATH
}

// openDevices opens the host's device files. In a user namespace they cannot be
// created, only bind-mounted.
func openDevices(terminal bool) ([]openDevice, error) {
	want := devices[:]
	if terminal {
		want = append(want[:len(want):len(want)], ttyDevice)
	}
	var out []openDevice
	for _, d := range want {
		name := "/dev/" + d.name
		fd, err := unix.Open(name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil, &stageError{stageDevices, name, err}
		}
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil {
			return nil, &stageError{stageDevices, name, err}
		}
		if st.Mode&unix.S_IFMT != unix.S_IFCHR || uint64(st.Rdev) != unix.Mkdev(d.major, d.minor) {
			return nil, &stageError{stageDevices, name, fmt.Errorf("is not the character device %d:%d", d.major, d.minor)}
		}
		out = append(out, openDevice{d, fd})
	}
	return out, nil
}

// mountDevices sets up /dev.
func (r *runner) mountDevices(devs []openDevice) error {
	fail := func(what string, err error) error { return &stageError{stageDevices, what, err} }
	if err := r.mountAt("dev", "tmpfs", "tmpfs", unix.MS_NOSUID|unix.MS_NOEXEC, "mode=0755"); err != nil {
		return fail("/dev", err)
	}
	dev, err := r.target("dev", false)
	if err != nil {
		return fail("/dev", err)
	}
	defer unix.Close(dev)
	at := fdPath(dev)
	for _, d := range devs {
		name := at + "/" + d.name
		f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
		if err != nil {
			return fail("/dev/"+d.name, err)
		}
		f.Close()
		if err := unix.Mount(fdPath(d.fd), name, "", unix.MS_BIND, ""); err != nil {
			return fail("/dev/"+d.name, err)
		}
		unix.Close(d.fd)
	}
	links := [][2]string{
		{"/proc/self/fd", "fd"}, {"/proc/self/fd/0", "stdin"}, {"/proc/self/fd/1", "stdout"}, {"/proc/self/fd/2", "stderr"},
	}
	if r.Terminal {
		links = append(links, [2]string{"pts/ptmx", "ptmx"})
		if err := os.Mkdir(at+"/pts", 0o755); err != nil {
			return fail("/dev/pts", err)
		}
		if err := r.mountAt("dev/pts", "devpts", "devpts", unix.MS_NOSUID|unix.MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620"); err != nil {
			return fail("/dev/pts", err)
		}
	}
	for _, l := range links {
		if err := os.Symlink(l[0], at+"/"+l[1]); err != nil {
			return fail("/dev/"+l[1], err)
		}
	}
	if err := os.Mkdir(at+"/shm", 0o755); err != nil {
		return fail("/dev/shm", err)
	}
	owner := fmt.Sprintf("mode=1777,uid=%d,gid=%d", r.UID, r.UID)
	if err := r.mountAt("dev/shm", "tmpfs", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, owner); err != nil {
		return fail("/dev/shm", err)
	}
	if err := unix.Mount("", at, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NOEXEC, ""); err != nil {
		return fail("/dev", err)
	}
	return nil
}

// loopbackUp enables the only interface of the new network namespace.
func loopbackUp() error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err == unix.EAFNOSUPPORT { // a kernel without IPv4
		return nil
	}
	if err != nil {
		return err
	}
	defer unix.Close(s)
	ifr, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	ifr.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, ifr)
}
