package sandbox

import "golang.org/x/sys/unix"

// The families of sockets that a step can open. A network namespace isolates
// IP, netlink and abstract Unix sockets; it does not isolate others, such as
// AF_VSOCK, which reaches the hypervisor, or AF_ALG.
var (
	// isolatedFamilies are for a step in a network namespace of its own.
	isolatedFamilies = [...]uint32{unix.AF_UNIX, unix.AF_INET, unix.AF_INET6, unix.AF_NETLINK}

	// networkFamilies are for a step in the host's network namespace. It must
	// not reach the host's abstract Unix sockets, whose servers would trust it
	// when espalier runs as root.
	networkFamilies = [...]uint32{unix.AF_INET, unix.AF_INET6, unix.AF_NETLINK}

	// localFamilies are for a step that has no network and no network namespace
	// of its own (--no-sandbox).
	localFamilies = [...]uint32{unix.AF_UNIX}
)
