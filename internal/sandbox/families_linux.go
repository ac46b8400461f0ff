package sandbox

import "golang.org/x/sys/unix"

// In the host's network namespace a step reaches the host's abstract Unix
// sockets, and as root it would be believed there; without a network namespace
// of its own but without Network, it may only talk to itself.
var (
	networkFamilies = [...]uint32{unix.AF_INET, unix.AF_INET6, unix.AF_NETLINK}
	localFamilies   = [...]uint32{unix.AF_UNIX}
)
