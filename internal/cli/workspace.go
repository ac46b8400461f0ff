package cli

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"espalier.dev/espalier/esp/image"
	"espalier.dev/espalier/internal/build"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/flashimage"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/pin"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/sandbox"
	"espalier.dev/espalier/internal/store"
	"espalier.dev/espalier/internal/supply/crates"
	"espalier.dev/espalier/internal/ui"
)

// workspace is an opened project with its store.
type workspace struct {
	project *project.Project
	options project.Options
	work    workOptions
	store   *store.Store
	box     sandbox.Local
	app     *app
}

// open opens the project and the store. The caller closes it.
func (a *app) open(ctx context.Context, o workOptions) (*workspace, error) {
	if o.Release {
		if p := o.flags.Profile; p != "" && p != "release" {
			return nil, fault.New(fault.Usage, "--release and --profile "+p+" exclude each other")
		}
		o.flags.Profile = "release"
	}
	options := a.projectOptions(o.flags)
	options.Package, options.Emulated = o.Package, o.emulated
	p, err := project.Open(a.projectDir(), options)
	if err != nil {
		return nil, err
	}
	for _, n := range p.Notes {
		a.ui.Note("%s", n)
	}
	st, err := a.openStore(ctx, p.Espalier)
	if err != nil {
		return nil, err
	}
	sandbox.Sweep(st.Dir())
	if o.NoSandbox {
		a.ui.Note("without the sandbox: the result may depend on this machine and is not shared")
	}
	return &workspace{project: p, options: options, work: o, store: st, box: sandbox.Local{NoSandbox: o.NoSandbox}, app: a}, nil
}

// close releases the store, and keeps it within its limit.
func (w *workspace) close() {
	w.store.Close()
	e := w.project.Espalier
	if r, err := store.Trim(context.Background(), e.Store.V, e.StoreLimit.V, time.Now()); err != nil {
		w.app.ui.Debugf("keeping the store within its limit: %v", err)
	} else if r.Freed > 0 {
		w.app.ui.Debugf("the store was over its limit; removed %s that was not used lately", ui.Size(r.Freed))
	}
}

// pinSession is what locking and fetching need.
func (w *workspace) pinSession() (*pin.Session, error) {
	var registries []string
	for _, r := range w.project.Cargo.Registries {
		if r.Name != "" {
			registries = append(registries, r.Name)
		}
	}
	host, err := crates.ReadHostCargo(w.app.lookup, registries...)
	if err != nil {
		return nil, err
	}
	for _, n := range host.Notes {
		w.app.ui.Note("%s", n)
	}
	home, _ := os.UserHomeDir() // without one, no rustup is looked for
	return &pin.Session{
		Store:    w.store,
		Executor: w.box,
		Report:   w.app.ui,
		Host:     lock.Host(),
		Offline:  w.app.global.Offline,
		Tool:     version().Version,
		Root:     "/",
		Lookup:   w.app.lookup,
		Now:      time.Now,
		Prefixes: w.project.Espalier.Supply.Prefixes.V,
		RustDist: w.project.Espalier.Supply.RustDist.V,
		RustKeys: w.project.Espalier.Supply.RustKeys.V,
		Home:     home,
		GitDir:   w.project.GitDir,
		Sources:  pin.SourcesOf(w.project.Espalier.Supply),
		CargoEnv: host,
	}, nil
}

// pins returns the project's pins with everything that they name in the store,
// as far as the verb may lock and fetch.
func (w *workspace) pins(ctx context.Context) (*lock.File, error) {
	if err := w.project.CheckChip(); err != nil {
		return nil, err
	}
	s, err := w.pinSession()
	if err != nil {
		return nil, err
	}
	locked := w.work.Locked
	if v, ok := w.app.lookup("CI"); ok && v != "" && v != "0" && v != "false" {
		locked = true
	}
	return s.Pins(ctx, w.project, pin.Policy{Lock: w.work.mayLock, Locked: locked}, w.writeLock)
}

// plan makes the steps of the project's firmware.
func (w *workspace) plan(ctx context.Context, pins *lock.File) (build.Plan, error) {
	m, err := build.Assemble(ctx, w.store, w.project, pins, lock.Host(), w.app.ui)
	if err != nil {
		return build.Plan{}, err
	}
	return build.PlanFor(ctx, w.store, w.project, pins, m)
}

// lockedPlan is the plan of the project as it is locked.
func (w *workspace) lockedPlan(ctx context.Context) (build.Plan, error) {
	pins, err := w.pins(ctx)
	if err != nil {
		return build.Plan{}, err
	}
	return w.plan(ctx, pins)
}

func (w *workspace) runner() build.Runner {
	return build.Runner{
		Store:       w.store,
		Executor:    w.box,
		Unsandboxed: w.box.NoSandbox,
		Report:      w.app.ui,
		Messages:    func(rendered string) { w.app.ui.Diagnostic(rendered) },
	}
}

// outDir is where builds are written: below cargo's own target directory, which
// every project already keeps out of its repository.
func (w *workspace) outDir() string { return filepath.Join(w.project.Workspace, "target", "espalier") }

// firmware is a build with all that a board needs.
type firmware struct {
	name     string
	pins     *lock.File
	plan     build.Plan
	elf      store.Digest
	bytes    []byte // of the ELF
	flash    *image.Flash
	rom      []byte // mask ROM of the emulated chip
	hermetic bool
}

// rustc is the version of the compiler that made f.
func (f *firmware) rustc() string {
	tc, _ := f.pins.Toolchain(lock.Host())
	return tc.Rustc
}

// firmware builds the project and makes its flash image.
func (w *workspace) firmware(ctx context.Context) (*firmware, error) {
	if _, err := w.project.Artifact(); err != nil {
		return nil, err
	}
	if err := w.project.CheckEnv(); err != nil {
		return nil, err
	}
	pins, err := w.pins(ctx)
	if err != nil {
		return nil, err
	}
	noteCallerEnv(w.app.ui, w.project)
	plan, out, err := w.run(ctx, pins)
	if errors.Is(err, store.ErrMissing) || errors.Is(err, store.ErrCorrupt) {
		// A tree or result was damaged and is in quarantine now. It can be made
		// again.
		plan, out, err = w.run(ctx, pins)
	}
	if err != nil {
		return nil, err
	}
	if err := build.WriteLastBuild(w.outDir(), out); err != nil {
		w.app.ui.Debugf("recording the build for espalier why: %v", err)
	}
	f := &firmware{name: plan.Output, pins: pins, plan: plan, elf: out.ELF, bytes: out.Bytes, hermetic: out.Hermetic}
	made, err := flashimage.Make(ctx, w.store, w.project, pins, f.name, f.bytes)
	f.flash, f.rom = made.Flash, made.ROM
	return f, err
}

func (w *workspace) run(ctx context.Context, pins *lock.File) (build.Plan, build.Output, error) {
	plan, err := w.plan(ctx, pins)
	if err != nil {
		return plan, build.Output{}, err
	}
	out, err := w.runner().Run(ctx, plan)
	return plan, out, err
}

// noteCallerEnv says which undeclared variables the build uses, never a value.
func noteCallerEnv(out *ui.UI, p *project.Project) {
	fromCaller, emulated := p.CallerEnv()
	if len(fromCaller) > 0 {
		out.Note("from the environment: %s", strings.Join(fromCaller, ", "))
	}
	if len(emulated) > 0 {
		out.Note("not set, so as on the emulated network: %s", strings.Join(emulated, ", "))
	}
}
