package trial

import (
	"bytes"
	"context"
	"errors"
	"io"
	"time"

	"espalier.dev/espalier/firmware"
	"espalier.dev/espalier/internal/action"
	"espalier.dev/espalier/internal/build"
	"espalier.dev/espalier/internal/explain"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/flashimage"
	"espalier.dev/espalier/internal/fwtest"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/session"
	"espalier.dev/espalier/internal/size"
	"espalier.dev/espalier/internal/store"
	"espalier.dev/espalier/internal/supply/crates"
	"espalier.dev/espalier/internal/ui"
)

// Env is what trials need besides the plan.
type Env struct {
	Store    *store.Store
	Executor action.Executor
	UI       *ui.UI // shows progress
	Lookup   func(string) (string, bool)
	Now      func() time.Time
	Host     string // "linux/amd64"
}

// Stages of a side, in order.
const (
	StageResolve = "resolve" // versions that fit together
	StageBuild   = "build"
	StageImage   = "image" // a flash image of the ELF
	StageRun     = "run"
	StageTest    = "test"
	StageDone    = "done" // everything succeeded
)

// Side is what came of one set of pins.
type Side struct {
	Stage string `json:"stage"` // the one that failed, or StageDone
	Error string `json:"error,omitempty"`
	Flash uint64 `json:"flash,omitempty"` // bytes
	RAM   uint64 `json:"ram,omitempty"`

	sizes    *size.Report
	messages []message    // the compiler's errors
	log      explain.Tail // of compiler and board
	file     *lock.File
}

// OK reports whether everything succeeded.
func (s *Side) OK() bool { return s.Stage == StageDone }

// defaultRun is the guest time of a run for which [run] says no end: a boot, and
// whatever fails at its beginning.
const defaultRun = 3 * time.Second

// runLimit is the host time of a run that has only an expectation.
const runLimit = 2 * time.Minute

// side builds and runs p with pins. The error is one that says nothing about the
// project: the machine, a missing file, an interruption.
func (e Env) side(ctx context.Context, p *project.Project, pins *lock.File) (*Side, error) {
	s := &Side{file: pins}
	err := e.stages(ctx, s, p, pins)
	switch kind := fault.KindOf(err); {
	case err == nil:
		s.Stage = StageDone
		return s, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case kind == fault.Build, kind == fault.Program, kind == fault.Timeout, kind == fault.Usage && s.Stage == StageImage:
		s.Error = err.Error()
		return s, nil
	}
	return nil, err
}

func (e Env) stages(ctx context.Context, s *Side, p *project.Project, pins *lock.File) error {
	s.Stage = StageBuild
	if err := errors.Join(p.CheckEnv(), p.CheckEnvValues()); err != nil {
		return err
	}
	m, err := build.Assemble(ctx, e.Store, p, pins, e.Host, e.UI)
	if err != nil {
		return err
	}
	plan, err := build.PlanFor(ctx, e.Store, p, pins, m)
	if err != nil {
		return err
	}
	r := build.Runner{Store: e.Store, Executor: e.Executor, Report: e.UI, Lines: s.line,
		Messages: func(rendered string) { _, _ = io.WriteString(&s.log, rendered) }}
	out, err := r.Run(ctx, plan)
	if err != nil {
		return err
	}
	if s.sizes, err = e.sizes(ctx, out.Bytes, pins); err != nil {
		return err
	}
	s.Flash, s.RAM = s.sizes.Flash, s.sizes.RAM
	s.Stage = StageImage
	made, err := flashimage.Make(ctx, e.Store, p, pins, plan.Output, out.Bytes)
	if err != nil {
		return err
	}
	s.Stage = StageRun
	if err := e.run(ctx, s, p, made.ROM, made.Flash.Merged(), out.Bytes); err != nil {
		return err
	}
	s.Stage = StageTest
	return e.test(ctx, s, p, pins, m, r)
}

func (e Env) sizes(ctx context.Context, elf []byte, pins *lock.File) (*size.Report, error) {
	f, err := firmware.Open(bytes.NewReader(elf), firmware.Options{})
	if err != nil {
		return nil, err
	}
	var libs size.Libraries
	if err := crates.StaticLibraries(ctx, e.Store, pins.Crates, "esp32c3", libs.AddArchive); err != nil {
		return nil, err
	}
	return size.Analyze(f, &libs), nil
}

// run boots the firmware as espalier run does, with [run] of the project; the
// board's output goes to the log of the side.
func (e Env) run(ctx context.Context, s *Side, p *project.Project, rom, flash, elf []byte) error {
	quiet := ui.New(ui.Options{Stdout: &s.log, Stderr: &s.log, Lookup: e.Lookup, NoColor: true})
	defer quiet.Close()
	opt := session.Options{Text: true}
	given := func(string) bool { return false }
	if err := opt.FromProject(given, p); err != nil {
		return err
	}
	opt.Log = ""
	switch {
	case opt.For > 0:
	case len(opt.Expect) == 0:
		opt.For = defaultRun
	case opt.Timeout == 0:
		opt.Timeout = runLimit
	}
	run, err := session.New(opt)
	if err != nil {
		return err
	}
	run.UI = quiet
	board, err := session.Emulation{Net: "isolated", Seed: 1, Speed: "max"}.Check(run, given, p)
	if err != nil {
		return err
	}
	task := e.UI.Start("running it on the emulated board", "", 0)
	err = board.Boot(ctx, rom, flash, elf)
	task.Done(err)
	return err
}

// test runs the project's tests for the chip, if it has any.
func (e Env) test(ctx context.Context, s *Side, p *project.Project, pins *lock.File, m build.Materials, r build.Runner) error {
	targets, err := build.TestTargets(p, build.TestSelection{})
	if err != nil {
		return nil //nolint:nilerr // there are none
	}
	plan, err := build.TestPlanFor(ctx, e.Store, p, pins, m, targets)
	if err != nil {
		return err
	}
	built, _, err := r.RunTests(ctx, plan)
	if err != nil {
		return err
	}
	var programs []*fwtest.Program
	for _, b := range built {
		made, err := flashimage.Make(ctx, e.Store, p, pins, b.Target.Name, b.Bytes)
		if err != nil {
			return err
		}
		programs = append(programs, &fwtest.Program{Name: b.Target.Name, ELF: b.Bytes, Flash: made.Flash.Merged(), ROM: made.ROM,
			Repeat: func(string) string { return "espalier test" }})
	}
	env, err := session.Emulation{Net: "isolated", Seed: 1}.Environment(func(string) bool { return false }, p)
	if err != nil {
		return err
	}
	suite := fwtest.Suite{
		Runner: &fwtest.Runner{Bed: bedOf(env), Seed: 1}, Printer: &fwtest.Printer{W: &s.log}, Now: e.Now,
		Title: func(*fwtest.Program) {}, Each: func(fwtest.Result) {}, Ended: func(*fwtest.Program, fwtest.Summary) {},
	}
	sum, err := suite.Run(ctx, programs)
	if err == nil && sum.Failed > 0 {
		err = fault.Newf(fault.Program, "%d of %d tests failed", sum.Failed, sum.Failed+sum.Passed)
	}
	return err
}
