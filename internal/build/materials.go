package build

import (
	"context"
	"errors"

	"espalier.dev/espalier/internal/cargohome"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/progress"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/store"
	"espalier.dev/espalier/internal/supply/crates"
	"espalier.dev/espalier/internal/supply/git"
)

// Assemble makes the trees of a build from the content of the store. A missing
// input is a fault.Pins that names the command that fetches it.
func Assemble(ctx context.Context, st *store.Store, p *project.Project, pins *lock.File, host string, rep progress.Reporter) (Materials, error) {
	tc, err := pins.ToolchainFor(host)
	if err != nil {
		return Materials{}, err
	}
	// The trees are verified when a step mounts them: a build with nothing to
	// do does not have to check forty thousand files.
	if err := st.HasContent(ctx, tc.Rootfs); err != nil {
		if errors.Is(err, store.ErrMissing) {
			return Materials{}, missing("the toolchain "+tc.Rustc, err)
		}
		return Materials{}, err
	}
	m := Materials{Rootfs: tc.Rootfs}
	if m.Vendor, err = crates.Vendor(ctx, st, pins.Crates, rep); err != nil {
		return Materials{}, err
	}
	if m.Git, err = git.Tree(ctx, st, pins.Git); err != nil {
		return Materials{}, err
	}
	if m.Cargo, err = cargohome.Tree(ctx, st, p, pins); err != nil {
		return Materials{}, err
	}
	return m, nil
}

func missing(what string, err error) error {
	return fault.Wrap(fault.Pins, err, what) // the store's own hint has the remedy
}
