package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/internal/devtest/cacheserver"
)

// Cluster is a running cluster.
type Cluster struct {
	Execution string // host:port of the scheduler
	Storage   string // host:port of the storage

	t        testing.TB
	dir      string
	database string
	casd     string
	sched    *process

	mu     sync.Mutex
	worker *process
}

// Start runs a cluster until the test ends.
func Start(t testing.TB) *Cluster {
	t.Helper()
	c := &Cluster{t: t, dir: t.TempDir(), Execution: freeAddress(t), casd: freeAddress(t)}
	if err := errors.Join(os.Chmod(c.dir, 0o755), os.Mkdir(c.path("tmp"), 0o777), os.Chmod(c.path("tmp"), 0o777)); err != nil {
		t.Fatal(err)
	}
	c.Storage = cacheserver.Start(t, c.dir, "--storage_mode", "uncompressed").GRPC
	c.startDatabase()
	c.StartScheduler()
	c.run("casd", devtest.Tool(t, "buildbox-casd"), "--cas-remote=http://"+c.Storage, "--bind="+c.casd, "--log-level=warning", c.path("casd"))
	await(t, c.casd)
	c.StartWorker()
	return c
}

func (c *Cluster) path(name string) string { return filepath.Join(c.dir, name) }

// Logs is what the programs have written, for a test that failed.
func (c *Cluster) Logs() string {
	var b strings.Builder
	for _, name := range []string{"scheduler", "casd", "worker"} {
		text, _ := os.ReadFile(c.path(name + ".log"))
		if len(text) > 4000 {
			text = text[len(text)-4000:]
		}
		fmt.Fprintf(&b, "--- %s\n%s\n", name, text)
	}
	return b.String()
}

// startDatabase makes a database and runs its server, which does not run as root.
func (c *Cluster) startDatabase() {
	c.t.Helper()
	initdb := postgres(c.t, "initdb")
	socket := c.path("db")
	if err := os.Mkdir(socket, 0o755); err != nil {
		c.t.Fatal(err)
	}
	attr := &syscall.SysProcAttr{}
	if os.Geteuid() == 0 {
		u, err := user.Lookup("postgres")
		if err != nil {
			devtest.Missing(c.t, "the user postgres, which Debian's package postgresql makes")
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		if err := os.Chown(socket, uid, gid); err != nil {
			c.t.Fatal(err)
		}
		// The parents of t.TempDir() are for root only.
		for dir := c.dir; dir != "/"; dir = filepath.Dir(dir) {
			if info, err := os.Stat(dir); err == nil && info.Mode().Perm()&0o001 == 0 {
				if err := os.Chmod(dir, info.Mode().Perm()|0o055); err != nil {
					c.t.Fatal(err)
				}
			}
		}
		attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	data := filepath.Join(socket, "data")
	cmd := exec.Command(initdb, "-D", data, "-A", "trust", "-N", "-U", "grid", "--no-locale", "-E", "UTF8")
	cmd.SysProcAttr, cmd.Dir = attr, "/"
	if out, err := cmd.CombinedOutput(); err != nil {
		c.t.Fatalf("initdb: %v\n%s", err, out)
	}
	p := c.start("database", attr, postgres(c.t, "postgres"), "-D", data, "-F", "-k", socket, "-c", "listen_addresses=")
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(socket, ".s.PGSQL.5432")); err == nil {
			break
		}
		if p.ended() || time.Now().After(end) {
			text, _ := os.ReadFile(c.path("database.log"))
			c.t.Fatalf("postgres does not start:\n%s", text)
		}
	}
	c.database = "postgresql+psycopg2://grid@/postgres?host=" + socket
	cmd = exec.Command(devtest.Tool(c.t, "bgd"), "migrate", "apply", c.database)
	if out, err := cmd.CombinedOutput(); err != nil {
		c.t.Fatalf("bgd migrate: %v\n%s", err, out)
	}
}

// postgres finds a program of PostgreSQL, which Debian keeps out of PATH.
func postgres(t testing.TB, name string) string {
	t.Helper()
	devtest.Tool(t, "pg_ctlcluster")
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if len(found) == 0 {
		devtest.Missing(t, name+" of PostgreSQL")
	}
	return found[len(found)-1]
}

const schedulerConfig = `server:
  - !channel
    address: "%[1]s"
    insecure-mode: true
connections:
  - !sql-connection &sql
    connection-string: "%[2]s"
storages:
  - !remote-storage &cas
    url: http://%[3]s
    instance-name: ""
caches:
  - !lru-action-cache &ac
    storage: *cas
    max-cached-refs: 256
    allow-updates: true
    cache-failed-actions: false
schedulers:
  - !sql-scheduler &sched
    sql: *sql
    storage: *cas
    action-cache: *ac
    bot-session-keepalive-timeout: 10
    property-set: !dynamic-property-set
      match-property-keys: [OSFamily, ISA]
    assigners:
      - !priority-age-assigner
        count: 1
        interval: 0.05
        jitter-factor: 0.1
instances:
  - name: ''
    services:
      - !action-cache
        cache: *ac
      - !execution
        scheduler: *sched
      - !cas
        storage: *cas
      - !bytestream
        storage: *cas
thread-pool-size: 50
`

// StartScheduler runs the scheduler, at the same address as before.
func (c *Cluster) StartScheduler() {
	c.t.Helper()
	file := c.path("scheduler.yml")
	if err := os.WriteFile(file, fmt.Appendf(nil, schedulerConfig, c.Execution, c.database, c.Storage), 0o600); err != nil {
		c.t.Fatal(err)
	}
	c.sched = c.run("scheduler", devtest.Tool(c.t, "bgd"), "server", "start", "-v", file)
	await(c.t, c.Execution)
}

// KillScheduler ends the scheduler with SIGKILL.
func (c *Cluster) KillScheduler() { c.sched.kill() }

// StartWorker runs a worker, on which a step has the files and the network of
// this machine. One that ends by itself, as it does when it has not reached the
// scheduler for some seconds, is started again.
func (c *Cluster) StartWorker() {
	c.t.Helper()
	w := c.startWorker()
	c.mu.Lock()
	c.worker = w
	c.mu.Unlock()
	go func() {
		<-w.done
		c.mu.Lock()
		again := c.worker == w && c.t.Context().Err() == nil
		c.mu.Unlock()
		if again {
			c.StartWorker()
		}
	}()
}

func (c *Cluster) startWorker() *process {
	c.t.Helper()
	return c.run("worker", devtest.Tool(c.t, "buildbox-worker"), "--bots-remote=http://"+c.Execution, "--cas-remote=http://"+c.casd,
		"--buildbox-run="+devtest.Tool(c.t, "buildbox-run-hosttools"), "--platform", "OSFamily=linux", "--platform", "ISA=x86-64",
		"--max-wait-time=5", "--log-level=info", "worker-1")
}

// KillWorker ends the worker and what it runs with SIGKILL.
func (c *Cluster) KillWorker() {
	c.mu.Lock()
	w := c.worker
	c.worker = nil
	c.mu.Unlock()
	w.kill()
}

type process struct {
	cmd  *exec.Cmd
	done chan struct{}
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// kill ends the process group.
func (p *process) kill() {
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.done
}

func (c *Cluster) run(name, program string, args ...string) *process {
	c.t.Helper()
	return c.start(name, &syscall.SysProcAttr{}, program, args...)
}

func (c *Cluster) start(name string, attr *syscall.SysProcAttr, program string, args ...string) *process {
	c.t.Helper()
	log, err := os.OpenFile(c.path(name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		c.t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.CommandContext(context.Background(), program, args...)
	attr.Setpgid = true
	cmd.SysProcAttr, cmd.Stdout, cmd.Stderr, cmd.Dir = attr, log, log, "/"
	cmd.Env = append(os.Environ(), "TMPDIR="+c.path("tmp")) // what a killed process leaves there ends with the test
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	p := &process{cmd, make(chan struct{})}
	go func() { _ = cmd.Wait(); close(p.done) }()
	c.t.Cleanup(p.kill)
	return p
}

func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func await(t testing.TB, addr string) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			return
		}
	}
	t.Fatalf("nothing listens at %s", addr)
}
