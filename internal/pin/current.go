package pin

import (
	"bytes"
	"context"
	"errors"
	"strings"

	"espalier.dev/espalier/internal/action"
	"espalier.dev/espalier/internal/cargohome"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/layout"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/source"
	"espalier.dev/espalier/internal/store"
	"espalier.dev/espalier/internal/supply/crates"
	"espalier.dev/espalier/internal/supply/git"
)

// recipeResolve is raised when the step below means something else although its
// command line is the same.
const recipeResolve = "resolve-1"

// checkCargoLock asks the pinned cargo, without a network, whether Cargo.lock
// (or cargoLock, when it is not nil) is what the manifests need. The error is
// crates.ErrStale when it is not. The answer is a function of the step's
// inputs, so it is cached by digest.
func (s *Session) checkCargoLock(ctx context.Context, p *project.Project, f *lock.File, rootfs store.Digest, cargoLock []byte) error {
	vendor, err := crates.Vendor(ctx, s.Store, f.Crates, s.Report)
	if err != nil {
		return err
	}
	home, err := cargohome.Tree(ctx, s.Store, p, f)
	if err != nil {
		return err
	}
	src, err := source.Stubs(ctx, s.Store, p, cargoLock)
	if err != nil {
		return err
	}
	step := action.Step{
		Name: "checking Cargo.lock",
		Argv: []string{layout.Cargo, "metadata", "--format-version", "1", "--locked", "--offline", "--config", layout.Config},
		Env: map[string]string{"PATH": "/usr/bin", "HOME": layout.Home, "CARGO_HOME": layout.CargoHome,
			"RUSTC_BOOTSTRAP": "1", "CARGO_TERM_COLOR": "never", "TZ": "UTC", "LC_ALL": "C.UTF-8"},
		Dir: layout.Inside(p.Root, p.WorkDir),
		Inputs: []action.Input{
			{Path: layout.InputRootfs, Tree: rootfs}, {Path: layout.InputCargo, Tree: home},
			{Path: layout.InputVendor, Tree: vendor}, {Path: layout.InputSrc, Tree: src},
		},
		Platform: map[string]string{"OSFamily": "linux", "recipe": recipeResolve},
	}
	gitTree, err := git.Tree(ctx, s.Store, f.Git)
	if err != nil {
		return err
	}
	if !gitTree.IsZero() {
		step.Inputs = append(step.Inputs, action.Input{Path: layout.InputGit, Tree: gitTree})
	}
	id, err := action.Put(ctx, s.Store, step)
	if err != nil {
		return err
	}
	if _, err := action.Load(ctx, s.Store, id, true); err == nil {
		return nil
	} else if !errors.Is(err, store.ErrMissing) && !errors.Is(err, store.ErrCorrupt) {
		return err
	}
	var log bytes.Buffer
	res, err := s.Executor.Run(ctx, s.Store, step, action.RunOptions{Stderr: &log})
	switch {
	case err != nil:
		return err
	case res.ExitCode == 0:
		return action.Save(ctx, s.Store, res)
	case crates.IsStale(log.String()):
		return crates.ErrStale
	}
	_, cause, found := strings.Cut(log.String(), "error: ")
	if !found {
		cause = log.String()
	}
	return fault.New(fault.Pins, "cargo cannot read the project: "+strings.Join(strings.Fields(cause), " "))
}

// Current is a fault of kind Pins when cargo would change Cargo.lock. It needs
// what the lock names in the store and no network.
func (s *Session) Current(ctx context.Context, p *project.Project, f *lock.File) error {
	tc, err := f.ToolchainFor(s.Host)
	if err != nil {
		return err
	}
	err = s.checkCargoLock(ctx, p, f, tc.Rootfs, nil)
	if errors.Is(err, crates.ErrStale) {
		return fault.New(fault.Pins, "Cargo.lock does not match the manifests", "espalier lock")
	}
	return err
}
