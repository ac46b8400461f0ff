package cli

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/internal/devtest/mini"
	"espalier.dev/espalier/internal/lock"
)

// TestPhases takes a store that is empty but for archives through every phase
// of a firmware's way. In each phase espalier is interrupted, and then meets a
// full disk; the next time the same command continues from there.
func TestPhases(t *testing.T) {
	if inOwnMounts(t) {
		return
	}
	dir, env := miniProject(t)
	p := newPhases(t, dir, env)

	// The index of packages: nothing of a lock remains.
	p.hold("/InRelease", 0)
	if err := os.Remove(filepath.Join(dir, lock.FileName)); err != nil {
		t.Fatal(err)
	}
	p.interrupt("reading the index", atProxy, "lock")
	if _, err := os.Stat(filepath.Join(dir, lock.FileName)); err == nil {
		t.Error("half a lock was written")
	}
	if err := os.WriteFile(filepath.Join(dir, lock.FileName), lockedMini.lock, 0o666); err != nil {
		t.Fatal(err)
	}

	// Downloading: what has come is asked for no second time.
	p.full("downloading", 1<<20, "fetch", 2, `espalier: .*writing a (download|blob) to the store .*: no space left on device$`, `^hint: espalier gc`)
	// More than fits between the two: so much has certainly come.
	p.hold(p.largest, 24<<20)
	p.interrupt("downloading", atProxy, "fetch")
	if n := p.partial(); n < 1<<20 {
		t.Errorf("of a download %d bytes are kept", n)
	}

	// Unpacking.
	p.full("unpacking", 300<<20, "fetch", 2, `espalier: .*writing .* to the store .*: no space left on device$`, `^hint: ESPALIER_STORE=`)
	if !slices.Contains(p.resumed(), p.largest) {
		t.Errorf("%s was downloaded from its beginning; resumed: %q", p.largest, p.resumed())
	}
	p.interrupt("unpacking", event(`"phase":"unpacking the toolchain","state":"running"`), "fetch")

	// Crates, by the pinned cargo.
	p.full("fetching crates", 64<<10, "fetch", 2, `espalier: .* the store .*: no space left on device$`, `^hint: espalier gc`)
	p.hold("CONNECT", 0)
	p.interrupt("fetching crates", atProxy, "fetch")
	p.must("fetch")

	// Compiling.
	p.interrupt("compiling the dependencies", event(`"phase":"compiling dependencies","state":"running"`), "build")
	p.full("compiling the dependencies", 8<<20, "build", 2, `espalier: .*no space left on device`, `^hint: espalier gc`)
	p.must("build")
	// A macro that does not come to an end; what it prints comes through.
	const brisk, idle = `"42"`, `{ println!("asleep"); loop { std::thread::sleep(std::time::Duration::from_secs(1)) } "42" }`
	mini.Edit(t, dir, "macros/src/lib.rs", brisk, idle)
	p.interrupt("compiling the application", event("asleep"), "build")
	mini.Edit(t, dir, "macros/src/lib.rs", idle, `"43"`)
	p.full("compiling the application", 256<<10, "build", 2, `espalier: .*no space left on device`, `^hint: espalier gc`)
	p.must("build")

	// The board.
	p.interrupt("running", event("mini: generated"), "run")
	p.must("run", "--expect", "mini: generated, 43", "--timeout", "60s")
	p.interrupt("verifying", event(`"phase":"compiling app","state":"running"`), "verify")
	p.intact()
}

// Archives and mirrors that do not give what they should. Always exit 6, and
// what to do.
func TestBadSupply(t *testing.T) {
	if inOwnMounts(t) {
		return
	}
	dir, env := miniProject(t)
	p := newPhases(t, dir, env)
	lose := func(w http.ResponseWriter, r *http.Request) bool {
		if path.Base(r.URL.Path) != p.largest {
			return false
		}
		http.NotFound(w, r)
		return true
	}
	for _, c := range []struct {
		name  string
		args  []string
		spoil func(http.ResponseWriter, *http.Request) bool
		want  []string
	}{
		{"lost", []string{"fetch"}, lose, []string{
			`^espalier: fetching [^ ]+ [^ ]+, 2 locations tried: http[^ ]+/pool/[^ ]+\.deb: 404 Not Found; http[^ ]+/pool/[^ ]+\.deb: 404 Not Found$`,
			`^hint: no location has pool/[^ ]+\.deb any longer: add one that keeps old versions to prefixes in \[supply\] of espalier\.toml`,
		}},
		{"cut off", []string{"fetch"}, func(w http.ResponseWriter, r *http.Request) bool {
			if path.Base(r.URL.Path) != p.largest {
				return false
			}
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(make([]byte, 1000)))
			return true
		}, []string{`^espalier: fetching .*: has 1000 bytes, want \d+`, `^hint: `}},
		{"forged", []string{"lock", "--toolchain"}, func(w http.ResponseWriter, r *http.Request) bool {
			if path.Base(r.URL.Path) != "InRelease" {
				return false
			}
			answer, err := http.Get(r.URL.String())
			if err != nil {
				t.Error(err)
				return true
			}
			defer answer.Body.Close()
			b, err := io.ReadAll(answer.Body)
			if err != nil {
				t.Error(err)
			}
			_, _ = w.Write(bytes.Replace(b, []byte("\nOrigin: "), []byte("\nOrigin: Not "), 1))
			return true
		}, []string{`^espalier: package index .*: .*changed after signing`, `^hint: `}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p.spoil = c.spoil
			cmd := espalier(t, p.env, append([]string{"-C", dir}, c.args...)...)
			out, _ := cmd.CombinedOutput()
			if cmd.ProcessState.ExitCode() != 6 {
				t.Errorf("exit %d", cmd.ProcessState.ExitCode())
			}
			for _, w := range c.want {
				if !regexp.MustCompile("(?m)" + w).Match(out) {
					t.Errorf("want %s in\n%s", w, out)
				}
			}
			p.clean(t, 0)
		})
	}
	p.spoil = nil
}

// phases is a project whose store is p.store. Package files come from the warm
// store, through a proxy that can stop in the middle of one.
type phases struct {
	t        *testing.T
	dir, tmp string
	store    string
	env      []string
	mounted  bool
	largest  string // package file

	held chan struct{} // receives when a request is held
	over chan struct{} // closed when all is over

	mu     sync.Mutex
	at     string // what of a request's line is held
	after  int64  // bytes of the answer before that
	ranges []string
	spoil  func(http.ResponseWriter, *http.Request) bool // answers instead; may be nil
}

// ownMounts is set where mounts are this process's own.
const ownMounts = "ESPALIER_TEST_OWN_MOUNTS"

// inOwnMounts runs the test once more in a process whose mounts vanish with it,
// however it ends, and reports whether that was done. Only root can.
func inOwnMounts(t *testing.T) bool {
	t.Helper()
	if os.Getenv(ownMounts) != "" {
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			t.Fatal(err)
		}
		return false
	}
	if os.Geteuid() != 0 || testing.Short() {
		return false
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), ownMounts+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS}
	out, err := cmd.CombinedOutput()
	switch {
	case errors.Is(err, unix.EPERM) && !devtest.CI():
		return false // a root that may not mount
	case err != nil:
		t.Errorf("%v\n%s", err, out)
	default:
		t.Logf("%s", out)
	}
	return true
}

func newPhases(t *testing.T, dir string, env []string) *phases {
	t.Helper()
	p := &phases{t: t, dir: dir, store: filepath.Join(t.TempDir(), "store"), held: make(chan struct{}, 100), over: make(chan struct{})}
	if err := os.Mkdir(p.store, 0o777); err != nil {
		t.Fatal(err)
	}
	switch {
	case os.Getenv(ownMounts) != "":
		if err := unix.Mount("tmpfs", p.store, "tmpfs", 0, "size=8G,mode=755"); err != nil {
			if devtest.CI() {
				t.Fatalf("mounting a small disk: %v", err)
			}
			t.Logf("without full disks: mounting one: %v", err)
			break
		}
		p.mounted = true
		t.Cleanup(func() { _ = unix.Unmount(p.store, unix.MNT_DETACH) })
	case devtest.CI() && os.Geteuid() != 0:
		t.Fatal("required in CI and missing: root, for a small disk")
	case os.Geteuid() != 0:
		t.Log("without full disks: only root can mount a small one")
	}
	// Orphans come to this process, so that it sees them.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0) })

	warm := devtest.Store(t)
	pins, err := lock.Decode(lock.FileName, lockedMini.lock)
	if err != nil {
		t.Fatal(err)
	}
	packages, size := map[string]string{}, int64(0) // file name to blob
	for _, tc := range pins.Toolchains {
		for _, pkg := range tc.Packages {
			packages[path.Base(pkg.Path)] = filepath.Join(warm, "blobs", "sha256", pkg.Digest.Hash)
			if pkg.Digest.Size > size {
				p.largest, size = path.Base(pkg.Path), pkg.Digest.Size
			}
		}
	}
	for _, c := range pins.Crates {
		if c.Name != "cfg-if" {
			p.copyBlob(warm, c.Digest.Hash)
		}
	}
	for _, b := range pins.Blobs {
		p.copyBlob(warm, b.Digest.Hash)
	}

	proxy := httptest.NewServer(p.proxy(packages))
	t.Cleanup(proxy.Close)
	t.Cleanup(proxy.CloseClientConnections)
	t.Cleanup(func() { close(p.over) })
	for _, v := range env {
		switch name, value, _ := strings.Cut(v, "="); name {
		case "TMPDIR":
			p.tmp = value
		case "ESPALIER_STORE":
			continue
		}
		p.env = append(p.env, v)
	}
	p.env = append(p.env, "ESPALIER_STORE="+p.store, "http_proxy="+proxy.URL, "https_proxy="+proxy.URL, "no_proxy=127.0.0.1")
	for _, v := range []string{"SSL_CERT_FILE", "SSL_CERT_DIR"} {
		if s, ok := os.LookupEnv(v); ok {
			p.env = append(p.env, v+"="+s)
		}
	}
	return p
}

// copyBlob gives the store a blob of the warm one.
func (p *phases) copyBlob(warm, hash string) {
	p.t.Helper()
	b, err := os.ReadFile(filepath.Join(warm, "blobs", "sha256", hash))
	if err != nil {
		p.t.Fatal(err)
	}
	to := filepath.Join(p.store, "blobs", "sha256")
	if err := os.MkdirAll(to, 0o777); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(to, hash), b, 0o444); err != nil {
		p.t.Fatal(err)
	}
}

// hold makes the proxy stop at the next request whose line has text in it,
// after so many bytes of the answer. It returns text.
func (p *phases) hold(text string, after int64) string {
	for len(p.held) > 0 {
		<-p.held // of an earlier phase
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.at, p.after = text, after
	return text
}

// stops reports whether a request is held, and after how many bytes.
func (p *phases) stops(r *http.Request) (after int64, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if from := r.Header.Get("Range"); from != "" {
		p.ranges = append(p.ranges, path.Base(r.URL.Path))
	}
	return p.after, p.at != "" && strings.Contains(r.Method+" "+r.URL.Path, p.at)
}

func (p *phases) resumed() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.ranges)
}

// proxy answers for package files itself and passes everything else on.
func (p *phases) proxy(packages map[string]string) http.Handler {
	wait := func(w http.ResponseWriter, r *http.Request) {
		if f, ok := w.(http.Flusher); ok {
			f.Flush()
		}
		p.held <- struct{}{}
		// A client that hears "200" of its CONNECT begins to talk, and a server
		// that has something to read does not see the connection end.
		select {
		case <-r.Context().Done():
		case <-p.over:
		}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		after, stop := p.stops(r)
		if p.spoil != nil && p.spoil(w, r) {
			return
		}
		blob, isPackage := packages[path.Base(r.URL.Path)]
		switch {
		case isPackage && stop:
			f, err := os.Open(blob)
			if err != nil {
				panic(err)
			}
			defer f.Close()
			info, err := f.Stat()
			if err != nil {
				panic(err)
			}
			w.Header().Set("Content-Length", fmt.Sprint(info.Size()))
			_, _ = io.CopyN(w, f, after)
			wait(w, r)
		case isPackage:
			http.ServeFile(w, r, blob)
		case stop:
			wait(w, r)
		case r.Method == http.MethodConnect:
			tunnel(w, r.Host)
		default:
			out := r.Clone(r.Context())
			out.RequestURI = ""
			answer, err := http.DefaultTransport.RoundTrip(out)
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadGateway)
				return
			}
			defer answer.Body.Close()
			for k, v := range answer.Header {
				w.Header()[k] = v
			}
			w.WriteHeader(answer.StatusCode)
			_, _ = io.Copy(w, answer.Body)
		}
	})
}

// tunnel connects the client with a host.
func tunnel(w http.ResponseWriter, host string) {
	there, err := net.Dial("tcp", host)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer there.Close()
	w.WriteHeader(http.StatusOK)
	here, buffered, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer here.Close()
	go func() { _, _ = io.Copy(there, buffered); there.Close() }()
	_, _ = io.Copy(here, there)
}

// event is a text in a line of standard output.
type event string

// atProxy is the event that the proxy holds a request.
const atProxy event = ""

// interrupt starts a verb, interrupts it when something has happened, and
// wants exit 130, one line, and nothing left of it.
func (p *phases) interrupt(phase string, when event, args ...string) {
	p.t.Helper()
	p.t.Run(phase+" interrupted", func(t *testing.T) {
		defer p.hold("", 0)
		cmd := espalier(t, p.env, append([]string{"-C", p.dir, "--json"}, args...)...)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		pid := cmd.Process.Pid
		seen, happened, done := &bytes.Buffer{}, make(chan struct{}, 1), make(chan struct{})
		go func() {
			defer close(done)
			for lines := bufio.NewScanner(stdout); lines.Scan(); {
				fmt.Fprintln(seen, lines.Text())
				if when != atProxy && strings.Contains(lines.Text(), string(when)) {
					select {
					case happened <- struct{}{}:
					default:
					}
				}
			}
		}()
		select {
		case <-happened:
		case <-p.held:
		case <-done:
		}
		_ = cmd.Process.Signal(os.Interrupt)
		<-done
		_ = cmd.Wait()
		if code := cmd.ProcessState.ExitCode(); code != 130 || stderr.String() != "espalier: interrupted\n" {
			t.Errorf("exit %d, stderr:\n%s\nstdout:\n%s", code, stderr.String(), seen)
		}
		p.clean(t, pid)
	})
}

// full runs a verb on a disk with so much space and wants it to fail as
// described. Then the disk is large again.
func (p *phases) full(phase string, space int64, verb string, code int, want ...string) {
	p.t.Helper()
	p.t.Run(phase+" on a full disk", func(t *testing.T) {
		if !p.mounted {
			t.Skip("needs root, to mount a small disk")
		}
		p.resize(t, p.used(t)+space)
		defer p.resize(t, 8<<30)
		cmd := espalier(t, p.env, "-C", p.dir, verb)
		out, _ := cmd.CombinedOutput()
		if got := cmd.ProcessState.ExitCode(); got != code {
			t.Errorf("exit %d, want %d", got, code)
		}
		for _, w := range want {
			if !regexp.MustCompile("(?m)" + w).Match(out) {
				t.Errorf("want %s in\n%s", w, out)
			}
		}
		p.clean(t, 0)
		p.resize(t, 8<<30)
	})
}

func (p *phases) must(args ...string) {
	p.t.Helper()
	if out, err := espalier(p.t, p.env, append([]string{"-C", p.dir}, args...)...).CombinedOutput(); err != nil {
		p.t.Fatalf("%q: %v\n%s", args, err, out)
	}
	p.clean(p.t, 0)
}

func (p *phases) used(t *testing.T) int64 {
	t.Helper()
	var st unix.Statfs_t
	if err := unix.Statfs(p.store, &st); err != nil {
		t.Fatal(err)
	}
	return int64(st.Blocks-st.Bfree) * st.Bsize
}

func (p *phases) resize(t *testing.T, size int64) {
	t.Helper()
	if err := unix.Mount("tmpfs", p.store, "tmpfs", unix.MS_REMOUNT, "size="+strconv.FormatInt(size, 10)); err != nil {
		t.Fatalf("making the disk %d bytes large: %v", size, err)
	}
}

// clean wants nothing to be left of a process that ended: no file without a
// name in the store, no mount, no process.
func (p *phases) clean(t *testing.T, pid int) {
	t.Helper()
	for _, dir := range []string{filepath.Join(p.store, "tmp"), filepath.Join(p.store, "sandbox"), filepath.Join(p.store, "quarantine"), p.tmp} {
		left, err := os.ReadDir(dir)
		if err != nil && !os.IsNotExist(err) || len(left) > 0 {
			t.Errorf("left in %s: %v, %v", dir, left, err)
		}
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range strings.Split(string(mounts), "\n") {
		if strings.Contains(m, p.store+"/") {
			t.Errorf("left mounted: %s", m)
		}
	}
	if pid != 0 {
		if left := orphans(t, pid); len(left) > 0 {
			t.Errorf("still running: %q", left)
		}
	}
}

// orphans lists the processes that came to this one from others.
func orphans(t *testing.T, not int) []string {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, name := range stats {
		b, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		// "12 (name) S 1 …"
		head, rest, _ := strings.Cut(string(b), ") ")
		fields := strings.Fields(rest)
		if len(fields) < 2 || fields[1] != strconv.Itoa(os.Getpid()) || strings.HasPrefix(head, strconv.Itoa(not)+" ") {
			continue
		}
		if fields[0] == "Z" {
			id, _ := strconv.Atoi(path.Base(path.Dir(name)))
			_, _ = syscall.Wait4(id, nil, syscall.WNOHANG, nil)
			continue
		}
		out = append(out, head+")")
	}
	return out
}

// partial is how many bytes of unfinished downloads are kept.
func (p *phases) partial() int64 {
	var n int64
	list, _ := os.ReadDir(filepath.Join(p.store, "partial"))
	for _, e := range list {
		if info, err := e.Info(); err == nil {
			n = max(n, info.Size())
		}
	}
	return n
}

// intact wants every blob of the store to be what its name says, and every
// download to be finished.
func (p *phases) intact() {
	p.t.Helper()
	if n := p.partial(); n > 0 {
		p.t.Errorf("%d bytes of unfinished downloads are left", n)
	}
	root := filepath.Join(p.store, "blobs", "sha256")
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		h := sha256.New()
		if _, err := io.Copy(h, f); err != nil {
			return err
		}
		if got := hex.EncodeToString(h.Sum(nil)); got != d.Name() {
			p.t.Errorf("blob %s has the hash %s", d.Name(), got)
		}
		return nil
	})
	if err != nil {
		p.t.Error(err)
	}
}
