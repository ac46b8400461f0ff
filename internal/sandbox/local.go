package sandbox

import (
	"context"
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
	OpenFiles int // per process, default 16384, at most the caller's hard limit
}

// Run implements action.Executor: it runs step on this machine and imports its
// outputs into st.
func (l Local) Run(ctx context.Context, st *store.Store, step action.Step, opts action.RunOptions) (action.Result, error) {
	return l.run(ctx, st, step, opts)
}

var _ action.Executor = Local{}

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
