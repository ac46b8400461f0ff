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

// RunOptions is what one run of a step needs besides the step. None of it is
// part of the step's identity. The zero value discards the output streams and
// imports all outputs into the store of the inputs.
type RunOptions struct {
	// Stdout and Stderr receive the output of the command while it runs; nil
	// discards. The whole output is stored in any case and named by the Result,
	// except that of a step with a network or with secrets: its result is never
	// kept, and it may contain a password. When a writer returns an error it
	// receives no more output; the step continues.
	Stdout, Stderr io.Writer

	// Outputs is the store that receives the outputs; nil is the store of the
	// inputs. What a step with secrets makes must not stay in a store that
	// others read.
	Outputs *store.Store

	// Keep selects the files that are imported of a directory output, by the
	// output's name; a missing entry keeps all. Whatever a filter depends on
	// belongs in the step's platform, because results are shared by digest.
	Keep map[string]func(path string, info fs.FileInfo) bool
}
