// Package action represents a hermetic step as data: a command, its input tree,
// the required platform and its outputs. The identity of a step is the digest
// of the REAPI v2 Action message that describes it (Command + Merkle input root
// + Platform), so any REAPI cache can store its result. The package depends on
// the store, and not on how or where a step runs.
package action

import "espalier.dev/espalier/internal/store"

// Input places a tree at a path of the input root.
type Input struct {
	Path string       // top-level directory of the layout, such as "rootfs"
	Tree store.Digest // digest of an REAPI Directory in the store
}

// Step is a command with all its inputs.
type Step struct {
	Name     string            // for progress reports; not part of the identity
	Argv     []string          // Argv[0] is an absolute path inside the sandbox
	Env      map[string]string // the whole environment
	Dir      string            // absolute working directory inside the sandbox
	Inputs   []Input
	Outputs  []string          // files or directories, relative to /out or absolute below another writable directory
	Platform map[string]string // REAPI platform properties in addition to the layout
	Secrets  map[string]string // additional environment variables; not part of the identity, results are never stored
	Network  bool              // the step has access to the host's network; never cached
}

// Result is the outcome of a step.
type Result struct {
	Digest   store.Digest            // of the Action
	ExitCode int                     // of the command
	Outputs  map[string]store.Digest // file outputs by the name in Step.Outputs
	Trees    map[string]store.Digest // directory outputs: digest of the REAPI Directory
	Stdout   store.Digest            // complete logs; zero when empty
	Stderr   store.Digest
	Hermetic bool // false if the sandbox was weakened: never shared
	Cached   bool // the step did not run

	// Observation is what the step used of the input "src", when that was
	// requested and the executor could observe all of it. It is not stored with
	// the result.
	Observation *Observation
}

// Observation lists the files that the processes of a step used, except those
// that the command itself used.
type Observation struct {
	Files []Access
}

// Access is a name below the mount point of the input "src" that a process
// passed to the kernel, also of a file that does not exist. The path is
// absolute and not resolved: it may contain ".." and symbolic links.
type Access struct {
	Path string
	Read bool // the content of the file, or the list of the directory; otherwise only whether it exists, its type and its size
}
