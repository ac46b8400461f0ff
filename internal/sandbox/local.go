package sandbox

import (
	"context"
	"io"
	"io/fs"
	"os"

	"espalier.dev/espalier/internal/action"
	"espalier.dev/espalier/internal/store"
)

// Local runs steps on this machine. The zero value is the full sandbox.
type Local struct {
	// NoSandbox runs steps without namespaces, as well as the machine allows:
	// the user asked for it. Results have Hermetic == false.
	NoSandbox bool

	// Scratch is the folder for temporary folders, "" for one inside the store
	// (or the system's when the store is read-only). It must be on a file
	// system that can be the upper layer of an overlay to be fast.
	Scratch string

	// Perturb changes what must not matter, for verify.
	Perturb Perturb

	Limits Limits

	// Outputs is where outputs go, nil for the store of the inputs. What a step
	// with secrets makes must not stay in a store that others read.
	Outputs *store.Store

	// Filter says which files of a directory output are taken, by the output's
	// name. What a filter depends on belongs into the step's platform.
	Filter map[string]func(path string, info fs.FileInfo) bool
}

// Perturb lists conditions that a reproducible step must not notice. Zero
// fields keep the layout's constants.
type Perturb struct {
	Hostname string            // instead of "espalier"
	UID      int               // user and group id inside, instead of 1000
	CPUs     int               // the step may use only so many processors
	Env      map[string]string // over the step's environment, e.g. CARGO_BUILD_JOBS
	// Shuffle, when not 0, changes the order in which the folders of all input
	// trees but the rootfs list their entries: to the opposite, in memory, where
	// that can be had; else they are copied in an order that it seeds, which not
	// every file system shows.
	Shuffle int64
}

// Limits bound one step. Zero values take the defaults.
type Limits struct {
	Processes int // processes and threads, default 16384
	OpenFiles int // per process, default 65536 or the caller's hard limit
}

// Streams receive the output of a step while it runs. Nil discards. The whole
// output is stored in any case and named by the Result, except that of a step
// with a network or with secrets: its result is never kept, and it may show a
// password. A writer that fails gets no more output; the step runs on.
type Streams struct {
	Stdout io.Writer
	Stderr io.Writer
}

// Run runs step and imports its outputs into st.
//
// The error is nil when the command ran to its end, whatever its exit code
// (128+n when signal n ended it); outputs are imported after exit code 0 only.
// Errors are faults: Sandbox with remedies when the machine forbids it, Build
// when the program cannot be started or a declared output is missing,
// Interrupted or Timeout when ctx ended (everything the step started is dead
// by then), Pins when an input tree is not in the store.
func (l Local) Run(ctx context.Context, st *store.Store, step action.Step, io Streams) (action.Result, error) {
	return l.run(ctx, st, step, io)
}

// Shell runs step with the caller's terminal: the command gets a terminal of
// its own inside the sandbox, the caller's is in raw mode meanwhile and is
// restored afterwards. Without a terminal, in is passed through as it is. It
// returns the command's exit code.
func (l Local) Shell(ctx context.Context, st *store.Store, step action.Step, in, out *os.File) (int, error) {
	return l.shell(ctx, st, step, in, out)
}

// Report is what Probe found.
type Report struct {
	OK     bool    // steps can run in the full sandbox
	Checks []Check // in the order in which the sandbox is set up, up to the first failure
	Notes  []string
	Err    error // the fault that Run would return; nil when OK
}

// Check is one stage of setting the sandbox up.
type Check struct {
	Name string // e.g. "user namespace", "overlay mount"
	OK   bool
	Note string // detail, e.g. the error
}

// Probe sets a sandbox up with nothing in it and reports how far that gets.
func Probe(ctx context.Context) Report { return probe(ctx) }
