package cli

import (
	"bytes"
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

// spine is a locked project that all scripts of testdata/spine copy, so that
// they share one toolchain and one dependency layer.
var spine struct {
	once sync.Once
	lock []byte
	err  string
}

var epochLine = regexp.MustCompile(`(?m)^source-date-epoch = \d+$`)

// TestSpine runs the scripts that need a toolchain: the whole way of a small
// project from names to a booted board, and everything that can be wrong on it.
func TestSpine(t *testing.T) {
	devtest.Long(t, "a toolchain, and compiling core once")
	store := devtest.Store(t)
	cmds := scriptCommands()
	// absent PATH TEXT and present PATH TEXT look into every file below a path.
	cmds["absent"] = func(ts *testscript.TestScript, _ bool, args []string) { look(ts, args, false) }
	cmds["present"] = func(ts *testscript.TestScript, _ bool, args []string) { look(ts, args, true) }
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/spine",
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
			spine.once.Do(func() { lockSpine(t, store) })
			if spine.err != "" {
				t.Fatal(spine.err)
			}
			if err := writeSpecimens(filepath.Join(e.WorkDir, "in")); err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(dir, "espalier.lock"), spine.lock, 0o666)
		},
		Cmds: cmds,
	})
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

// lockSpine makes the shared lock. Its date is fixed, so that the layer is
// found again the next time.
func lockSpine(t *testing.T, store string) {
	dir := t.TempDir()
	mini.Write(t, dir)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, "lock", "-C", dir)
	cmd.Args[0] = "espalier"
	cmd.Env = append(os.Environ(), "ESPALIER_STORE="+store)
	// The test program is the espalier command when it is called by that name.
	link := filepath.Join(t.TempDir(), "espalier")
	if err := os.Symlink(exe, link); err != nil {
		t.Fatal(err)
	}
	cmd.Path = link
	if out, err := cmd.CombinedOutput(); err != nil {
		spine.err = "espalier lock: " + err.Error() + "\n" + string(out)
		return
	}
	b, err := os.ReadFile(filepath.Join(dir, "espalier.lock"))
	if err != nil {
		t.Fatal(err)
	}
	spine.lock = epochLine.ReplaceAll(b, []byte("source-date-epoch = 1700000000"))
}

// changed is when a file's content or name last changed; the store sets the
// modification times of trees.
func changed(info fs.FileInfo) time.Time {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return time.Unix(st.Ctim.Unix())
	}
	return info.ModTime()
}
