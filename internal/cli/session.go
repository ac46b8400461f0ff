package cli

import (
	"context"
	"path/filepath"
	"time"

	"github.com/spf13/pflag"

	"espalier.dev/espalier/internal/build"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/pin"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/sandbox"
	"espalier.dev/espalier/internal/store"
	"espalier.dev/espalier/internal/supply/crates"
)

// workOptions choose what of a project is meant, and how its steps run.
type workOptions struct {
	Package   string
	flags     project.Flags
	NoSandbox bool
}

func (o *workOptions) addFlags(f *pflag.FlagSet) {
	f.StringVarP(&o.Package, "package", "p", "", "build the workspace member `NAME`")
	f.StringVar(&o.flags.Bin, "bin", "", "build the binary `NAME`")
	f.StringVar(&o.flags.Example, "example", "", "build the example `NAME`")
	f.StringVar(&o.flags.Profile, "profile", "", "build with the profile `NAME` (default release)")
	f.StringVar(&o.flags.Target, "target", "", "build for the target `TRIPLE`")
	f.StringSliceVarP(&o.flags.Features, "features", "F", nil, "activate the `FEATURES`, separated by commas")
	f.BoolVar(&o.flags.NoDefaultFeatures, "no-default-features", false, "leave the default features out")
	f.BoolVar(&o.flags.AllFeatures, "all-features", false, "activate all features")
	o.addSandboxFlag(f)
}

func (o *workOptions) addSandboxFlag(f *pflag.FlagSet) {
	f.BoolVar(&o.NoSandbox, "no-sandbox", false, "run steps without the sandbox: the result is labelled and never shared")
}

// workspace is an opened project with its store.
type workspace struct {
	project *project.Project
	options project.Options
	store   *store.Store
	box     sandbox.Local
	app     *app
}

// open opens the project and the store. The caller closes it.
func (a *app) open(ctx context.Context, o workOptions) (*workspace, error) {
	if o.flags.Store == "" {
		o.flags.Store = a.global.Store
	}
	options := project.Options{Package: o.Package, Flags: o.flags, Lookup: a.lookup, UserFile: userFile()}
	p, err := project.Open(a.projectDir(), options)
	if err != nil {
		return nil, err
	}
	for _, n := range p.Notes {
		a.ui.Note("%s", n)
	}
	st, err := a.openStore(ctx, p)
	if err != nil {
		return nil, err
	}
	if o.NoSandbox {
		a.ui.Note("without the sandbox: the result may depend on this machine and is not shared")
	}
	return &workspace{project: p, options: options, store: st, box: sandbox.Local{NoSandbox: o.NoSandbox}, app: a}, nil
}

// reopen reads the project again, after a file of it was made.
func (w *workspace) reopen() (err error) {
	w.project, err = project.Open(w.app.projectDir(), w.options)
	return err
}

func (w *workspace) close() { w.store.Close() }

// lockPath is where the project's lock is or will be.
func (w *workspace) lockPath() string { return filepath.Join(w.project.Workspace, lock.FileName) }

// pins reads the lock and checks it against the project.
func (w *workspace) pins() (*lock.File, error) { return lock.Load(w.project) }

// session is what locking and fetching need.
func (w *workspace) session() (*pin.Session, error) {
	var registries []string
	for _, r := range w.project.Cargo.Registries {
		if r.Name != "" {
			registries = append(registries, r.Name)
		}
	}
	cargo, err := crates.ReadHostCargo(w.app.lookup, registries...)
	if err != nil {
		return nil, err
	}
	for _, n := range cargo.Notes {
		w.app.ui.Note("%s", n)
	}
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
		Sources:  pin.SourcesOf(w.project.Espalier.Supply),
		CargoEnv: cargo,
	}, nil
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
	pins, err := w.pins()
	if err != nil {
		return build.Plan{}, err
	}
	return w.plan(ctx, pins)
}
