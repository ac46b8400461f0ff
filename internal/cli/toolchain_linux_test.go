package cli

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/internal/devtest/mini"
)

// lockedMini is a locked project that all scripts of testdata/toolchain copy, so that
// they share one toolchain and one dependency layer.
var lockedMini struct {
	once sync.Once
	lock []byte
	err  string
}

var epochLine = regexp.MustCompile(`(?m)^source-date-epoch = \d+$`)

// TestToolchain runs the scripts that need a toolchain: the whole way of a small
// project from names to a booted board, and everything that can be wrong on it.
func TestToolchain(t *testing.T) { runToolchainScripts(t, "testdata/toolchain") }

// TestProjects runs the scripts of testdata/projects: each has a project with
// what public projects have, and what espalier does with it as it is.
func TestProjects(t *testing.T) { runToolchainScripts(t, "../../testdata/projects") }

func runToolchainScripts(t *testing.T, dir string) {
	devtest.Long(t, "a toolchain, and compiling core once")
	store := devtest.Store(t)
	cmds := scriptCommands()
	addWaitFor(cmds)
	// absent PATH TEXT and present PATH TEXT look into every file below a path.
	cmds["absent"] = func(ts *testscript.TestScript, _ bool, args []string) { look(ts, args, false) }
	cmds["present"] = func(ts *testscript.TestScript, _ bool, args []string) { look(ts, args, true) }
	testscript.Run(t, testscript.Params{
		Dir:                 dir,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       *update,
		Setup: func(e *testscript.Env) error {
			home := filepath.Join(e.WorkDir, "home")
			e.Setenv("HOME", home)
			e.Setenv("XDG_CONFIG_HOME", filepath.Join(home, "config"))
			e.Setenv("XDG_CACHE_HOME", filepath.Join(home, "cache"))
			e.Setenv("ESPALIER_STORE", store)
			e.Setenv("STORE", store)
			// A number for edits that no earlier run of the tests has made.
			e.Setenv("UNIQUE", fmt.Sprint(time.Now().UnixNano()%1e9))
			dir := filepath.Join(e.WorkDir, "mini")
			mini.Write(t, dir)
			lockedMini.once.Do(func() { lockMini(t, store) })
			if lockedMini.err != "" {
				t.Fatal(lockedMini.err)
			}
			if err := writeSpecimens(filepath.Join(e.WorkDir, "in")); err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(dir, "espalier.lock"), lockedMini.lock, 0o666)
		},
		Cmds: cmds,
	})
}

// fixDate gives a lock the date of all tests: another one is another layer,
// which takes minutes to compile and a gigabyte to keep.
func fixDate(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	b = epochLine.ReplaceAll(b, []byte("source-date-epoch = 1700000000"))
	if err := os.WriteFile(name, b, 0o666); err != nil {
		t.Fatal(err)
	}
	return b
}

// look searches the files below a path that changed within the last minutes.
func look(ts *testscript.TestScript, args []string, want bool) {
	if len(args) != 2 {
		ts.Fatalf("usage: absent|present path text")
	}
	found := ""
	root := ts.MkAbs(args[0])
	ts.Check(filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil
		}
		info, err := d.Info()
		if err != nil || time.Since(changed(info)) > 10*time.Minute || info.Size() > 64<<20 {
			return nil
		}
		if b, err := os.ReadFile(name); err == nil && bytes.Contains(b, []byte(args[1])) {
			found = name
			return filepath.SkipAll
		}
		return nil
	}))
	if (found != "") != want {
		ts.Fatalf("%q in %s: found in %q", args[1], args[0], found)
	}
}

// lockMini makes the shared lock.
func lockMini(t *testing.T, store string) {
	dir := t.TempDir()
	mini.Write(t, dir)
	cmd := espalier(t, append(os.Environ(), "ESPALIER_STORE="+store), "lock", "-C", dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		lockedMini.err = "espalier lock: " + err.Error() + "\n" + string(out)
		return
	}
	lockedMini.lock = fixDate(t, filepath.Join(dir, "espalier.lock"))
}

// changed is when a file's content or name last changed; the store sets the
// modification times of trees.
func changed(info fs.FileInfo) time.Time {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return time.Unix(st.Ctim.Unix())
	}
	return info.ModTime()
}

// espalier is the program, run as a user would, with this environment and
// nothing else.
func espalier(t *testing.T, env []string, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "espalier")
	if err := os.Symlink(exe, link); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute) // rather a failure than a test that never ends
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, link, args...)
	cmd.WaitDelay = time.Second
	cmd.Env = env
	return cmd
}

// miniProject makes the small workspace with the lock that all tests share, and
// an environment that has nothing but a home and a store.
func miniProject(t *testing.T) (dir string, env []string) {
	t.Helper()
	devtest.Long(t, "a toolchain, and compiling core once")
	store := devtest.Store(t)
	lockedMini.once.Do(func() { lockMini(t, store) })
	if lockedMini.err != "" {
		t.Fatal(lockedMini.err)
	}
	dir = filepath.Join(t.TempDir(), "mini")
	mini.Write(t, dir)
	if err := os.WriteFile(filepath.Join(dir, "espalier.lock"), lockedMini.lock, 0o666); err != nil {
		t.Fatal(err)
	}
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.Mkdir(empty, 0o777); err != nil {
		t.Fatal(err)
	}
	return dir, []string{"HOME=" + t.TempDir(), "PATH=" + empty, "ESPALIER_STORE=" + store, "TMPDIR=" + t.TempDir()}
}

// espalier needs no program of the host: no cargo, compiler, git, tar or apt.
func TestNothingOfTheHost(t *testing.T) {
	dir, env := miniProject(t)
	for _, v := range []string{"http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "CARGO_HTTP_CAINFO"} {
		if s, ok := os.LookupEnv(v); ok {
			env = append(env, v+"="+s) // proxy settings of this machine
		}
	}
	if err := os.Remove(filepath.Join(dir, "espalier.lock")); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"lock"}, {"fetch"}, {"build"}, {"why"},
		{"run", "--expect", mini.Expect, "--timeout", "60s"},
		{"shell", "--", "/usr/bin/rustc", "--version"},
	} {
		if out, err := espalier(t, env, append([]string{"-C", dir}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("espalier %s: %v\n%s", args[0], err, out)
		}
	}
}

func TestTwoBuildsAtOnce(t *testing.T) {
	dir, env := miniProject(t)
	mini.Edit(t, dir, "macros/src/lib.rs", "42", fmt.Sprint(time.Now().UnixNano()%1e9))
	var wait sync.WaitGroup
	elf := make([][]byte, 3)
	for i := range elf {
		wait.Go(func() {
			out := filepath.Join(dir, "target", fmt.Sprint(i))
			if text, err := espalier(t, env, "-C", dir, "build", "--out", out).CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, text)
			}
			elf[i], _ = os.ReadFile(filepath.Join(out, "app.elf"))
		})
	}
	wait.Wait()
	for _, e := range elf[1:] {
		if len(e) == 0 || !bytes.Equal(e, elf[0]) {
			t.Error("the builds differ")
		}
	}
}

// Every template that needs nothing but the chip is built and booted.
func TestObstacle36TemplatesBoot(t *testing.T) {
	_, env := miniProject(t)
	says := map[string]string{"hello": "Hello from an ESP32-C3!"}
	list, err := os.ReadDir(filepath.Join("..", "..", "templates"))
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range list {
		if !d.IsDir() {
			continue
		}
		t.Run(d.Name(), func(t *testing.T) {
			expect := says[d.Name()]
			if expect == "" {
				t.Skip("needs an access point on the air: its room's tests boot it")
			}
			dir := filepath.Join(t.TempDir(), d.Name())
			for _, args := range [][]string{
				{"new", dir, "--template", d.Name()},
				{"-C", dir, "lock"},
				{"-C", dir, "run", "--expect", expect, "--timeout", "5m"},
			} {
				if out, err := espalier(t, append(env, os.Environ()...), args...).CombinedOutput(); err != nil {
					t.Fatalf("espalier %q: %v\n%s", args, err, out)
				}
				if args[len(args)-1] == "lock" {
					fixDate(t, filepath.Join(dir, "espalier.lock"))
				}
			}
		})
	}
}
