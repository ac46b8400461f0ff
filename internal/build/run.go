package build

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"espalier.dev/espalier/internal/action"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/progress"
	"espalier.dev/espalier/internal/sandbox"
	"espalier.dev/espalier/internal/store"
)

// Runner runs plans.
type Runner struct {
	Store   *store.Store
	Sandbox sandbox.Local
	Report  progress.Reporter

	// Messages receives the compiler's messages as cargo prints them, colours
	// included, also those of a step that was found in the cache. Nil drops them.
	Messages func(rendered string)

	// Scratch builds without the dependency layer and without looking into the
	// cache.
	Scratch bool
}

// Output is what a plan made.
type Output struct {
	ELF      store.Digest
	Hermetic bool
	Steps    []StepResult
}

// StepResult is one step with its outcome.
type StepResult struct {
	Step   action.Step
	Result action.Result
}

// Run makes the firmware of a plan: at once when the application is in the
// cache, else on the dependency layer, which is made first when it is missing.
func (r Runner) Run(ctx context.Context, pl Plan) (Output, error) {
	if r.Scratch {
		res, err := r.step(ctx, pl, pl.Scratch())
		return r.output(pl, err, StepResult{pl.Scratch(), res})
	}
	deps, err := r.cached(ctx, pl, pl.Deps)
	if err != nil {
		return Output{}, err
	}
	app := pl.App(deps.Trees[layerOutput])
	res, err := r.cached(ctx, pl, app)
	return r.output(pl, err, StepResult{pl.Deps, deps}, StepResult{app, res})
}

// Layer makes or finds the dependency layer of a plan.
func (r Runner) Layer(ctx context.Context, pl Plan) (store.Digest, error) {
	res, err := r.cached(ctx, pl, pl.Deps)
	return res.Trees[layerOutput], err
}

func (r Runner) output(pl Plan, err error, steps ...StepResult) (Output, error) {
	if err != nil {
		return Output{Steps: steps}, err
	}
	last := steps[len(steps)-1].Result
	out := Output{ELF: last.Outputs[pl.Output], Hermetic: true, Steps: steps}
	for _, s := range steps {
		out.Hermetic = out.Hermetic && s.Result.Hermetic
	}
	if out.ELF.IsZero() {
		return out, fault.Newf(fault.Bug, "the build succeeded and made no %s", pl.Output)
	}
	return out, nil
}

// cached returns a step's result from the cache or runs it.
func (r Runner) cached(ctx context.Context, pl Plan, step action.Step) (action.Result, error) {
	id, err := action.Put(ctx, r.Store, step)
	if err != nil {
		return action.Result{}, err
	}
	res, err := action.Load(ctx, r.Store, id, !r.Sandbox.NoSandbox)
	if err == nil {
		if err = r.present(ctx, step, res); err == nil {
			r.replay(ctx, res)
			return res, nil
		}
	}
	if !errors.Is(err, store.ErrMissing) && !errors.Is(err, store.ErrCorrupt) {
		return action.Result{}, err
	}
	res, err = r.step(ctx, pl, step)
	if err != nil {
		return res, err
	}
	if pl.secrets {
		return res, nil // a secret may be in the result: never kept
	}
	return res, action.Save(ctx, r.Store, res)
}

// present reports whether the outputs of a cached result can be used: a layer
// that is about to be mounted has to be unpacked and whole.
func (r Runner) present(ctx context.Context, step action.Step, res action.Result) error {
	for _, d := range res.Trees {
		if _, err := r.Store.TreePath(ctx, d); err != nil {
			return err
		}
	}
	for _, d := range res.Outputs {
		if !r.Store.Has(d) {
			return store.ErrMissing
		}
	}
	return nil
}

// step runs a step and turns a failure into a fault.
func (r Runner) step(ctx context.Context, pl Plan, step action.Step) (action.Result, error) {
	task := r.Report.Start("compiling "+step.Name, progress.Crates, 0)
	box := r.Sandbox
	box.Filter = map[string]func(string, fs.FileInfo) bool{layerOutput: pl.own.keep}
	out := &messages{task: task, show: r.Messages}
	status := &status{task: task}
	res, err := box.Run(ctx, r.Store, step, sandbox.Streams{Stdout: out, Stderr: status})
	if err == nil && res.ExitCode != 0 {
		err = r.failed(step, res, out, status)
	}
	task.Detail(crateCount(out.artifacts))
	task.Done(err)
	return res, err
}

func crateCount(n int) string {
	if n == 1 {
		return "1 crate"
	}
	return fmt.Sprintf("%d crates", n)
}

func (r Runner) failed(step action.Step, res action.Result, out *messages, status *status) error {
	text := fmt.Sprintf("compiling %s failed", step.Name)
	switch {
	case out.errors == 1:
		text += ": 1 error"
	case out.errors > 1:
		text += fmt.Sprintf(": %d errors", out.errors)
	case len(status.errors) > 0:
		// Cargo itself refused, the compiler was not asked. Its words are the
		// cause; they may be several lines.
		if r.Messages != nil {
			r.Messages(strings.Join(status.errors, "\n") + "\n")
		}
		text += ": " + plain(strings.TrimPrefix(plain(status.errors[0]), "error: "))
	case res.ExitCode > 128:
		text += fmt.Sprintf(": killed by signal %d", res.ExitCode-128)
	default:
		text += fmt.Sprintf(": exit status %d", res.ExitCode)
	}
	return fault.New(fault.Build, text)
}

// replay shows the messages of a step that did not run.
func (r Runner) replay(ctx context.Context, res action.Result) {
	if r.Messages == nil || res.Stdout.IsZero() {
		return
	}
	log, err := r.Store.Get(ctx, res.Stdout)
	if err != nil {
		return
	}
	defer log.Close()
	io.Copy(&messages{task: progress.Discard.Start("", progress.Crates, 0), show: r.Messages}, log)
}

// messages reads cargo's JSON messages, one per line.
type messages struct {
	rest      []byte
	task      progress.Task
	show      func(string)
	artifacts int
	errors    int
}

// maxMessage bounds one JSON message; a longer one is dropped.
const maxMessage = 16 << 20

func (m *messages) Write(p []byte) (int, error) {
	m.rest = append(m.rest, p...)
	for {
		i := bytes.IndexByte(m.rest, '\n')
		if i < 0 {
			if len(m.rest) > maxMessage {
				m.rest = nil
			}
			return len(p), nil
		}
		m.line(m.rest[:i])
		m.rest = m.rest[i+1:]
	}
}

func (m *messages) line(b []byte) {
	var msg struct {
		Reason  string
		Fresh   bool
		Message *struct {
			Rendered string
			Level    string
			Code     *struct{ Code string }
			Spans    []json.RawMessage
		}
	}
	if len(b) == 0 || b[0] != '{' || json.Unmarshal(b, &msg) != nil {
		if m.show != nil && len(bytes.TrimSpace(b)) > 0 {
			m.show(string(b) + "\n") // a build script's or linker's own words
		}
		return
	}
	switch msg.Reason {
	case "compiler-artifact":
		if !msg.Fresh {
			m.artifacts++
			m.task.Add(1)
		}
	case "compiler-message":
		if msg.Message == nil {
			return
		}
		if msg.Message.Level == "error" && !strings.HasPrefix(plain(msg.Message.Rendered), "error: aborting") {
			m.errors++
		}
		if m.show != nil {
			m.show(userPaths(msg.Message.Rendered))
		}
	}
}

// userPaths leaves the layout's places out of a message. Cargo names files of
// the workspace relative to it; absolute ones come from macros and build
// scripts.
func userPaths(s string) string { return strings.ReplaceAll(s, srcDir+"/", "") }

// status reads cargo's own lines on standard error.
type status struct {
	rest   []byte
	task   progress.Task
	errors []string // the last error and its causes
}

func (s *status) Write(p []byte) (int, error) {
	s.rest = append(s.rest, p...)
	for {
		i := bytes.IndexByte(s.rest, '\n')
		if i < 0 {
			return len(p), nil
		}
		s.line(string(s.rest[:i]))
		s.rest = s.rest[i+1:]
	}
}

func (s *status) line(line string) {
	text := plain(line)
	if name, ok := strings.CutPrefix(strings.TrimSpace(text), "Compiling "); ok {
		name, _, _ = strings.Cut(name, " (")
		s.task.Item(name)
		return
	}
	switch {
	case strings.HasPrefix(text, "error: ") || strings.HasPrefix(text, "error["):
		s.errors = []string{line}
	case len(s.errors) > 0 && len(s.errors) < 40:
		s.errors = append(s.errors, line)
	}
}

// plain removes SGR colour sequences.
func plain(s string) string {
	if !strings.Contains(s, "\x1b[") {
		return s
	}
	var b strings.Builder
	for {
		i := strings.Index(s, "\x1b[")
		if i < 0 {
			b.WriteString(s)
			return b.String()
		}
		b.WriteString(s[:i])
		s = s[i+2:]
		if j := strings.IndexByte(s, 'm'); j >= 0 {
			s = s[j+1:]
		}
	}
}
