// Package hostcargo brings single crates with the cargo that the user has
// installed: from its cache, else by a download. Fetching for a project runs the
// pinned cargo in a sandbox instead (package crates); this package is for where
// there is no project, or no sandbox: the emulated board needs Espressif's files,
// which a crate carries, also on macOS and Windows.
//
// Where crates come from is the configuration of that cargo. What came is
// compared with the pinned digest before anything uses it.
package hostcargo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/progress"
	"espalier.dev/espalier/internal/store"
)

// ErrNoCargo is the cause when the crate is not in cargo's cache and no cargo is
// installed.
var ErrNoCargo = errors.New("cargo is not installed")

// noTarget is a name that no compiler has a target for.
const noTarget = "espalier-none"

// Fetcher brings crates of the default registry into a store.
type Fetcher struct {
	Store  *store.Store
	Home   string // CARGO_HOME
	Report progress.Reporter

	// Program is cargo's path; "" is the cargo of PATH.
	Program string
}

// Home returns the CARGO_HOME of an environment, as cargo finds it; "" without a
// home directory.
func Home(lookup func(string) (string, bool)) string {
	if dir, ok := lookup("CARGO_HOME"); ok && dir != "" {
		return dir
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, ".cargo")
}

// One stores a crate, by its digest. Errors: ErrNoCargo, and what cargo says; of
// kind fault.Pins.
//
// "cargo install" for a target that does not exist downloads the crate, alone, and
// then fails (see crates.Fetcher.One); only the archive counts.
func (f *Fetcher) One(ctx context.Context, c lock.Crate) error {
	if f.Store.Has(c.Digest) {
		return nil
	}
	if err := f.cached(ctx, c); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	task := f.Report.Start("fetching "+c.Name, progress.Crates, 1)
	err := f.download(ctx, c)
	task.Done(err)
	return err
}

func (f *Fetcher) download(ctx context.Context, c lock.Crate) error {
	what := fmt.Sprintf("crate %s %s", c.Name, c.Version)
	program := f.Program
	if program == "" {
		var err error
		if program, err = exec.LookPath("cargo"); err != nil {
			return fault.Wrap(fault.Pins, ErrNoCargo, what)
		}
	}
	dir, err := os.MkdirTemp("", "espalier-cargo-") // outside of any project, whose configuration would apply
	if err != nil {
		return fault.Wrap(fault.Usage, err, what)
	}
	defer os.RemoveAll(dir)
	cmd := exec.CommandContext(ctx, program, "install", "--registry", "crates-io", c.Name, "--version", "="+c.Version, "--root", dir, "--target", noTarget)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CARGO_HOME="+f.Home, "CARGO_TERM_COLOR=never", "CARGO_TARGET_DIR="+dir)
	cmd.WaitDelay = time.Second // rustc may keep the pipe open after cargo was ended
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	failed := cmd.Run() // it always fails
	if err := ctx.Err(); err != nil {
		return err
	}
	err = f.cached(ctx, c)
	if errors.Is(err, fs.ErrNotExist) {
		return fault.Newf(fault.Pins, "%s: cargo did not download it: %s", what, reason(log.String(), failed))
	}
	return err
}

// cached stores the crate from cargo's cache; the error is fs.ErrNotExist when it is
// not there.
func (f *Fetcher) cached(ctx context.Context, c lock.Crate) error {
	if f.Home == "" {
		return fs.ErrNotExist
	}
	folders, err := os.ReadDir(filepath.Join(f.Home, "registry", "cache"))
	if err != nil {
		return fs.ErrNotExist // no download has been made yet
	}
	var damaged error
	for _, folder := range folders { // one for each registry
		r, err := os.Open(filepath.Join(f.Home, "registry", "cache", folder.Name(), c.Name+"-"+c.Version+".crate"))
		if err != nil {
			continue
		}
		_, err = f.Store.PutExpected(ctx, r, c.Digest)
		r.Close()
		if err == nil || ctx.Err() != nil {
			return err
		}
		damaged = fault.Wrap(fault.Pins, err, r.Name())
	}
	if damaged != nil {
		return damaged
	}
	return fs.ErrNotExist
}

// reason is the line of cargo's output that says why nothing was downloaded.
func reason(log string, err error) string {
	lines := strings.Split(strings.TrimSpace(log), "\n")
	for _, prefix := range []string{"error: ", "error["} {
		for i, l := range lines {
			if strings.HasPrefix(l, prefix) {
				// The cause of cargo's error is in the last of the lines after it.
				if last := strings.TrimSpace(lines[len(lines)-1]); i < len(lines)-1 && last != "" {
					return strings.TrimPrefix(l, "error: ") + ": " + last
				}
				return strings.TrimPrefix(l, "error: ")
			}
		}
	}
	if len(lines) > 0 && lines[len(lines)-1] != "" {
		return lines[len(lines)-1]
	}
	if err != nil {
		return err.Error()
	}
	return "it ended without an error"
}
