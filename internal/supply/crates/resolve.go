package crates

import (
	"context"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/progress"
)

// Resolve makes a Cargo.lock for a workspace that has none, with the pinned
// cargo and today's registry. The bytes are what cargo wrote.
func (f *Fetcher) Resolve(ctx context.Context, j Job) ([]byte, error) {
	if f.Offline {
		return nil, fault.New(fault.Pins, "there is no Cargo.lock, and choosing versions needs the network",
			"espalier lock   # on a machine with a network")
	}
	// Unlike generate-lockfile it keeps what a Cargo.lock of the job already says.
	return f.rewrite(ctx, j, []string{"/usr/bin/cargo", "update", "--workspace"})
}

// Update lets cargo choose newer versions for the named packages, for all of
// them when there are no names.
func (f *Fetcher) Update(ctx context.Context, j Job, names ...string) ([]byte, error) {
	if f.Offline {
		return nil, fault.New(fault.Pins, "choosing newer versions needs the network",
			"cargo update   # on a machine with a network, then: espalier lock")
	}
	return f.rewrite(ctx, j, append([]string{"/usr/bin/cargo", "update"}, names...))
}

func (f *Fetcher) rewrite(ctx context.Context, j Job, argv []string) (_ []byte, err error) {
	task := f.Report.Start("choosing crate versions", progress.Crates, 0)
	defer func() { task.Done(err) }()
	res, _, err := f.networkStep(ctx, j, argv, []string{j.Lock}, task)
	if err != nil {
		return nil, err
	}
	return f.Store.ReadBlob(ctx, res.Outputs[j.Lock], 64<<20)
}
