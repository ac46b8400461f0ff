//go:build !linux

package sandbox

import (
	"context"
	"os"
	"runtime"

	"espalier.dev/espalier/internal/action"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/store"
)

// Init must be the first call of main and of TestMain: it turns a re-executed
// process into the runner and does not return then. Without Linux there is no
// runner.
func Init() {}

// Unsupported is why no step can run on this system; nil on Linux.
func Unsupported() error {
	return fault.New(fault.Sandbox, "running a build step: the sandbox needs Linux and this is "+runtime.GOOS,
		"run espalier on a Linux machine, in a Linux virtual machine, in its container or (Windows) inside WSL 2",
		"or let a cluster run the steps: [remote] execute in the user's configuration")
}

func (l Local) run(context.Context, *store.Store, action.Step, action.RunOptions) (action.Result, error) {
	return action.Result{}, Unsupported()
}

func (l Local) shell(context.Context, *store.Store, action.Step, *os.File, *os.File) (int, error) {
	return 0, Unsupported()
}

func probe(context.Context) Report {
	return Report{Checks: []Check{{Name: "Linux", Note: runtime.GOOS}}, Err: Unsupported()}
}

// Sweep does nothing: no sandbox runs on this system.
func Sweep(string) {}

// TempBase is the parent of temporary directories.
func TempBase() string { return os.TempDir() }

// TempDir makes a temporary directory, which the caller removes.
func TempDir() (dir string, remove func(), err error) {
	dir, err = os.MkdirTemp("", "espalier-")
	return dir, func() { os.RemoveAll(dir) }, err
}

// MemoryBase is "": there is no sandbox here.
func MemoryBase(int64) string { return "" }
