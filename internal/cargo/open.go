package cargo

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sort"

	"espalier.dev/espalier/internal/config"
)

// Workspace is a cargo workspace, or a single package, as its files describe
// it. All paths are absolute and in the system's form.
type Workspace struct {
	Dir      string       // of the root manifest, where Cargo.lock is
	Manifest string       // the root manifest
	Current  string       // directory of the package whose manifest is the nearest; empty for a virtual manifest
	Packages []Package    // members and path dependencies, sorted by Dir
	Patches  []Dependency // [patch] and [replace]
	Profiles []string     // names under [profile]
	Lock     *Lock        // nil when there is no Cargo.lock

	manifests []*manifest // root, members, others
}

// loader reads each manifest once.
type loader struct {
	*config.Reader
	manifests map[string]*manifest
}

// Find returns the nearest Cargo.toml in dir or above; empty when there is
// none.
func Find(dir string) string {
	for _, d := range config.Parents(dir) {
		if p := filepath.Join(d, "Cargo.toml"); config.IsFile(p) {
			return p
		}
	}
	return ""
}

// Open reads the workspace around r.Dir. Faults are of kind Usage: no
// Cargo.toml, a file that does not parse, a member that is missing.
func Open(r *config.Reader) (*Workspace, error) {
	path := Find(r.Dir)
	if path == "" {
		hints := []string{"espalier new hello"}
		if config.IsFile(filepath.Join(r.Dir, "cargo.toml")) {
			hints = []string{"mv cargo.toml Cargo.toml"}
		}
		return nil, config.Failf(hints, "opening %s: no Cargo.toml here or in any directory above", filepath.ToSlash(r.Dir))
	}
	l := &loader{r, map[string]*manifest{}}
	w, err := l.workspace(path)
	if err != nil {
		return nil, err
	}
	out := &Workspace{Dir: w.root.dir, Manifest: w.root.path, manifests: append([]*manifest{w.root}, w.members...)}
	out.manifests = append(out.manifests, w.others...)
	if w.current.pkg != nil {
		out.Current = w.current.dir
	}
	if out.Packages, err = l.packages(w); err != nil {
		return nil, err
	}
	if out.Patches, err = w.root.patches(); err != nil {
		return nil, l.Fault(err)
	}
	if t := w.root.toml.Get("profile"); t != nil {
		for _, k := range t.Keys {
			out.Profiles = append(out.Profiles, k.Name)
		}
	}
	out.Lock, err = l.lock(w.root.dir)
	return out, err
}

// packages reads all packages of the workspace.
func (l *loader) packages(w *workspace) ([]Package, error) {
	members := len(w.members)
	var out []Package
	for i, m := range append(append([]*manifest{}, w.members...), w.others...) {
		p, err := l.ownPackage(m)
		if err != nil {
			return nil, err
		}
		p.Member = i < members
		p.Default = p.Member && w.isDefault(m)
		p.manifest = m
		if m.root != nil {
			p.Root = m.root.path
		}
		for _, k := range []string{"readme", "license-file"} {
			if n, err := m.field(k); err == nil && n != nil && n.Text != "" {
				p.Texts = append(p.Texts, filepath.Join(m.dir, filepath.FromSlash(n.Text)))
			}
		}
		out = append(out, p)
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].Dir < out[j].Dir })
	return out, l.collision(out)
}

// collision refuses two packages of one name and version: Cargo.lock has no
// key to distinguish them (rust-lang/cargo#10353).
func (l *loader) collision(all []Package) error {
	first := map[[2]string]Package{}
	for _, p := range all {
		id := [2]string{p.Name, p.Version}
		o, there := first[id]
		if !there {
			first[id] = p
			continue
		}
		n := p.manifest.pkg.Get("name")
		return l.Fault(n.Errorf("package %s %s is also at %s; Cargo.lock cannot tell them apart", p.Name, p.Version, l.Show(o.Manifest)),
			"give one of the two another name or version")
	}
	return nil
}

// isDefault reports whether m is built when nothing is named: default-members,
// else all.
func (w *workspace) isDefault(m *manifest) bool {
	list := w.root.ws.Get("default-members")
	if list == nil {
		return true
	}
	for _, e := range list.Elem {
		for _, d := range glob(filepath.Join(w.root.dir, filepath.FromSlash(e.Text))) {
			if d == m.dir {
				return true
			}
		}
	}
	return false
}

func (l *loader) lock(dir string) (*Lock, error) {
	path := filepath.Join(dir, "Cargo.lock")
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, config.Failf(nil, "reading %s: %w", l.Show(path), config.Pathless(err))
	}
	lock, err := ParseLock(path, b)
	if err != nil {
		return nil, l.Fault(err)
	}
	return lock, nil
}
