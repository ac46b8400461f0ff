package build

import (
	"context"
	"maps"
	"slices"

	"espalier.dev/espalier/internal/action"
	"espalier.dev/espalier/internal/cargo"
	"espalier.dev/espalier/internal/layout"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/source"
	"espalier.dev/espalier/internal/store"
)

// Recipe numbers of the steps: increased when the meaning of a step changes
// although its command line does not.
const (
	recipeDeps = "deps-5"
	recipeApp  = "app-1"
)

// layerOutput is the output of the first step that becomes the dependency
// layer.
const layerOutput = layout.Target

// Materials are the trees of the pinned inputs.
type Materials struct {
	Rootfs store.Digest // the toolchain and the system files that it needs
	Vendor store.Digest // registry crates of both locks
	Git    store.Digest // trees of git commits; zero when there are none
	Cargo  store.Digest // CARGO_HOME with the configuration of this build
}

// Inputs returns the materials with their paths in the input root.
func (m Materials) Inputs() []action.Input {
	in := []action.Input{
		{Path: "rootfs", Tree: m.Rootfs},
		{Path: "cargo", Tree: m.Cargo},
		{Path: "vendor", Tree: m.Vendor},
	}
	if !m.Git.IsZero() {
		in = append(in, action.Input{Path: "git", Tree: m.Git})
	}
	return in
}

// Plan has the steps that make one firmware.
type Plan struct {
	Target   cargo.Target // the cargo target that is the firmware
	Output   string       // the ELF's name among the outputs
	Deps     action.Step  // the dependency layer
	Secrets  []string     // names of the variables whose values are secret, sorted
	app      action.Step  // the application, without the layer
	scripts  action.Step  // own build scripts, without the layer; zero when there are none
	check    action.Step  // the application without code generation, without the layer
	graph    action.Step  // cargo's unit graph of the application
	layer    action.Step  // cargo's unit graph of the dependency layer
	own      ownUnits
	programs string // output with the test programs; "" without
	triple   string // of the firmware

	sources   store.Digest      // the project's files
	structure []byte            // source.Structure
	readmes   map[string]string // source.Readmes
	earlier   []byte            // startKeys
	library   []byte            // the same; nil when the library is prebuilt

	rustc string // version of the compiler: "1.96.0 (ac68faa20 2026-05-25)"
	epoch int64  // date of the project, in seconds

	root string // the host directory that is /src in the sandbox, for messages
}

// App returns the step that compiles the user's own crates on a layer and,
// unless it is zero, on the units of the scripts step.
func (pl Plan) App(layer, units store.Digest) action.Step { return onLayer(pl.app, layer, units) }

func onLayer(s action.Step, layer, units store.Digest) action.Step {
	s.Inputs = append(slices.Clone(s.Inputs), action.Input{Path: "target", Tree: layer})
	if !units.IsZero() {
		s.Inputs = append(s.Inputs, action.Input{Path: "units", Tree: units})
	}
	return s
}

// Scratch returns the step that compiles everything at once, without a layer.
// Its output is bit-identical.
func (pl Plan) Scratch() action.Step { return pl.app }

// Sources is the tree of the project's files.
func (pl Plan) Sources() store.Digest { return pl.sources }

// PlanFor makes the plan of p. It writes the input trees to the store, and
// reads no files of the machine but the project's.
func PlanFor(ctx context.Context, st *store.Store, p *project.Project, pins *lock.File, m Materials) (Plan, error) {
	t, err := p.Artifact()
	if err != nil {
		return Plan{}, err
	}
	return planFor(ctx, st, p, pins, m, t)
}

// planFor is PlanFor for one of the project's targets.
func planFor(ctx context.Context, st *store.Store, p *project.Project, pins *lock.File, m Materials, t cargo.Target) (Plan, error) {
	env, secrets, err := environment(p, pins)
	if err != nil {
		return Plan{}, err
	}
	src, err := source.Tree(ctx, st, p)
	if err != nil {
		return Plan{}, err
	}
	if err := checkLinkers(ctx, st, p, m.Rootfs, src); err != nil {
		return Plan{}, err
	}
	own, err := ownVariables(ctx, st, p, pins, m)
	if err != nil {
		return Plan{}, err
	}
	stubs, layerTarget, err := source.Layer(ctx, st, p, t, own)
	if err != nil {
		return Plan{}, err
	}

	pl := Plan{Target: t, Output: t.Name, Secrets: slices.Sorted(maps.Keys(secrets)), own: newOwnUnits(p.Own), triple: p.Target(),
		sources: src, readmes: source.Readmes(p), root: p.Root}
	tc, _ := pins.Toolchain(lock.Host())
	pl.rustc, pl.epoch = tc.Rustc, pins.Project.SourceDateEpoch
	if pl.structure, err = source.Structure(p); err != nil {
		return Plan{}, err
	}
	pl.Deps = action.Step{
		Name: "dependencies",
		// -Zno-link only affects the stub: it does not change the hash of any
		// dependency, and without linking the stub needs no linker script.
		Argv:     append(command(p, pins, "rustc", layerTarget), "--", "-Zno-link"),
		Env:      without(env, own),
		Dir:      layout.Inside(p.Root, p.WorkDir),
		Inputs:   append(m.Inputs(), action.Input{Path: "src", Tree: stubs}),
		Outputs:  []string{layerOutput},
		Platform: platform(recipeDeps),
		// Secrets are left out: they are for the user's own code, and the layer
		// is stored.
	}
	if pl.earlier, pl.library, err = startKeys(ctx, st, p, pins, pl.Deps, m, own); err != nil {
		return Plan{}, err
	}
	pl.app = action.Step{
		Name:     p.Package,
		Argv:     append(command(p, pins, "build", t), "-Zunstable-options", artifactDir(pins), "/out"),
		Env:      env,
		Dir:      layout.Inside(p.Root, p.WorkDir),
		Inputs:   append(m.Inputs(), action.Input{Path: "src", Tree: src}),
		Outputs:  []string{pl.Output},
		Platform: platform(recipeApp),
		Secrets:  secrets,
	}
	pl.check = checkStep(pl.app, command(p, pins, "rustc", t))
	pl.graph = graphStep(pl.app, command(p, pins, "build", t))
	pl.layer = graphStep(pl.Deps, command(p, pins, "build", layerTarget))
	if comparesChecksums(p, pins) {
		scripts, err := source.Scripts(ctx, st, p, t)
		if err != nil {
			return Plan{}, err
		}
		pl.scripts = pl.Deps
		pl.scripts.Env = env
		pl.scripts.Name = "build scripts"
		pl.scripts.Inputs = append(m.Inputs(), action.Input{Path: "src", Tree: scripts})
		pl.scripts.Platform = platform(recipeScripts)
	}
	return pl, nil
}
