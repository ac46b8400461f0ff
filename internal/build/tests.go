package build

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"espalier.dev/espalier/internal/action"
	"espalier.dev/espalier/internal/cargo"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/layout"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/sandbox"
	"espalier.dev/espalier/internal/store"
)

// recipeTests is the recipe number of a step that builds test targets.
const recipeTests = "tests-1"

// TestPlan has the steps that make the test programs of one package.
type TestPlan struct {
	Plan
	Targets []cargo.Target
	dir     string // output of the step: the directory of the programs
}

// TestProgram is one built test target.
type TestProgram struct {
	Target cargo.Target
	Digest store.Digest
	Bytes  []byte // of the ELF
}

// TestPlanFor makes the plan of test targets, all of one package and with a
// harness of their own: cargo's cannot be built for the chip, which has no std.
// The dependency layer is that of the first target of kind test or example,
// which has the dev-dependencies; without such a target there is none, and each
// build compiles the dependencies, too.
func TestPlanFor(ctx context.Context, st *store.Store, p *project.Project, pins *lock.File, m Materials, targets []cargo.Target) (TestPlan, error) {
	first := slices.IndexFunc(targets, func(t cargo.Target) bool { return t.Kind == cargo.KindTest || t.Kind == cargo.KindExample })
	layered := first >= 0
	pl, err := planFor(ctx, st, p, pins, m, targets[max(first, 0)])
	if err != nil {
		return TestPlan{}, err
	}
	triple := p.Target()
	if p.Cargo.TargetIsFile {
		triple = strings.TrimSuffix(path.Base(filepath.ToSlash(triple)), ".json")
	}
	tp := TestPlan{Plan: pl, Targets: targets, dir: path.Join(layout.Target, triple, profileDir(profile(p)), "deps")}
	tp.programs = tp.dir
	if !layered {
		tp.Deps, tp.scripts = action.Step{}, action.Step{}
	}
	tp.app.Name += " (tests)"
	tp.app.Argv = append(command(p, pins, "test", targets...), "--no-run")
	tp.app.Outputs = []string{tp.dir}
	tp.app.Platform = platform(recipeTests)
	return tp, nil
}

// is reports whether an artifact is of a target of a kind; cargo names the kinds
// of libraries by their crate types.
func (a artifact) is(kind string) bool {
	if kind != cargo.KindLib {
		return slices.Contains(a.Target.Kind, kind)
	}
	return slices.ContainsFunc(a.Target.Kind, func(k string) bool { return strings.HasSuffix(k, "lib") })
}

// profileDir is the name of a profile's directory.
func profileDir(profile string) string {
	switch profile {
	case "dev", "test":
		return "debug"
	case "bench":
		return "release"
	}
	return profile
}

// keep returns the filters of the outputs that are directories.
func (pl Plan) keep() map[string]func(string, fs.FileInfo) bool {
	return map[string]func(string, fs.FileInfo) bool{layerOutput: pl.own.keep, pl.programs: isProgram}
}

// isProgram keeps the programs of a directory deps: files without an extension
// that end in cargo's hash.
func isProgram(name string, info fs.FileInfo) bool {
	if info.IsDir() {
		return false
	}
	_, ok := cutHash(name)
	return ok && !strings.ContainsAny(name, "./")
}

// RunTests builds the programs of a plan, in the order of its targets. hermetic
// is Output.Hermetic.
func (r Runner) RunTests(ctx context.Context, tp TestPlan) (programs []TestProgram, hermetic bool, err error) {
	err = r.onWholeLayer(ctx, tp.Plan, func() error {
		programs, hermetic, err = r.runTests(ctx, tp)
		return err
	})
	return programs, hermetic, err
}

func (r Runner) runTests(ctx context.Context, tp TestPlan) (programs []TestProgram, hermetic bool, err error) {
	step, before := tp.app, []action.Result(nil)
	if tp.Deps.Argv != nil {
		deps, err := r.layer(ctx, tp.Plan)
		if err != nil {
			return nil, false, err
		}
		units, err := r.units(ctx, tp.Plan, deps.Trees[layerOutput])
		if err != nil {
			return nil, false, err
		}
		step, before = tp.App(deps.Trees[layerOutput], units), []action.Result{deps}
	}
	// The layer has programs of the stubs, with other hashes.
	made := map[string]cargo.Target{}
	r.artifact = func(a artifact) {
		for _, t := range tp.Targets {
			if a.Profile.Test && a.Executable != "" && a.Target.Name == t.Name && a.is(t.Kind) {
				made[path.Base(a.Executable)] = t
			}
		}
	}
	res, from, clean, err := r.tests(ctx, tp, step)
	defer clean()
	if err != nil {
		return nil, false, err
	}
	hermetic = true
	for _, b := range append(before, res) {
		hermetic = hermetic && b.Hermetic
	}
	root, err := from.TreePath(ctx, res.Trees[tp.dir])
	if err != nil {
		return nil, false, err
	}
	for _, t := range tp.Targets {
		for name, of := range made {
			if of.Kind != t.Kind || of.Name != t.Name {
				continue
			}
			b, err := os.ReadFile(filepath.Join(root, name))
			if err != nil {
				return nil, false, fault.Wrap(fault.Bug, err, "reading the test program "+t.Name)
			}
			programs = append(programs, TestProgram{Target: t, Digest: store.DigestOf(b), Bytes: b})
		}
	}
	if len(programs) < len(tp.Targets) {
		return nil, false, fault.New(fault.Bug, fmt.Sprintf("the build made %d of %d test programs", len(programs), len(tp.Targets)))
	}
	return programs, hermetic, nil
}

// tests runs the step of the test programs, or takes its result from the store.
// The outputs are in from; clean removes it if it is temporary.
func (r Runner) tests(ctx context.Context, tp TestPlan, step action.Step) (res action.Result, from *store.Store, clean func(), err error) {
	clean = func() {}
	if len(tp.Secrets) == 0 {
		if res, err := r.load(ctx, step); err == nil && r.Store.HasContent(ctx, res.Trees[tp.dir]) == nil {
			r.replay(ctx, tp.Plan, step, res)
			return res, r.Store, clean, nil
		}
		if res, err = r.step(ctx, tp.Plan, step, nil); err == nil {
			err = r.save(ctx, res)
		}
		return res, r.Store, clean, err
	}
	// The programs contain the secrets, so they are not written to the store.
	dir, remove, err := sandbox.TempDir()
	if err != nil {
		return res, nil, clean, fault.Wrap(fault.Usage, err, "building with secrets")
	}
	private, err := store.Open(ctx, dir)
	clean = func() {
		if private != nil {
			private.Close()
		}
		remove()
	}
	if err != nil {
		return res, nil, clean, err
	}
	res, err = r.step(ctx, tp.Plan, step, private)
	return res, private, clean, err
}
