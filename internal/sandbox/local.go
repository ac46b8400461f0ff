package sandbox

import (
	"context"
	"os"

	"espalier.dev/espalier/internal/action"
	"espalier.dev/espalier/internal/store"
)

// Local runs steps on this machine. The zero value is the full sandbox.
type Local struct {
	// NoSandbox runs steps without namespaces, with the isolation that the
	// machine allows, because the user requested it. Results have Hermetic ==
	// false.
	NoSandbox bool

	// Scratch is the directory for temporary directories, "" for one inside the
	// store (or the system's when the store is read-only). To be fast it must
	// be on a file system that supports the upper layer of an overlay.
	Scratch string

	// Perturb changes conditions that must not affect a result, for verify.
	Perturb Perturb

	Limits Limits
}

// Perturb has conditions that must not affect a reproducible step. Zero fields
// keep the constants of the layout.
type Perturb struct {
	Hostname string            // instead of "espalier"
	UID      int               // user and group id inside, instead of 1000
	CPUs     int               // the number of processors that the step may use
	Env      map[string]string // overrides variables of the step, such as CARGO_BUILD_JOBS
	// Shuffle, when not 0, changes the order in which the directories of all
	// input trees but the rootfs list their entries: to the opposite, in
	// memory, where possible; otherwise they are copied in an order that
	// depends on it, which not every file system preserves.
	Shuffle int64

	Umask     int    // instead of 0o022
	OldKernel bool   // uname(2) says that the kernel is 2.6.x (personality(2), UNAME26)
	Preload   []byte // a shared library that every dynamically linked program of the step loads (ld.so(8), /etc/ld.so.preload)
}

// none reports whether nothing is changed.
func (p Perturb) none() bool {
	return p.Hostname == "" && p.UID == 0 && p.CPUs == 0 && len(p.Env) == 0 && p.Shuffle == 0 && p.Umask == 0 && !p.OldKernel && len(p.Preload) == 0
}

// Limits bound one step. Zero values are the defaults.
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

// Shell runs step with the caller's terminal: the command gets a separate
// terminal inside the sandbox; the caller's is in raw mode meanwhile and
// restored afterwards. Without a terminal, in is passed on directly. It returns
// the command's exit code.
func (l Local) Shell(ctx context.Context, st *store.Store, step action.Step, in, out *os.File) (int, error) {
	return l.shell(ctx, st, step, in, out)
}

// Report is the result of Probe.
type Report struct {
	OK     bool    // steps can run in the full sandbox
	Checks []Check // in the order in which the sandbox is set up, up to the first failure
	Notes  []string
	Err    error // the fault that Run would return; nil when OK
}

// Check is one stage of setting up the sandbox.
type Check struct {
	Name string // e.g. "user namespace", "overlay mount"
	OK   bool
	Note string // detail, e.g. the error
}

// Probe sets up an empty sandbox and reports which stages succeed.
func Probe(ctx context.Context) Report { return probe(ctx) }
