package sandbox

import "golang.org/x/sys/unix"

// The socket families that a step can open. A network namespace isolates IP,
// netlink and abstract Unix sockets; it does not isolate others, such as
// AF_VSOCK, which reaches the hypervisor, or AF_ALG.
var (
	// isolatedFamilies are for a step in a separate network namespace.
	isolatedFamilies = [...]uint32{unix.AF_UNIX, unix.AF_INET, unix.AF_INET6, unix.AF_NETLINK}

	// networkFamilies are for a step in the host's network namespace. It must
	// not reach the host's abstract Unix sockets, whose servers would trust it
	// when espalier runs as root.
	networkFamilies = [...]uint32{unix.AF_INET, unix.AF_INET6, unix.AF_NETLINK}

	// localFamilies are for a step without network and without a separate
	// network namespace (--no-sandbox).
	localFamilies = [...]uint32{unix.AF_UNIX}
)
