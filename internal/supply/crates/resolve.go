package crates

import (
	"context"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/layout"
	"espalier.dev/espalier/internal/progress"
)

// Resolve generates a Cargo.lock, or updates the one in the job's tree, with
// the pinned cargo and the current registry index: locked versions that still
// match are kept. It returns the file as cargo wrote it.
func (f *Fetcher) Resolve(ctx context.Context, j Job) (_ []byte, err error) {
	if f.Offline {
		return nil, fault.New(fault.Pins, "offline: making or updating Cargo.lock needs the network",
			"espalier lock   # on a machine with a network")
	}
	task := f.Report.Start("choosing crate versions", progress.Crates, 0)
	defer func() { task.Done(err) }()
	// Unlike generate-lockfile it keeps the versions of an existing Cargo.lock.
	argv := []string{layout.Cargo, "update", "--workspace"}
	res, log, err := f.networkStep(ctx, j, argv, []string{j.Lock}, task)
	if err == nil && res.ExitCode != 0 {
		err = f.failed(argv, res, log)
	}
	if err != nil {
		return nil, err
	}
	return f.Store.ReadBlob(ctx, res.Outputs[j.Lock], 64<<20)
}
