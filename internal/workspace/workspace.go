package workspace

import (
	"context"
	"path/filepath"
	"time"

	"espalier.dev/espalier/internal/action"
	"espalier.dev/espalier/internal/build"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/remote"
	"espalier.dev/espalier/internal/sandbox"
	"espalier.dev/espalier/internal/store"
	"espalier.dev/espalier/internal/ui"
)

// Selection is what of a project is meant, how its steps run, and what its user
// allows.
type Selection struct {
	Package   string        // the workspace member; "": as configured, or the only one
	Flags     project.Flags // of the command line: binary, example, features, profile, target, board
	Release   bool          // the profile release, and no other
	NoSandbox bool          // steps run without the sandbox: the result is labelled and never shared
	Locked    bool          // the lock must exist and fit, also when CI is set

	MayLock  bool // a project without a lock, or with a stale one, is locked
	Emulated bool // the firmware is for the emulated board, whose network gives missing credentials
}

// Workspace is an opened project with its store.
type Workspace struct {
	Project *project.Project
	Store   *store.Store
	Box     sandbox.Local // where steps run, but for those that a cluster runs

	cache     *remote.Cache   // nil: none
	cluster   *remote.Cluster // nil: none
	opener    Opener
	options   project.Options // to open Project again
	selection Selection
	ui        *ui.UI
	secrets   map[string]string // values that were needed, by name
}

// Open opens the project and the store. The caller closes it.
func (o Opener) Open(ctx context.Context, s Selection) (*Workspace, error) {
	if s.Release {
		if p := s.Flags.Profile; p != "" && p != "release" {
			return nil, fault.New(fault.Usage, "--release and --profile "+p+" exclude each other")
		}
		s.Flags.Profile = "release"
	}
	options := o.Options(s.Flags)
	options.Package, options.Emulated = s.Package, s.Emulated
	p, err := project.Open(o.dir(), options)
	if err != nil {
		return nil, err
	}
	for _, n := range p.Notes {
		o.UI.Note("%s", n)
	}
	st, err := o.OpenStore(ctx, p.Espalier)
	if err != nil {
		return nil, err
	}
	sandbox.Sweep(st.Dir())
	box := sandbox.Local{NoSandbox: s.NoSandbox}
	var cache *remote.Cache
	var cluster *remote.Cluster
	if !s.NoSandbox {
		if cache, err = o.Cache(p.Espalier.Remote); err == nil {
			cluster, err = o.Cluster(p.Espalier.Remote, box)
		}
		if err != nil {
			st.Close()
			return nil, err
		}
	}
	if s.NoSandbox {
		o.UI.Note("without the sandbox: the result may depend on this machine and is not shared")
	}
	return &Workspace{
		Project: p, Store: st, Box: box,
		cache: cache, cluster: cluster, opener: o, options: options, selection: s, ui: o.UI,
	}, nil
}

// Close waits for what is being written to the shared cache, releases the store,
// and keeps it within its limit. A second call does
// nothing: a long run closes early, so that gc can use the store.
func (w *Workspace) Close() {
	if w.Store == nil {
		return
	}
	w.cache.Wait()
	w.Store.Close()
	w.Store = nil
	e := w.Project.Espalier
	if r, err := store.Trim(context.Background(), e.Store.V, e.StoreLimit.V, time.Now()); err != nil {
		w.ui.Debugf("keeping the store within its limit: %v", err)
	} else if r.Freed > 0 {
		w.ui.Debugf("the store was over its limit; removed %s that was not used lately", ui.Size(r.Freed))
	}
}

// OutDir is where builds are written: below cargo's own target directory, which
// every project already keeps out of its repository.
func (w *Workspace) OutDir() string { return filepath.Join(w.Project.Workspace, "target", "espalier") }

// Plan makes the steps of the project's firmware.
func (w *Workspace) Plan(ctx context.Context, pins *lock.File) (build.Plan, error) {
	if err := w.ResolveSecrets(ctx); err != nil {
		return build.Plan{}, err
	}
	m, err := build.Assemble(ctx, w.Store, w.Project, pins, lock.Host(), w.ui)
	if err != nil {
		return build.Plan{}, err
	}
	return build.PlanFor(ctx, w.Store, w.Project, pins, m)
}

// LockedPlan is the plan of the project as it is locked.
func (w *Workspace) LockedPlan(ctx context.Context) (build.Plan, error) {
	pins, err := w.Pins(ctx)
	if err != nil {
		return build.Plan{}, err
	}
	return w.Plan(ctx, pins)
}

// executor runs steps on the cluster, if there is one.
func (w *Workspace) executor() action.Executor {
	if w.cluster != nil {
		return w.cluster
	}
	return w.Box
}

// Runner runs the steps of plans, and shows the compiler's messages.
func (w *Workspace) Runner() build.Runner {
	return build.Runner{
		Store:       w.Store,
		Executor:    w.executor(),
		Unsandboxed: w.Box.NoSandbox,
		Cache:       w.cache,
		Report:      w.ui,
		Messages:    func(rendered string) { w.ui.Diagnostic(rendered) },
	}
}
