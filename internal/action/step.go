// Package action is one hermetic step as data: a command, its input tree, the
// platform it wants and the outputs it makes. The identity of a step is the
// digest of the REAPI v2 Action message that describes it (Command + Merkle
// input root + Platform), so any REAPI cache can hold its result. It knows the
// store, and neither how nor where a step runs.
package action

import "espalier.dev/espalier/internal/store"

// Input places a tree at a path of the input root.
type Input struct {
	Path string       // first level name of the layout, e.g. "rootfs"
	Tree store.Digest // digest of an REAPI Directory in the store
}

// Step is a command with everything that it may see.
type Step struct {
	Name     string            // for progress and why; not part of the identity
	Argv     []string          // absolute program path inside the sandbox first
	Env      map[string]string // the whole environment
	Dir      string            // absolute working directory inside the sandbox
	Inputs   []Input
	Outputs  []string          // files or directories, relative to /out or absolute below another writable place
	Platform map[string]string // REAPI platform properties besides the layout
	Secrets  map[string]string // more environment; its values are outside of the identity, results are never kept
	Network  bool              // the step sees the host's network; never cached
}

// Result is the outcome of a step.
type Result struct {
	Digest   store.Digest            // of the Action
	ExitCode int                     // of the command
	Outputs  map[string]store.Digest // file outputs by the name in Step.Outputs
	Trees    map[string]store.Digest // directory outputs: digest of the REAPI Directory
	Stdout   store.Digest            // whole logs; zero when empty
	Stderr   store.Digest
	Hermetic bool // false: the sandbox was weakened, never share
	Cached   bool // the step did not run
}
