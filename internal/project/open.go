package project

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sort"

	"espalier.dev/espalier/internal/fault"
)

// Open reads the project around dir.
//
// Faults of kind Usage: no Cargo.toml above dir, a file that does not parse, a
// member that is missing, an open choice between members, a link that leaves
// the tree. Everything else that can be said is in Notes.
func Open(dir string, opts Options) (*Project, error) {
	abs, err := filepath.Abs(dir)
	if err == nil {
		abs, err = filepath.EvalSymlinks(abs) // what getcwd tells cargo
	}
	if err != nil {
		return nil, failf(nil, "opening %s: %w", dir, pathless(err))
	}
	if st, err := os.Stat(abs); err == nil && !st.IsDir() {
		abs = filepath.Dir(abs) // a manifest or any other file of the project
	}
	l := &loader{dir: abs, manifests: map[string]*manifest{}}
	path, err := l.findManifest(abs)
	if err != nil {
		return nil, err
	}
	w, err := l.workspace(path)
	if err != nil {
		return nil, err
	}
	p := &Project{Workspace: w.root.dir}
	if err := l.own(p, w); err != nil {
		return nil, err
	}
	x, err := l.newLayers(w, opts)
	if err != nil {
		return nil, err
	}
	if err := l.choose(p, w, x, opts); err != nil {
		return nil, err
	}
	p.Root = commonRoot(w)
	if err := l.settings(p, w, x, opts); err != nil {
		return nil, err
	}
	if p.Toolchain, err = l.toolchain(p.Member, p.Root); err != nil {
		return nil, err
	}
	if p.CargoLock, err = l.cargoLock(w.root.dir); err != nil {
		return nil, err
	}
	if p.Patches, err = w.root.patches(); err != nil {
		return nil, l.fault(err)
	}
	t, err := l.inputs(p, w)
	if err != nil {
		return nil, err
	}
	l.keepNamed(p, t)
	if err := l.checkSecrets(p, w); err != nil {
		return nil, err
	}
	p.Notes = l.notes
	p.relocate()
	for _, o := range p.Compiled() {
		if o.RustVersion.V != "" {
			p.MSRV = append(p.MSRV, MSRV{o.Name, o.RustVersion.V, o.RustVersion.Origin})
		}
	}
	if err := l.checkProfile(p, w); err != nil {
		return nil, err
	}
	return p, nil
}

// own reads all packages of the workspace.
func (l *loader) own(p *Project, w *workspace) error {
	member := map[*manifest]bool{}
	for _, m := range w.members {
		member[m] = true
	}
	for _, m := range append(append([]*manifest{}, w.members...), w.others...) {
		o, err := l.ownPackage(m)
		if err != nil {
			return err
		}
		o.Member = member[m]
		p.Own = append(p.Own, o)
	}
	sort.SliceStable(p.Own, func(i, j int) bool { return p.Own[i].Dir < p.Own[j].Dir })
	return nil
}

// settings resolves the configuration of the chosen member.
func (l *loader) settings(p *Project, w *workspace, x *layers, opts Options) error {
	if p.Root != p.Workspace {
		l.note(Origin{}, "packages outside the workspace's directory: the input tree begins at "+filepath.ToSlash(p.Root)+", and the firmware's bits depend on how the packages lie to each other")
	}
	var err error
	p.Espalier, p.Cargo, err = l.espalier(x, w, p.Root, opts, func(want string) (CargoConfig, error) {
		return l.cargoConfig(p.Member, p.Root, want)
	})
	if err != nil {
		return err
	}
	p.Profile = p.Espalier.Build.Profile.V
	p.Binary, p.Example = p.Espalier.Build.Bin.V, p.Espalier.Build.Example.V
	if p.Binary == "" && p.Example == "" {
		p.Binary = p.ownOf(w.current).DefaultRun
	}
	return nil
}

func (l *loader) cargoLock(dir string) (*CargoLock, error) {
	path := filepath.Join(dir, "Cargo.lock")
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, failf(nil, "reading %s: %w", l.show(path), pathless(err))
	}
	lock, err := parseCargoLock(path, b)
	if err != nil {
		return nil, l.fault(err)
	}
	return lock, nil
}

// checkProfile refuses a profile that nothing defines.
func (l *loader) checkProfile(p *Project, w *workspace) error {
	names := []string{"dev", "release", "test", "bench"}
	if t := w.root.toml.Get("profile"); t != nil {
		for _, k := range t.Keys {
			names = append(names, k.Name)
		}
	}
	names = append(names, p.Cargo.Profiles...)
	for _, n := range names {
		if n == p.Profile {
			return nil
		}
	}
	hint := "espalier build --profile release"
	if p.Profile == "debug" {
		hint = "espalier build --profile dev"
	}
	return fault.New(fault.Usage, p.Espalier.Build.Profile.Origin.String()+": no profile "+quoted(p.Profile)+" in "+l.show(w.root.path), hint)
}
