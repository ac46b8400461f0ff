package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"espalier.dev/espalier/internal/action"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/layout"
	"espalier.dev/espalier/internal/progress"
	"espalier.dev/espalier/internal/remote"
	"espalier.dev/espalier/internal/sandbox"
	"espalier.dev/espalier/internal/store"
	"espalier.dev/espalier/internal/supply/crates"
)

// Runner runs plans.
type Runner struct {
	Store    *store.Store
	Executor action.Executor
	Report   progress.Reporter
	Cache    *remote.Cache // of other machines' results; nil: none

	// Unsandboxed accepts stored results of builds without the sandbox, for a
	// user who has chosen to build without it.
	Unsandboxed bool

	// Messages receives the compiler's messages as cargo formats them, with
	// colours, also for a step whose result was cached. Nil discards them.
	Messages func(rendered string)

	// Lines receives cargo's own JSON messages, one per call and without the line
	// end, with paths of this machine: all of a check, and the compiler's messages
	// of the steps before it when they run. Nil discards them.
	Lines func(line []byte)

	// artifact receives the compiled targets of a step, also of a cached one.
	artifact func(artifact)

	script func(scriptOutput) // receives what build scripts have set and what was compiled, of editorUnits

	// keep and rewrite replace the filters of the step that makes the ELF; see Again.
	keep    map[string]func(string, fs.FileInfo) bool
	rewrite map[string]func(string, io.ReaderAt, int64) (io.Reader, bool)

	// Scratch builds without the dependency layer and ignores the cache.
	Scratch bool
}

// Output is the result of a plan.
type Output struct {
	ELF      store.Digest
	Bytes    []byte // of the ELF; with secrets they are not in any store
	Hermetic bool   // built in the complete sandbox, and without secrets
	Steps    []StepResult
}

// StepResult is a step with its result.
type StepResult struct {
	Step   action.Step
	Result action.Result
}

// largestELF bounds the size of an ELF, in bytes. Debug information makes ELFs
// large; flash is 16 MiB at most.
const largestELF = 1 << 30

// Run makes the firmware of a plan. If the application's result is not cached,
// it is built on the dependency layer, which is built first when it is missing.
func (r Runner) Run(ctx context.Context, pl Plan) (out Output, err error) {
	if r.Scratch {
		return r.finish(ctx, pl, pl.Scratch(), nil)
	}
	err = r.onWholeLayer(ctx, pl, func() error {
		out, err = r.onLayer(ctx, pl)
		return err
	})
	return out, err
}

func (r Runner) onLayer(ctx context.Context, pl Plan) (Output, error) {
	// When the application's result is cached, the layer is not needed.
	if deps, err := r.find(ctx, pl.Deps); err == nil && !deps.Trees[layerOutput].IsZero() {
		if units, err := r.findUnits(ctx, pl, deps.Trees[layerOutput]); err == nil {
			app := pl.App(deps.Trees[layerOutput], units)
			if res, err := r.loadApp(ctx, pl, app); err == nil {
				r.replay(ctx, pl, pl.Deps, deps)
				r.replay(ctx, pl, app, res)
				return r.output(ctx, pl, r.Store, StepResult{pl.Deps, deps}, StepResult{app, res})
			}
		}
	}
	deps, err := r.layer(ctx, pl)
	if err != nil {
		return Output{}, err
	}
	units, err := r.units(ctx, pl, deps.Trees[layerOutput])
	if err != nil {
		return Output{}, err
	}
	app := pl.App(deps.Trees[layerOutput], units)
	if res, err := r.loadApp(ctx, pl, app); err == nil { // an earlier result on the same layer
		r.replay(ctx, pl, app, res)
		return r.output(ctx, pl, r.Store, StepResult{pl.Deps, deps}, StepResult{app, res})
	}
	return r.finish(ctx, pl, app, []StepResult{{pl.Deps, deps}})
}

// loadApp returns the stored result of an application step: its own, or that of
// one which used nothing that differs in this one.
func (r Runner) loadApp(ctx context.Context, pl Plan, step action.Step) (action.Result, error) {
	res, err := r.loadLocal(ctx, step)
	if err == nil && !r.Store.Has(res.Outputs[pl.Output]) {
		err = store.ErrMissing
	}
	if err == nil {
		return res, nil
	}
	if res, err = r.observed(ctx, pl, step); err == nil || !r.shares(step) {
		return res, err
	}
	if res, err = r.load(ctx, step); err == nil && !r.Store.Has(res.Outputs[pl.Output]) {
		err = store.ErrMissing
	}
	return res, err
}

// Layer returns the dependency layer of a plan, and builds it when it is
// missing.
func (r Runner) Layer(ctx context.Context, pl Plan) (store.Digest, error) {
	res, err := r.layer(ctx, pl)
	return res.Trees[layerOutput], err
}

func (r Runner) layer(ctx context.Context, pl Plan) (action.Result, error) {
	res, err := r.load(ctx, pl.Deps)
	if err == nil {
		// A step mounts the tree next, so it must be unpacked. The sandbox
		// verifies it.
		if _, ok := r.Store.Unverified(res.Trees[layerOutput]); !ok {
			_, err = r.Store.TreePath(ctx, res.Trees[layerOutput])
		}
	}
	switch {
	case err == nil:
		r.replay(ctx, pl, pl.Deps, res)
		return res, r.offerLibrary(ctx, pl, res, false)
	case !errors.Is(err, store.ErrMissing) && !errors.Is(err, store.ErrCorrupt):
		return action.Result{}, err
	}
	id, err := action.Digest(ctx, r.Store, pl.Deps)
	if err != nil {
		return res, err
	}
	if err := r.checkCompiler(ctx, pl); err != nil {
		return res, err
	}
	return r.makeLayer(ctx, pl, id)
}

// makeLayer runs the first step, whose action has the digest id.
func (r Runner) makeLayer(ctx context.Context, pl Plan, id store.Digest) (action.Result, error) {
	needs := r.hostNeeds(ctx, pl, id)
	step, err := r.withEarlier(ctx, pl, needs)
	if err != nil {
		return action.Result{}, err
	}
	res, err := r.layerFrom(ctx, pl, step, needs)
	if usesLeftOut(err) {
		if step, err = r.withLibrary(ctx, pl); err != nil {
			return res, err
		}
		res, err = r.layerFrom(ctx, pl, step, needs)
	}
	if err != nil {
		return res, err
	}
	res.Digest = id // a library from an earlier layer changes nothing
	if err := r.save(ctx, res); err != nil {
		return res, err
	}
	return res, errors.Join(r.offerLibrary(ctx, pl, res, true), r.offerEarlier(ctx, pl, res))
}

// layerFrom runs a step of withEarlier or withLibrary. The messages of one that
// has to be repeated are dropped.
func (r Runner) layerFrom(ctx context.Context, pl Plan, step action.Step, needs func() hostNeeds) (action.Result, error) {
	units, keep := mentioned{}, pl.keep()
	started := inputTree(step, layout.InputTarget) != inputTree(pl.Deps, layout.InputTarget)
	own := pl.own
	own.dependency = units.dependency
	keep[layerOutput] = func(name string, info fs.FileInfo) bool {
		return (!started || units.keep(name)) && own.keep(name, info)
	}
	var held []func()
	hold := r
	if started && r.Messages != nil {
		hold.Messages = func(rendered string) { held = append(held, func() { r.Messages(rendered) }) }
	}
	if started && r.Lines != nil {
		hold.Lines = func(line []byte) {
			line = slices.Clone(line)
			held = append(held, func() { r.Lines(line) })
		}
	}
	res, err := hold.stepAs(ctx, pl, "compiling "+step.Name, step, both(hold.diagnostics(pl), units.line),
		action.RunOptions{Keep: keep, Rewrite: pl.rewrites(needs)})
	if !usesLeftOut(err) {
		for _, show := range held {
			show()
		}
	}
	return res, err
}

// finish runs the step that makes the ELF.
func (r Runner) finish(ctx context.Context, pl Plan, step action.Step, before []StepResult) (Output, error) {
	outputs := r.Store
	if len(pl.Secrets) > 0 {
		// The output contains the secrets, so it is not written to the store.
		dir, remove, err := sandbox.TempDir()
		if err != nil {
			return Output{}, fault.Wrap(fault.Usage, err, "building with secrets")
		}
		defer remove()
		if outputs, err = store.Open(ctx, dir); err != nil {
			return Output{}, err
		}
		defer outputs.Close()
	}
	res, err := r.step(ctx, pl, step, outputs)
	if err == nil && len(pl.Secrets) == 0 && !r.Scratch {
		if err = r.save(ctx, res); err == nil {
			err = r.record(ctx, pl, step, res)
		}
	}
	steps := append(before, StepResult{step, res})
	if err != nil {
		return Output{Steps: steps}, err
	}
	return r.output(ctx, pl, outputs, steps...)
}

func (r Runner) output(ctx context.Context, pl Plan, from *store.Store, steps ...StepResult) (Output, error) {
	last := steps[len(steps)-1].Result
	out := Output{ELF: last.Outputs[pl.Output], Hermetic: true, Steps: steps}
	for _, s := range steps {
		out.Hermetic = out.Hermetic && s.Result.Hermetic
	}
	if out.ELF.IsZero() {
		return out, fault.Newf(fault.Bug, "the build succeeded without making %s", pl.Output)
	}
	var err error
	out.Bytes, err = from.ReadBlob(ctx, out.ELF, largestELF)
	return out, err
}

// step runs a step and returns a failure as a fault.
func (r Runner) step(ctx context.Context, pl Plan, step action.Step, outputs *store.Store) (action.Result, error) {
	return r.stepAs(ctx, pl, "compiling "+step.Name, step, r.diagnostics(pl), action.RunOptions{Outputs: outputs, Keep: r.kept(pl), Rewrite: r.rewrite})
}

// kept returns the filters of a step's directory outputs.
func (r Runner) kept(pl Plan) map[string]func(string, fs.FileInfo) bool {
	if r.keep != nil {
		return r.keep
	}
	return pl.keep()
}

// stepAs is step for a phase of any name; lines receives cargo's messages.
func (r Runner) stepAs(ctx context.Context, pl Plan, phase string, step action.Step, lines func([]byte), opts action.RunOptions) (action.Result, error) {
	task := r.Report.Start(phase, progress.Crates, 0)
	if step.Name == pl.Deps.Name {
		counting, stop := context.WithCancel(ctx)
		counted := make(chan struct{})
		defer func() { stop(); <-counted }()
		go func() {
			defer close(counted)
			if n := r.crates(counting, pl.layer); n > 0 {
				task.SetTotal(n)
			}
		}()
	}
	out := &messages{task: task, show: r.show(pl), lines: lines, artifact: r.artifact}
	status := &status{task: task, warn: r.warnings(pl, step)}
	opts.Stdout, opts.Stderr = out, status
	opts.Observe = !r.Scratch && len(step.Secrets) == 0 && (step.Name == pl.Deps.Name || slices.Contains(step.Outputs, pl.Output))
	res, err := r.Executor.Run(ctx, r.Store, step, opts)
	if err == nil && res.ExitCode != 0 {
		err = r.failed(pl, phase, res, out, status)
		if r.namesLeftOut(ctx, step, out.text.String()+plain(strings.Join(append(status.script, status.errors...), "\n"))) {
			err = leftOutError{err}
		}
	}
	task.Detail(crateCount(out.artifacts))
	task.Done(err)
	return res, err
}

// warnings returns the function for cargo's own warnings. Those of the
// dependency layer are dropped: the application's build repeats them.
func (r Runner) warnings(pl Plan, step action.Step) func(string) {
	if step.Name == pl.Deps.Name {
		return nil
	}
	return r.show(pl)
}

// show returns the function that prints messages, with paths inside the sandbox
// replaced by the user's.
func (r Runner) show(pl Plan) func(string) {
	if r.Messages == nil {
		return nil
	}
	return func(rendered string) { r.Messages(userPaths(rendered, pl.root)) }
}

func crateCount(n int) string {
	if n == 1 {
		return "1 crate"
	}
	return fmt.Sprintf("%d crates", n)
}

func (r Runner) failed(pl Plan, phase string, res action.Result, out *messages, status *status) error {
	text := phase + " failed"
	if len(status.script) > 0 && out.show != nil {
		out.show(strings.Join(status.script, "\n") + "\n")
	}
	switch {
	case out.full || status.full:
		return r.Store.Full(phase)
	case out.errors == 1:
		text += ": 1 error"
	case out.errors > 1:
		text += fmt.Sprintf(": %d errors", out.errors)
	case len(status.errors) > 0 && crates.IsStale(plain(status.errors[0])):
		return fault.New(fault.Pins, "Cargo.lock does not match the manifests: "+userPaths(strings.TrimPrefix(plain(status.errors[0]), "error: "), pl.root),
			"espalier lock   # updates Cargo.lock with the pinned cargo; every version that can stay stays")
	case len(status.errors) > 0:
		// Cargo failed before it ran the compiler. Its message, which may have
		// several lines, is the cause.
		if out.show != nil {
			out.show(strings.Join(status.errors, "\n") + "\n")
		}
		first := append(status.script, status.errors...)[0]
		text += ": " + userPaths(strings.TrimPrefix(plain(first), "error: "), pl.root)
	case res.ExitCode > 128:
		text += fmt.Sprintf(": killed by signal %d", res.ExitCode-128)
	default:
		text += fmt.Sprintf(": exit status %d", res.ExitCode)
	}
	return fault.New(fault.Build, text)
}

// replay shows the stored messages of a step that did not run.
func (r Runner) replay(ctx context.Context, pl Plan, step action.Step, res action.Result) {
	if r.Messages == nil && r.artifact == nil {
		return
	}
	r.replayTo(ctx, pl, step, res, nil)
}

// copyLog writes a stored log to w. An unreadable log does not fail the build.
func (r Runner) copyLog(ctx context.Context, w io.Writer, log store.Digest) {
	if log.IsZero() {
		return
	}
	if f, err := r.Store.Get(ctx, log); err == nil {
		io.Copy(w, f)
		f.Close()
	}
}
