package sandbox

import (
	"bytes"
	"debug/elf"
	"os"
	"path"
	"strconv"
	"strings"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"

	"espalier.dev/espalier/internal/action"
	"espalier.dev/espalier/internal/layout"
)

// The processes that a step's command starts are observed: each system call
// with the name of a file is reported by the kernel to the runner
// (SECCOMP_RET_USER_NOTIF, seccomp_unotify(2)), which reads the name and lets
// the call continue. That includes names that do not exist. The command itself
// is not observed (action.RunOptions.Observe).
//
// A name is read before the kernel reads it, so a process with several threads
// could change it in between. That is no way to do something: the steps are the
// user's own, and an observation decides only which of the user's own results
// is returned.

// call describes where a system call has its names: the index of the argument,
// and that of the directory's descriptor, -1 for the current directory.
type call struct {
	nr        uint32
	path, dir int8
	read      access
}

// access tells how a call reads the file.
type access uint8

const (
	looksUp  access = iota // type, size, mode, target of a link
	reads                  // the content as well
	opens                  // the content, unless a flag says otherwise; flags are the argument after the path
	opensHow               // the same, flags in memory (openat2)
	links                  // makes a symbolic link; the path is the link's text
)

// observedCalls is the list for both architectures; arch files add the calls
// that only older ones have.
var observedCalls = append(olderCalls(), []call{
	{unix.SYS_OPENAT, 1, 0, opens},
	{unix.SYS_OPENAT2, 1, 0, opensHow},
	{unix.SYS_STATX, 1, 0, looksUp},
	{unix.SYS_FACCESSAT, 1, 0, looksUp},
	{unix.SYS_FACCESSAT2, 1, 0, looksUp},
	{unix.SYS_READLINKAT, 1, 0, looksUp},
	{unix.SYS_EXECVE, 0, -1, reads},
	{unix.SYS_EXECVEAT, 1, 0, reads},
	{unix.SYS_CHDIR, 0, -1, looksUp},
	{unix.SYS_CHROOT, 0, -1, looksUp},
	{unix.SYS_STATFS, 0, -1, looksUp},
	{unix.SYS_GETXATTR, 0, -1, looksUp},
	{unix.SYS_LGETXATTR, 0, -1, looksUp},
	{unix.SYS_LISTXATTR, 0, -1, looksUp},
	{unix.SYS_LLISTXATTR, 0, -1, looksUp},
	{unix.SYS_SETXATTR, 0, -1, looksUp},
	{unix.SYS_LSETXATTR, 0, -1, looksUp},
	{unix.SYS_REMOVEXATTR, 0, -1, looksUp},
	{unix.SYS_LREMOVEXATTR, 0, -1, looksUp},
	{unix.SYS_INOTIFY_ADD_WATCH, 1, -1, looksUp},
	{unix.SYS_FANOTIFY_MARK, 4, 3, looksUp},
	{unix.SYS_TRUNCATE, 0, -1, reads},
	{unix.SYS_MKDIRAT, 1, 0, looksUp},
	{unix.SYS_MKNODAT, 1, 0, looksUp},
	{unix.SYS_UNLINKAT, 1, 0, looksUp},
	{unix.SYS_FCHMODAT, 1, 0, looksUp},
	{sysFchmodat2, 1, 0, looksUp},
	{sysSetxattrat, 1, 0, looksUp},
	{sysGetxattrat, 1, 0, looksUp},
	{sysListxattrat, 1, 0, looksUp},
	{sysRemovexattrat, 1, 0, looksUp},
	{sysFileGetattr, 1, 0, looksUp},
	{sysFileSetattr, 1, 0, looksUp},
	{unix.SYS_FCHOWNAT, 1, 0, looksUp},
	{unix.SYS_UTIMENSAT, 1, 0, looksUp},
	// What has a second name can be read by it.
	{unix.SYS_RENAMEAT, 1, 0, reads},
	{unix.SYS_RENAMEAT2, 1, 0, reads},
	{unix.SYS_LINKAT, 1, 0, reads},
	{unix.SYS_SYMLINKAT, 0, -1, links},
}...)

// System calls that x/sys does not know on every architecture, or not yet; the
// numbers are the same on all.
const (
	sysFchmodat2     = 452
	sysSetxattrat    = 463 // Linux 6.13
	sysGetxattrat    = 464
	sysListxattrat   = 465
	sysRemovexattrat = 466
	sysFileGetattr   = 468 // Linux 6.17
	sysFileSetattr   = 469
)

// newNames are the second names of calls that have two.
var newNames = map[uint32]call{
	unix.SYS_RENAMEAT:  {path: 3, dir: 2},
	unix.SYS_RENAMEAT2: {path: 3, dir: 2},
	unix.SYS_LINKAT:    {path: 3, dir: 2},
	unix.SYS_SYMLINKAT: {path: 2, dir: 1},
}

// Offsets in struct seccomp_data (seccomp(2)); arguments have 8 bytes each, low
// word first on the architectures that have a filter here.
const (
	dataNR   = 0
	dataArch = 4
	dataArg0 = 16
	dataArg1 = 24
)

// observerProgram is the filter that reports the observed calls.
func observerProgram() []unix.SockFilter {
	p := []unix.SockFilter{{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: dataNR}}
	for _, c := range observedCalls {
		p = append(p,
			unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_K | unix.BPF_JEQ, K: c.nr, Jf: 1},
			unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_USER_NOTIF})
	}
	return append(p, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW})
}

// Structures and requests of seccomp_unotify(2); x/sys has no types for them.
type (
	notification struct {
		id    uint64
		pid   uint32 // of the thread, in the runner's PID namespace
		flags uint32
		nr    int32
		arch  uint32
		ip    uint64
		args  [6]uint64
	}
	answer struct {
		id    uint64
		value int64
		errno int32
		flags uint32
	}
)

const (
	notifReceive  = 0xc0502100 // SECCOMP_IOCTL_NOTIF_RECV
	notifSend     = 0xc0182101 // SECCOMP_IOCTL_NOTIF_SEND
	continueCall  = 1          // SECCOMP_USER_NOTIF_FLAG_CONTINUE, since Linux 5.5
	mostPaths     = 100_000    // more observed names are not recorded
	longestPath   = 4096       // PATH_MAX
	pageSize      = 4096
	firstPathRead = 256
)

// observer collects the names.
type observer struct {
	calls map[uint32]call

	mu     sync.Mutex
	seen   map[string]bool // name: whether the content is read
	exempt map[uint32]bool // threads whose calls do not count
	blind  string          // why something may have been missed; "" when nothing was
	serve  sync.WaitGroup
}

func newObserver() *observer {
	o := &observer{calls: map[uint32]call{}, seen: map[string]bool{}, exempt: map[uint32]bool{}}
	for _, c := range observedCalls {
		o.calls[c.nr] = c
	}
	return o
}

// lose records that the observation is incomplete.
func (o *observer) lose(why string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.blind == "" {
		o.blind = why
	}
}

// listen answers the notifications of a listener until its processes have
// ended.
func (o *observer) listen(fd int) {
	o.serve.Add(1)
	go func() {
		defer o.serve.Done()
		defer unix.Close(fd)
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		for {
			if _, err := unix.Poll(fds, -1); err == unix.EINTR {
				continue
			} else if err != nil {
				o.lose("waiting for notifications: " + err.Error())
				return
			}
			if fds[0].Revents&unix.POLLIN == 0 { // POLLHUP: no process is left
				return
			}
			var n notification
			if _, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), notifReceive, uintptr(unsafe.Pointer(&n))); e != 0 {
				if e != unix.ENOENT && e != unix.EINTR { // the caller was killed
					o.lose("receiving a notification: " + e.Error())
				}
				continue
			}
			o.note(&n)
			a := answer{id: n.id, flags: continueCall}
			_, _, _ = unix.Syscall(unix.SYS_IOCTL, uintptr(fd), notifSend, uintptr(unsafe.Pointer(&a)))
		}
	}()
}

// note records the names of one call.
func (o *observer) note(n *notification) {
	c, ok := o.calls[uint32(n.nr)]
	if !ok {
		return
	}
	name, err := readString(n.pid, uintptr(n.args[c.path]))
	if err == unix.EFAULT { // the call will fail, too
		return
	}
	if err != nil {
		o.lose("reading the memory of a process: " + err.Error())
		return
	}
	if n.nr == unix.SYS_EXECVE {
		o.executes(n, name)
	}
	if o.isExempt(n.pid) {
		return
	}
	if c.read == links {
		// A link elsewhere that leads to the sources would be another name for
		// them.
		if name == layout.Src || strings.HasPrefix(name, layout.Src+"/") || strings.Contains(name, "..") {
			o.lose("a process made a symbolic link to " + name)
		}
	} else {
		o.record(n, c, name)
	}
	if second, ok := newNames[uint32(n.nr)]; ok {
		if name, err = readString(n.pid, uintptr(n.args[second.path])); err == nil {
			o.record(n, second, name)
		}
	}
}

func (o *observer) record(n *notification, c call, name string) {
	if name == "" {
		return // the descriptor itself, whose name is known
	}
	if !path.IsAbs(name) {
		link := "cwd"
		if c.dir >= 0 && int32(n.args[c.dir]) != unix.AT_FDCWD {
			link = "fd/" + strconv.Itoa(int(int32(n.args[c.dir])))
		}
		dir, err := os.Readlink("/proc/" + strconv.FormatUint(uint64(n.pid), 10) + "/" + link)
		if err != nil {
			if link != "cwd" { // no such descriptor: the call will fail, too
				return
			}
			o.lose("finding the directory of " + name + ": " + err.Error())
			return
		}
		name = dir + "/" + name
	}
	if strings.HasPrefix(name, "/proc/") && !o.harmlessProc(name) {
		o.lose("a process used the name " + name)
		return
	}
	if !inSources(name) {
		return
	}
	read := c.read == reads
	switch c.read {
	case opens:
		read = n.args[c.path+1]&unix.O_PATH == 0
	case opensHow:
		read = true
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.seen) < mostPaths {
		o.seen[name] = o.seen[name] || read
	} else if o.blind == "" {
		o.blind = "too many files"
	}
}

// inSources reports whether a name may be in the sources. A ".." is resolved
// both as text and by way of links later, so either counts.
func inSources(name string) bool {
	in := func(name string) bool { return name == layout.Src || strings.HasPrefix(name, layout.Src+"/") }
	return in(name) || in(path.Clean(name))
}

// harmlessProc reports whether a name below /proc is not another name for a
// directory.
func (o *observer) harmlessProc(name string) bool {
	for _, elem := range strings.Split(name, "/")[2:] {
		switch elem {
		case "cwd", "root", "fd", "map_files", "..":
			// Listing descriptors, as libraries do to close them, reads no file.
			return strings.HasSuffix(name, "/fd") || strings.HasSuffix(name, "/fd/")
		}
	}
	return true
}

// executes is called when a process executes a program. "cargo locate-project",
// which procedural macros use to find a manifest, opens each manifest and looks
// for targets and README files next to it, and prints one path: of that the
// manifests alone matter, and they always count (action.RunOptions.Observe).
func (o *observer) executes(n *notification, program string) {
	file := program
	if !path.IsAbs(file) {
		file = "/proc/" + strconv.FormatUint(uint64(n.pid), 10) + "/cwd/" + file
	}
	if i := interpreter(file); inSources(i) {
		o.lose("a program has the interpreter " + i)
	}
	exempt := program == layout.Cargo && argument(n.pid, uintptr(n.args[1]), 1) == "locate-project"
	o.mu.Lock()
	defer o.mu.Unlock()
	if exempt {
		o.exempt[n.pid] = true
	} else {
		delete(o.exempt, n.pid)
	}
}

// interpreter returns the file that the kernel opens, without a system call,
// when it executes a program: the interpreter of a script or the dynamic loader.
func interpreter(program string) string {
	f, err := os.Open(program)
	if err != nil {
		return ""
	}
	defer f.Close()
	head := make([]byte, 256) // BINPRM_BUF_SIZE
	k, _ := f.ReadAt(head, 0)
	if line, ok := bytes.CutPrefix(head[:k], []byte("#!")); ok {
		line, _, _ = bytes.Cut(line, []byte("\n"))
		if words := bytes.Fields(line); len(words) > 0 {
			return string(words[0])
		}
		return ""
	}
	e, err := elf.NewFile(f)
	if err != nil {
		return ""
	}
	for _, p := range e.Progs {
		if p.Type == elf.PT_INTERP && p.Filesz < longestPath {
			name := make([]byte, p.Filesz)
			k, _ := p.ReadAt(name, 0)
			return string(bytes.TrimRight(name[:k], "\x00"))
		}
	}
	return ""
}

func (o *observer) isExempt(pid uint32) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.exempt[pid]
}

// result returns what was observed, nil when it may be incomplete. All observed
// processes have ended.
func (o *observer) result() ([]action.Access, string) {
	o.serve.Wait()
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.blind != "" {
		return nil, o.blind
	}
	out := make([]action.Access, 0, len(o.seen))
	for name, read := range o.seen {
		out = append(out, action.Access{Path: name, Read: read})
	}
	return out, ""
}

// readMemory reads from the memory of a process, up to the end of a page.
func readMemory(pid uint32, at uintptr, b []byte) (int, error) {
	if rest := pageSize - int(at%pageSize); len(b) > rest {
		b = b[:rest]
	}
	local := []unix.Iovec{{Base: &b[0]}}
	local[0].SetLen(len(b))
	return unix.ProcessVMReadv(int(pid), local, []unix.RemoteIovec{{Base: at, Len: len(b)}}, 0)
}

// readString reads a string of C from the memory of a process.
func readString(pid uint32, at uintptr) (string, error) {
	var out []byte
	buf := make([]byte, firstPathRead)
	for len(out) < longestPath {
		n, err := readMemory(pid, at, buf)
		if err != nil {
			return "", err
		}
		if i := bytes.IndexByte(buf[:n], 0); i >= 0 {
			return string(append(out, buf[:i]...)), nil
		}
		out, at = append(out, buf[:n]...), at+uintptr(n)
	}
	return "", unix.EFAULT // ENAMETOOLONG for the call itself
}

// argument reads one element of an argument vector, "" when there is none.
func argument(pid uint32, argv uintptr, i int) string {
	var pointers [2 * 8]byte
	n, err := readMemory(pid, argv, pointers[:])
	if err != nil || n < len(pointers) {
		return ""
	}
	at := *(*uintptr)(unsafe.Pointer(&pointers[8*i]))
	if at == 0 {
		return ""
	}
	s, _ := readString(pid, at)
	return s
}
