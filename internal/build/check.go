package build

import (
	"bytes"
	"context"
	"slices"
	"strings"

	"espalier.dev/espalier/internal/action"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/layout"
	"espalier.dev/espalier/internal/progress"
	"espalier.dev/espalier/internal/store"
)

// A check compiles the user's own crates on the dependency layer of the build,
// up to and without code generation for the firmware. `cargo check` would need
// a layer of its own, because it compiles every dependency in another mode;
// here a check after a build, and a build after a check, compile no dependency.

// clippyDriver is the compiler with Clippy's lints.
const clippyDriver = "/usr/bin/clippy-driver"

// lintSeparator is what clippy-driver takes as the end of each argument in
// CLIPPY_ARGS; cargo-clippy has the same.
const lintSeparator = "__CLIPPY_HACKERY__"

// CheckOptions decide how own crates are checked.
type CheckOptions struct {
	Clippy bool     // with Clippy's lints
	Lints  []string // arguments of Clippy, such as -W clippy::pedantic
}

func checkStep(app action.Step, command []string) action.Step {
	app.Argv = append(command, "--", "-Zno-codegen")
	app.Outputs = nil
	return app
}

// Check returns the step that checks the firmware on a layer.
func (pl Plan) Check(layer, units store.Digest, o CheckOptions) action.Step {
	s := onLayer(pl.check, layer, units)
	if !o.Clippy {
		return s
	}
	env := map[string]string{"RUSTC_WORKSPACE_WRAPPER": clippyDriver}
	for name, value := range s.Env {
		env[name] = value
	}
	if len(o.Lints) > 0 {
		env["CLIPPY_ARGS"] = strings.Join(o.Lints, lintSeparator) + lintSeparator
	}
	s.Env = env
	return s
}

// Check checks the firmware of a plan. Results without errors are kept like
// those of a build. Errors in the program are a fault.Build.
func (r Runner) Check(ctx context.Context, pl Plan, o CheckOptions) error {
	return r.onWholeLayer(ctx, pl, func() error { return r.checkOnLayer(ctx, pl, o) })
}

func (r Runner) checkOnLayer(ctx context.Context, pl Plan, o CheckOptions) error {
	if o.Clippy {
		if _, err := r.Store.Lookup(ctx, inputTree(pl.check, layout.InputRootfs), strings.TrimPrefix(clippyDriver, "/")); err != nil {
			return fault.New(fault.Pins, "the locked toolchain has no clippy",
				`components = ["clippy"]   # in [toolchain] of rust-toolchain.toml`, "espalier lock")
		}
	}
	deps, err := r.layer(ctx, pl)
	if err != nil {
		return err
	}
	layer := deps.Trees[layerOutput]
	units, err := r.units(ctx, pl, layer)
	if err != nil {
		return err
	}
	step := pl.Check(layer, units, o)
	lines := r.hostLines(pl, layer)
	if res, err := r.load(ctx, step); err == nil {
		r.replayTo(ctx, pl, step, res, lines)
		return nil
	}
	phase := "checking " + step.Name
	if o.Clippy {
		phase = "linting " + step.Name
	}
	res, err := r.stepAs(ctx, pl, phase, step, lines, action.RunOptions{})
	if err == nil && len(pl.Secrets) == 0 {
		err = r.save(ctx, res)
	}
	return err
}

// diagnostics passes the compiler's messages on to r.Lines, and drops the others.
func (r Runner) diagnostics(pl Plan) func([]byte) {
	lines := r.hostLines(pl, store.Digest{})
	if lines == nil {
		return nil
	}
	return func(b []byte) {
		if bytes.HasPrefix(b, []byte(`{"reason":"compiler-message"`)) {
			lines(b)
		}
	}
}

// hostLines passes messages on to r.Lines with paths of this machine; layer may
// be zero.
func (r Runner) hostLines(pl Plan, layer store.Digest) func([]byte) {
	if r.Lines == nil {
		return nil
	}
	paths := r.hostPaths(pl, layer)
	return func(b []byte) { r.Lines(paths.message(b)) }
}

// replayTo is replay with a receiver of cargo's messages.
func (r Runner) replayTo(ctx context.Context, pl Plan, step action.Step, res action.Result, lines func([]byte)) {
	task := progress.Discard.Start("", progress.Crates, 0)
	r.copyLog(ctx, &messages{task: task, show: r.show(pl), lines: lines, artifact: r.artifact}, res.Stdout)
	r.copyLog(ctx, &status{task: task, warn: r.warnings(pl, step)}, res.Stderr)
}

func inputTree(s action.Step, name string) store.Digest {
	if i := slices.IndexFunc(s.Inputs, func(in action.Input) bool { return in.Path == name }); i >= 0 {
		return s.Inputs[i].Tree
	}
	return store.Digest{}
}
