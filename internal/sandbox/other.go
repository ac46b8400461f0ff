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

func unsupported() error {
	return fault.New(fault.Sandbox, "running a build step: the sandbox needs Linux and this is "+runtime.GOOS,
		"run espalier on a Linux machine, in a Linux virtual machine or (Windows) inside WSL 2")
}

func (l Local) run(context.Context, *store.Store, action.Step, action.RunOptions) (action.Result, error) {
	return action.Result{}, unsupported()
}

func (l Local) shell(context.Context, *store.Store, action.Step, *os.File, *os.File) (int, error) {
	return 0, unsupported()
}

func probe(context.Context) Report {
	return Report{Checks: []Check{{Name: "Linux", Note: runtime.GOOS}}, Err: unsupported()}
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
