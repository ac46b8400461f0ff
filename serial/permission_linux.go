package serial

import (
	"os/user"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// Access returns why this process may not open a device that exists, nil when
// it may. It opens nothing.
func Access(i Info) *PermissionError {
	// The kernel knows of access control lists, which is what udev's uaccess is.
	if err := unix.Faccessat(unix.AT_FDCWD, i.Name, unix.R_OK|unix.W_OK, unix.AT_EACCESS); err != unix.EACCES && err != unix.EPERM {
		return nil
	}
	d := permissionError(i)
	return &d
}

// permissionError explains why the kernel refused to open the port.
func permissionError(i Info) PermissionError {
	real, err := filepath.EvalSymlinks(i.Name)
	if err != nil {
		real = i.Name
	}
	var st unix.Stat_t
	if unix.Stat(real, &st) != nil {
		return PermissionError{device: real, vid: i.VID, pid: i.PID}
	}
	n := node{uid: st.Uid, gid: st.Gid, mode: st.Mode}
	if g, err := user.LookupGroupId(strconv.FormatUint(uint64(st.Gid), 10)); err == nil {
		n.group = g.Name
	}
	i.Name = real
	d, ok := judge(n, self(), i)
	if ok { // what forbids it is not in the mode
		return PermissionError{device: real, vid: i.VID, pid: i.PID}
	}
	return d
}

// self is the user of this process.
func self() account {
	p := account{uid: uint32(unix.Geteuid()), gids: []uint32{uint32(unix.Getegid())}}
	if list, err := unix.Getgroups(); err == nil {
		for _, g := range list {
			p.gids = append(p.gids, uint32(g))
		}
	}
	if u, err := user.LookupId(strconv.FormatUint(uint64(p.uid), 10)); err == nil {
		if ids, err := u.GroupIds(); err == nil {
			for _, id := range ids {
				if v, err := strconv.ParseUint(id, 10, 32); err == nil {
					p.listed = append(p.listed, uint32(v))
				}
			}
		}
	}
	return p
}
