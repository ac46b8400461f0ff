package sandbox

import (
	"bufio"
	"os"
	"strconv"
	"strings"
)

// A container may have a single user: its user namespace maps user 0 to the
// user who started it and no other. Inside a further user namespace that is
// sufficient. Without one the command must become user 1000 and files must
// belong to that user, which the kernel refuses with EINVAL.

// oneUserError is the failure to make a user namespace where it is the only
// option.
type oneUserError struct{ err error }

func (e *oneUserError) Error() string { return e.err.Error() }
func (e *oneUserError) Unwrap() error { return e.err }

// oneUserHints are the options for starting a container with more than one
// user.
var oneUserHints = []string{
	"sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $USER   # on the host, then start the container again",
	"as in: podman run --userns=auto ..., unshare --map-auto --map-root-user ...",
}

// mapped reports whether a user and the group of the same number exist in this
// user namespace.
func mapped(id int) bool {
	for _, name := range []string{"/proc/self/uid_map", "/proc/self/gid_map"} {
		b, err := os.ReadFile(name)
		if err == nil && !inIDMap(string(b), id) {
			return false
		}
	}
	return true
}

// inIDMap reports whether id is in the first column's ranges of a map in the
// form of user_namespaces(7): first id inside, first id outside, length.
func inIDMap(text string, id int) bool {
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) != 3 {
			continue
		}
		first, err1 := strconv.ParseUint(f[0], 10, 32)
		n, err2 := strconv.ParseUint(f[2], 10, 32)
		if err1 == nil && err2 == nil && uint64(id) >= first && uint64(id)-first < n {
			return true
		}
	}
	return false
}
