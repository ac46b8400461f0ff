package action

import (
	"context"
	"io"
	"io/fs"

	"espalier.dev/espalier/internal/store"
)

// Executor runs steps: in the local sandbox, or on another machine. A Result
// is the same wherever the step ran, so callers keep and share it by the
// step's digest.
//
// Run reads the input trees from st and imports the outputs into it, or into
// opts.Outputs. The error is nil when the command ran to its end, whatever its
// exit code (128+n when signal n ended it); outputs are imported after exit
// code 0 only. Errors are faults:
//
//	fault.Sandbox      the executor cannot run steps; the hints are remedies
//	fault.Build        the program cannot be started, or a declared output is missing
//	fault.Pins         an input tree is not in st
//	fault.Interrupted  ctx was cancelled; every process of the step has ended
//	fault.Timeout      the deadline of ctx passed; likewise
type Executor interface {
	Run(ctx context.Context, st *store.Store, step Step, opts RunOptions) (Result, error)
}

// RunOptions are the parameters of one run of a step. They are not part of the
// step's identity. The zero value discards the output streams and imports all
// outputs into the store of the inputs.
type RunOptions struct {
	// Stdout and Stderr receive the output of the command while it runs; nil
	// discards it. The complete output is also stored and named by the Result,
	// except for a step with network or secrets: its result is never stored,
	// and its output may contain a password. A writer that returns an error
	// receives no more output; the step continues.
	Stdout, Stderr io.Writer

	// Outputs is the store that receives the outputs; nil is the store of the
	// inputs. Outputs of a step with secrets must not go to a store that others
	// can read.
	Outputs *store.Store

	// OnFailure imports the outputs also when the command fails; those that it
	// has not made are left out. The caller verifies their content.
	OnFailure bool

	// Observe requests Result.Observation. The command itself is not observed,
	// only the processes that it starts: the caller knows what the command does
	// with the sources. Of those, a "cargo locate-project" is not observed,
	// either.
	Observe bool

	// Keep filters the files that are imported of a directory output, by the
	// output's name; a missing entry keeps all. Everything that a filter
	// depends on must be in the step's platform, because results are shared by
	// digest.
	Keep map[string]func(path string, info fs.FileInfo) bool

	// Rewrite changes the content of files of a directory output while they are
	// imported, by the output's name, with the same rule; see
	// store.ImportOptions.
	Rewrite map[string]func(path string, content io.ReaderAt, size int64) (io.Reader, bool)
}
