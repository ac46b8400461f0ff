package serial

import (
	"fmt"
	"path/filepath"
)

// PermissionError is why a user may not open a device, and what would change that.
type PermissionError struct {
	// Group may open it; "" when none may but root's.
	Group string
	// Member: the user is in that group already, but this session began before.
	Member bool

	device   string
	vid, pid uint16
}

// Hints are the remedies, the best first, to be pasted.
func (d PermissionError) Hints() []string {
	var hints []string
	switch {
	case d.Group != "" && d.Member:
		return []string{
			"you are in the group " + d.Group + ", but this session does not know it yet: log out and in again, or: newgrp " + d.Group,
		}
	case d.Group != "":
		hints = append(hints, fmt.Sprintf("sudo usermod -aG %s $USER    (then log in again)", d.Group))
	}
	return append(hints, "echo '"+d.rule()+"' | sudo tee /etc/udev/rules.d/70-espalier.rules && sudo udevadm control --reload && sudo udevadm trigger")
}

// rule is the udev rule for this device. The tag gives access to the user who is
// at the machine and is read by a rule numbered 73, so the file comes before
// that; without USB ids it is a group.
func (d PermissionError) rule() string {
	if d.vid == 0 {
		return fmt.Sprintf(`KERNEL=="%s", GROUP="dialout", MODE="0660"`, filepath.Base(d.device))
	}
	return fmt.Sprintf(`SUBSYSTEM=="tty", ATTRS{idVendor}=="%04x", ATTRS{idProduct}=="%04x", MODE="0660", GROUP="dialout", TAG+="uaccess"`, d.vid, d.pid)
}

// node is the owner and mode of a device file.
type node struct {
	uid, gid uint32
	mode     uint32
	group    string // the name of gid
}

// account is the user who opens the port: of the process, and of the groups that the
// system's data base has for the user.
type account struct {
	uid    uint32
	gids   []uint32
	listed []uint32
}

// readWrite are both bits of one digit of a mode.
const readWrite = 6

// judge decides by mode alone whether a user may read and write a node, and
// explains it if not. Access control lists are not in the mode: ask the system
// first.
func judge(n node, p account, i Info) (PermissionError, bool) {
	has := func(list []uint32) bool {
		for _, g := range list {
			if g == n.gid {
				return true
			}
		}
		return false
	}
	switch {
	case p.uid == 0:
		return PermissionError{}, true
	case p.uid == n.uid:
		if n.mode>>6&readWrite == readWrite {
			return PermissionError{}, true
		}
	case has(p.gids):
		if n.mode>>3&readWrite == readWrite {
			return PermissionError{}, true
		}
	case n.mode&readWrite == readWrite:
		return PermissionError{}, true
	}
	d := PermissionError{device: i.Name, vid: i.VID, pid: i.PID}
	if n.mode>>3&readWrite == readWrite && n.gid != 0 {
		d.Group, d.Member = n.group, has(p.listed)
		if d.Group == "" {
			d.Group = fmt.Sprint(n.gid)
		}
	}
	return d, false
}
