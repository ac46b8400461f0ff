// Command inside is the program that tests run in a sandbox: it reports its
// environment as JSON, or performs a single operation.
package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

func main() {
	if len(os.Args) < 2 {
		return
	}
	args := os.Args[2:]
	switch os.Args[1] {
	case "true":
	case "look":
		look()
	case "exit":
		n := 0
		fmt.Sscan(args[0], &n)
		os.Exit(n)
	case "kill":
		n := 0
		fmt.Sscan(args[0], &n)
		syscall.Kill(os.Getpid(), syscall.Signal(n))
		time.Sleep(time.Hour)
	case "write": // path text
		check(os.MkdirAll(filepath.Dir(args[0]), 0o755))
		check(os.WriteFile(args[0], []byte(args[1]), 0o644))
	case "cat":
		b, err := os.ReadFile(args[0])
		check(err)
		os.Stdout.Write(b)
	case "stat": // mtime and mode of each
		for _, a := range args {
			st, err := os.Lstat(a)
			check(err)
			fmt.Println(a, st.ModTime().Unix(), st.Mode())
		}
	case "spam": // n bytes on both
		n := 0
		fmt.Sscan(args[0], &n)
		b := []byte(strings.Repeat("x", 1023) + "\n")
		for i := 0; i < n; i += len(b) {
			os.Stdout.Write(b)
			os.Stderr.Write(b)
		}
	case "daemon": // starts a process in its own session that keeps the output open
		c := exec.Command("/inside", "sleep", args[0])
		c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		c.Stdout, c.Stderr = os.Stdout, os.Stderr
		check(c.Start())
	case "sleep":
		fmt.Println("ready")
		time.Sleep(time.Hour)
	case "outputs": // [exit status]
		check(os.MkdirAll("/out/dir/sub", 0o755))
		check(os.WriteFile("/out/file", []byte("file"), 0o644))
		check(os.WriteFile("/out/dir/run", []byte("run"), 0o755))
		check(os.WriteFile("/out/dir/sub/secret", []byte("secret"), 0))
		check(os.Symlink("run", "/out/dir/link"))
		check(os.Chmod("/out/dir/sub", 0))
		check(os.Symlink("/etc/passwd", "/out/sneaky"))
		check(os.Symlink("/", "/out/rootlink"))
		if len(args) > 0 {
			n := 0
			fmt.Sscan(args[0], &n)
			os.Exit(n)
		}
	case "rewrite": // file below /target: append, replace a directory
		f, err := os.OpenFile("/target/old", os.O_APPEND|os.O_WRONLY, 0)
		check(err)
		_, err = f.WriteString(" and new")
		check(err)
		check(f.Close())
		check(os.RemoveAll("/target/folder"))
		check(os.Mkdir("/target/folder", 0o755))
		check(os.WriteFile("/target/folder/b", nil, 0o644))
		check(os.Rename("/target/folder", "/target/moved"))
		list("/target")
	case "list":
		list(args[0])
	case "names": // as the file system lists them
		f, err := os.Open(args[0])
		check(err)
		names, err := f.Readdirnames(-1)
		check(err)
		fmt.Print(strings.Join(names, "\n"))
	case "calls":
		calls()
	case "attributes":
		attributes()
	case "connect":
		_, err := net.DialTimeout("tcp", args[0], 2*time.Second)
		fmt.Println(err)
	case "start": // a program with arguments, as a child process
		c := exec.Command(args[0], args[1:]...)
		c.Stdout, c.Stderr = os.Stdout, os.Stderr
		check(c.Run())
	case "use": // a way to use files, and a name
		use(args[0], args[1])
	case "ways": // ways to use files; each uses files of its name in a child process
		for _, how := range args {
			for _, name := range []string{"there-", "missing-", "folder-"} {
				check(exec.Command("/inside", "use", how, "/src/"+name+how).Run())
			}
		}
	case "tty":
		f, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
		check(err)
		fmt.Fprintf(f, "pid %d\n", os.Getpid())
		line := make([]byte, 100)
		n, err := os.Stdin.Read(line)
		check(err)
		fmt.Printf("got %q\n", line[:n])
		time.Sleep(time.Hour)
	default:
		fmt.Fprintln(os.Stderr, "unknown command", os.Args[1])
		os.Exit(2)
	}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(99)
	}
}

func list(dir string) {
	check(filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		fmt.Println(p)
		return err
	}))
}

type report struct {
	UID, GID, PID, PPID, Umask    int
	Groups                        []int
	Hostname, Zone, Dir, Kernel   string
	Env                           []string
	Root, Dev, Proc, Etc          []string
	Descriptors                   []string
	Interfaces                    []string
	Status                        map[string]string
	Connect, WriteRoot, WriteProc string
	ReadInit                      string
	Mountinfo                     string
	Writable                      map[string]string
	NoFile                        uint64
	Session                       int
	CPUs                          string
}

func look() {
	var r report
	r.UID, r.GID, r.PID, r.PPID = os.Getuid(), os.Getgid(), os.Getpid(), os.Getppid()
	r.Groups, _ = os.Getgroups()
	r.Umask = syscall.Umask(0)
	var u syscall.Utsname
	check(syscall.Uname(&u))
	for _, c := range u.Release {
		if c == 0 {
			break
		}
		r.Kernel += string(rune(c))
	}
	r.Hostname, _ = os.Hostname()
	r.Zone, _ = time.Now().Zone()
	r.Dir, _ = os.Getwd()
	r.Env = os.Environ()
	r.Root, r.Dev, r.Etc = names("/"), names("/dev"), names("/etc")
	r.Proc = names("/proc")
	for _, n := range names("/proc/self/fd") {
		target, _ := os.Readlink("/proc/self/fd/" + n)
		r.Descriptors = append(r.Descriptors, n+" "+target)
	}
	ifs, _ := net.Interfaces()
	for _, i := range ifs {
		r.Interfaces = append(r.Interfaces, i.Name+" "+i.Flags.String())
	}
	b, _ := os.ReadFile("/proc/self/status")
	r.Status = map[string]string{}
	for _, l := range strings.Split(string(b), "\n") {
		k, v, _ := strings.Cut(l, ":")
		r.Status[k] = strings.TrimSpace(v)
	}
	r.CPUs = r.Status["Cpus_allowed_list"]
	_, err := net.DialTimeout("tcp", "192.0.2.1:80", 2*time.Second)
	r.Connect = fmt.Sprint(err)
	r.WriteRoot = fmt.Sprint(os.WriteFile("/usr-file", nil, 0o644))
	r.WriteProc = fmt.Sprint(os.WriteFile("/proc/self/oom_score_adj", []byte("1"), 0o644))
	_, err = os.ReadDir("/proc/1/fd")
	_, err2 := os.Readlink("/proc/1/exe")
	r.ReadInit = fmt.Sprint(err, "; ", err2)
	b, _ = os.ReadFile("/proc/self/mountinfo")
	r.Mountinfo = string(b)
	r.Writable = map[string]string{}
	for _, d := range []string{"/src", "/cargo", "/cargo/registry/src/v", "/cargo/git/checkouts", "/target", "/out", "/tmp", "/home/espalier", "/dev/shm", "/dev", "/etc", "/"} {
		r.Writable[d] = fmt.Sprint(os.WriteFile(d+"/probe", nil, 0o644))
	}
	var l syscall.Rlimit
	syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l)
	r.NoFile = l.Cur
	sid, _, _ := syscall.RawSyscall(syscall.SYS_GETSID, 0, 0, 0)
	r.Session = int(sid)
	check(json.NewEncoder(os.Stdout).Encode(r))
}

func names(dir string) []string {
	es, _ := os.ReadDir(dir)
	var out []string
	for _, e := range es {
		out = append(out, e.Name())
	}
	sort.Strings(out)
	return out
}

// calls tries what the system call filter answers.
func calls() {
	try := func(name string, nr uintptr, a ...uintptr) {
		var x [6]uintptr
		copy(x[:], a)
		_, _, e := syscall.RawSyscall6(nr, x[0], x[1], x[2], x[3], x[4], x[5])
		fmt.Printf("%s %d\n", name, int(e))
	}
	for _, c := range numbers {
		try(c.name, c.nr, c.args...)
	}
}

// pair returns the address of two descriptors for socketpair. The program
// ends soon, so the memory may stay.
func pair() uintptr { return uintptr(unsafe.Pointer(new([2]int32))) }

type call struct {
	name string
	nr   uintptr
	args []uintptr
}

// use uses the file at a path in one way. Errors of the operation are ignored:
// the name has been used.
func use(how, name string) {
	switch how {
	case "open":
		os.ReadFile(name)
	case "openat2":
		p, err := syscall.BytePtrFromString(name)
		check(err)
		how := [3]uint64{} // O_RDONLY
		at := -100         // AT_FDCWD
		fd, _, e := syscall.Syscall6(437, uintptr(at), uintptr(unsafe.Pointer(p)), uintptr(unsafe.Pointer(&how)), 24, 0, 0)
		if e == 0 {
			syscall.Close(int(fd))
		}
	case "noatime":
		fd, err := syscall.Open(name, syscall.O_RDONLY|syscall.O_NOATIME, 0)
		if err == nil {
			syscall.Close(fd)
		}
	case "opath":
		fd, err := syscall.Open(name, 0x200000, 0)
		if err == nil {
			syscall.Close(fd)
		}
	case "stat":
		os.Stat(name)
	case "lstat":
		os.Lstat(name)
	case "access":
		syscall.Access(name, 4)
	case "readlink":
		os.Readlink(name)
	case "list":
		os.ReadDir(name)
	case "exec":
		exec.Command(name).Run()
	case "chdir":
		os.Chdir(name)
	case "rename":
		os.Rename(name, "/src/new-name")
	case "link":
		os.Link(name, "/src/second-name")
	case "symlink":
		os.Symlink(name, "/out/link")
		os.ReadFile("/out/link")
	case "xattr":
		syscall.Getxattr(name, "user.a", make([]byte, 8))
	case "relative":
		check(os.Chdir("/src"))
		os.ReadFile(strings.TrimPrefix(name, "/src/"))
	case "descriptor": // relative to the descriptor of a directory
		d, err := os.Open("/src/sub")
		check(err)
		fd, err := syscall.Openat(int(d.Fd()), "../"+strings.TrimPrefix(name, "/src/"), syscall.O_RDONLY, 0)
		if err == nil {
			syscall.Close(fd)
		}
	case "proc":
		check(os.Chdir("/src"))
		os.ReadFile("/proc/self/cwd/" + strings.TrimPrefix(name, "/src/"))
	case "interpreter": // of a script outside of the sources
		check(os.WriteFile("/out/script", []byte("#!"+name+" x\n"), 0o755))
		exec.Command("/out/script").Run()
	case "thread":
		done := make(chan bool)
		go func() { os.ReadFile(name); done <- true }()
		<-done
	case "grandchild":
		check(exec.Command("/inside", "use", "open", name).Run())
	case "orphan":
		check(exec.Command("/inside", "daemon", "1").Start())
		os.ReadFile(name)
	}
}
