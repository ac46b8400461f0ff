package cargo

import (
	"path/filepath"
	"strings"

	"espalier.dev/espalier/internal/config"
	"espalier.dev/espalier/internal/tomldoc"
)

// manifest is one Cargo.toml.
type manifest struct {
	path string // absolute
	dir  string
	toml *tomldoc.Node
	pkg  *tomldoc.Node // [package] (or the old [project]); nil for a virtual manifest
	ws   *tomldoc.Node // [workspace]
	root *manifest     // of the workspace that fields are inherited from; may be nil
}

// manifest loads path once.
func (l *loader) manifest(path string) (*manifest, error) {
	if m, ok := l.manifests[path]; ok {
		return m, nil
	}
	n, err := l.TOML(path)
	if err != nil {
		return nil, err
	}
	if n == nil {
		return nil, config.Failf(nil, "reading %s: no such file", l.Show(path))
	}
	m := &manifest{path: path, dir: filepath.Dir(path), toml: n}
	r := &tomldoc.Reader{}
	m.ws = r.Table(n, "workspace")
	if m.pkg = r.Table(n, "package"); m.pkg == nil {
		m.pkg = r.Table(n, "project")
	}
	if m.pkg != nil {
		switch name := r.String(m.pkg, "name"); {
		case r.Err() != nil:
		case m.pkg.Get("name") == nil:
			r.Fail(m.pkg.Errorf("[package] has no name"))
		case !validPackageName(name):
			r.Fail(m.pkg.Get("name").Errorf("package name %q: letters, digits, - and _ only", name))
		}
	} else if m.ws == nil {
		r.Fail(n.ErrorAt(tomldoc.Pos{Line: 1, Col: 1}, "neither [package] nor [workspace]: this is not a manifest"))
	}
	if r.Err() != nil {
		return nil, l.Fault(r.Err())
	}
	l.manifests[path] = m
	return m, nil
}

func validPackageName(s string) bool {
	if s == "" {
		return false
	}
	for _, c := range s {
		if c < 0x80 && !(c == '-' || c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z') {
			return false
		}
	}
	return true
}

// name of the package; empty for a virtual manifest.
func (m *manifest) name() string {
	if n := m.pkg.Get("name"); n != nil {
		return n.Text
	}
	return ""
}

// field returns package.<key>, taken from [workspace.package] of the root when
// it says workspace = true.
func (m *manifest) field(key string) (*tomldoc.Node, error) {
	n := m.pkg.Get(key)
	if w := n.Get("workspace"); w == nil || w.Kind != tomldoc.Bool || !w.Bool {
		return n, nil
	}
	if m.root == nil {
		return nil, n.Errorf("package.%s is inherited, but no workspace was found above %s", key, filepath.Base(m.dir))
	}
	if v := m.root.ws.Get("package", key); v != nil {
		return v, nil
	}
	return nil, n.Errorf("package.%s is inherited, but [workspace.package] of the workspace does not have it", key)
}

// text is a string field with its origin, def when it is missing.
func (m *manifest) text(r *tomldoc.Reader, key, def string) config.Value[string] {
	n, err := m.field(key)
	if err != nil {
		r.Fail(err)
	}
	switch {
	case n == nil:
		if def == "" {
			return config.Value[string]{}
		}
		return config.NewValue(def, config.Default())
	case n.Kind != tomldoc.String:
		r.Fail(n.Errorf("package.%s: want a string, found %s", key, n.Kind))
	}
	return config.NewValue(n.Text, config.At(n.File(), n.Pos))
}

// either looks a key up under its name with dashes and its old one with
// underscores.
func either(t *tomldoc.Node, key string) *tomldoc.Node {
	if n := t.Get(key); n != nil {
		return n
	}
	return t.Get(strings.ReplaceAll(key, "-", "_"))
}

// depend reads all dependencies of m, in file order within each table.
func (m *manifest) depend() ([]Dependency, error) {
	var out []Dependency
	tables := func(from *tomldoc.Node, platform string) error {
		for _, k := range []struct{ key, kind string }{{"dependencies", ""}, {"dev-dependencies", "dev"}, {"build-dependencies", "build"}} {
			t := either(from, k.key)
			if t == nil {
				continue
			}
			if t.Kind != tomldoc.Table {
				return t.Errorf("%s: want a table, found %s", k.key, t.Kind)
			}
			for _, e := range t.Keys {
				d, err := m.dependency(e)
				if err != nil {
					return err
				}
				d.Kind, d.Platform = k.kind, platform
				out = append(out, d)
			}
		}
		return nil
	}
	if err := tables(m.toml, ""); err != nil {
		return nil, err
	}
	if t := m.toml.Get("target"); t != nil && t.Kind == tomldoc.Table {
		for _, e := range t.Keys {
			if err := tables(e.Value, e.Name); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// dependency reads one entry and resolves `workspace = true`.
func (m *manifest) dependency(e tomldoc.Key) (Dependency, error) {
	d, err := plainDependency(e, m.dir)
	if err != nil {
		return d, err
	}
	w := e.Value.Get("workspace")
	if w == nil || w.Kind != tomldoc.Bool || !w.Bool {
		return d, nil
	}
	if m.root == nil {
		return d, e.Value.ErrorAt(e.Pos, "dependency %q is inherited, but no workspace was found above %s", e.Name, filepath.Base(m.dir))
	}
	base := m.root.ws.Get("dependencies", e.Name)
	if base == nil {
		return d, e.Value.ErrorAt(e.Pos, "dependency %q is inherited, but [workspace.dependencies] does not have it", e.Name)
	}
	b, err := plainDependency(tomldoc.Key{Name: e.Name, Pos: e.Pos, Value: base}, m.root.dir)
	if err != nil {
		return d, err
	}
	b.Features = append(b.Features, d.Features...)
	b.Optional, b.Origin = d.Optional, d.Origin
	return b, nil
}

// plainDependency reads an entry without inheritance; a path is made absolute from dir.
func plainDependency(e tomldoc.Key, dir string) (Dependency, error) {
	v := e.Value
	d := Dependency{Name: e.Name, Package: e.Name, Origin: config.At(v.File(), e.Pos)}
	switch v.Kind {
	case tomldoc.String:
		d.Req = v.Text
		return d, nil
	case tomldoc.Table:
	default:
		return d, v.Errorf("dependency %q: want a version or a table, found %s", e.Name, v.Kind)
	}
	r := &tomldoc.Reader{}
	d.Req = r.String(v, "version")
	if p := r.String(v, "package"); p != "" {
		d.Package = p
	}
	if p := r.String(v, "path"); v.Get("path") != nil {
		d.Path = filepath.Join(dir, filepath.FromSlash(p))
		if filepath.IsAbs(filepath.FromSlash(p)) {
			d.Path = filepath.Clean(filepath.FromSlash(p))
		}
	}
	d.Git = r.String(v, "git")
	for _, ref := range []string{"rev", "tag", "branch"} {
		if s := r.String(v, ref); s != "" && d.Git != "" {
			d.Ref = ref + "=" + s
		}
	}
	d.Registry = r.String(v, "registry")
	d.Features = r.Strings(v, "features")
	d.Optional = r.Bool(v, "optional", false)
	if n := either(v, "default-features"); n != nil && n.Kind == tomldoc.Bool {
		d.NoDefaultFeatures = !n.Bool
	}
	return d, r.Err()
}

// patches reads [patch] and [replace] of a root manifest.
func (m *manifest) patches() ([]Dependency, error) { return patchTables(m.toml, m.dir) }

func patchTables(t *tomldoc.Node, dir string) ([]Dependency, error) {
	var out []Dependency
	add := func(from *tomldoc.Node, kind, what string) error {
		if from == nil || from.Kind != tomldoc.Table {
			return nil
		}
		for _, e := range from.Keys {
			d, err := plainDependency(e, dir)
			if err != nil {
				return err
			}
			d.Kind, d.Patches = kind, what
			out = append(out, d)
		}
		return nil
	}
	if p := t.Get("patch"); p != nil && p.Kind == tomldoc.Table {
		for _, e := range p.Keys {
			if err := add(e.Value, "patch", e.Name); err != nil {
				return nil, err
			}
		}
	}
	return out, add(t.Get("replace"), "replace", "")
}
