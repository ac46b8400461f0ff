package build

import (
	"context"
	"math/rand/v2"
	"runtime"
	"strconv"

	"espalier.dev/espalier/internal/sandbox"
)

// Conditions returns the conditions of a second build that differ from those of
// an ordinary one and must not change the firmware: host name, user, number of
// jobs, order of directory entries.
func Conditions() sandbox.Perturb {
	return sandbox.Perturb{
		Hostname: "elsewhere",
		UID:      4711,
		Env: map[string]string{
			// One more than cargo's default, so that a different number of jobs
			// does not make the build slow.
			"CARGO_BUILD_JOBS": strconv.Itoa(runtime.NumCPU() + 1),
			"USER":             "other",
		},
		Shuffle: rand.Int64N(1<<62) + 1,
	}
}

// Again builds the firmware of a plan from scratch under other conditions: no
// dependency layer, no cached result, another directory on this machine. The
// input trees are verified first. It needs the local sandbox, because the
// conditions depend on where a step runs.
func (r Runner) Again(ctx context.Context, pl Plan, box sandbox.Local, other sandbox.Perturb) (Output, error) {
	for _, in := range pl.Scratch().Inputs {
		if err := r.Store.VerifyTree(ctx, in.Tree); err != nil {
			return Output{}, err
		}
	}
	box.Scratch, box.Perturb = sandbox.TempBase(), other
	r.Executor, r.Scratch, r.Messages = box, true, nil
	return r.Run(ctx, pl)
}
