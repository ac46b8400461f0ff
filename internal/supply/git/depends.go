package git

import (
	"cmp"
	"maps"
	"path"
	"slices"

	"github.com/pelletier/go-toml/v2"
)

// Dependency is a package that a package of a commit takes from another git
// repository.
type Dependency struct {
	Package  string
	URL, Ref string // as in Source
	Optional bool
}

// Packages are the packages of a commit.
type Packages struct{ w *writer }

// Needs lists what the package called name, and those of the same commit on
// which it depends by path, take from git repositories. What tests need does
// not count: tests of dependencies are not run. The zero Packages needs nothing.
func (p Packages) Needs(name string) []Dependency {
	if p.w == nil {
		return nil
	}
	var out []Dependency
	seen := map[string]bool{}
	var visit func(dir string, optional bool)
	visit = func(dir string, optional bool) {
		m := p.w.at(dir)
		if m.name == "" || seen[dir] {
			return
		}
		seen[dir] = true
		for _, d := range p.w.depends(m) {
			d.Optional = d.Optional || optional
			switch {
			case d.URL != "":
				out = append(out, d.Dependency)
			case d.local:
				visit(d.dir, d.Optional)
			}
		}
	}
	for _, m := range p.w.manifests {
		if m.name == name {
			visit(m.dir, false)
		}
	}
	return out
}

// dependency is one line of a manifest that names a repository or a path.
type dependency struct {
	Dependency
	local bool
	dir   string // of a path dependency, in the tree of the commit
}

type dependencyTables struct {
	Dependencies map[string]any
	Build        map[string]any `toml:"build-dependencies"`
}

// depends reads the dependencies of one manifest, with what it inherits.
func (w *writer) depends(m manifest) []dependency {
	var t struct {
		dependencyTables
		Target map[string]dependencyTables
	}
	var root struct{ Workspace dependencyTables }
	if toml.Unmarshal(m.text, &t) != nil {
		return nil
	}
	rootDir, _ := w.nearestRoot(m.dir)
	_ = toml.Unmarshal(w.at(rootDir).text, &root) // one that cannot be read has nothing to inherit

	var out []dependency
	add := func(table map[string]any) {
		for _, name := range slices.Sorted(maps.Keys(table)) {
			v, _ := table[name].(map[string]any)
			base, optional := m.dir, v["optional"] == true
			if v["workspace"] == true {
				v, _ = root.Workspace.Dependencies[name].(map[string]any)
				base = rootDir
			}
			text := func(key string) string { s, _ := v[key].(string); return s }
			d := dependency{Dependency: Dependency{Package: cmp.Or(text("package"), name), URL: text("git"), Optional: optional}}
			for _, ref := range []string{"rev", "tag", "branch"} {
				if s := text(ref); s != "" {
					d.Ref = ref + "=" + s
				}
			}
			if p := text("path"); d.URL == "" && p != "" {
				d.local, d.dir = true, path.Join(base, p)
				if d.dir == "." {
					d.dir = ""
				}
			}
			if d.URL != "" || d.local {
				out = append(out, d)
			}
		}
	}
	tables := []dependencyTables{t.dependencyTables}
	for _, cfg := range slices.Sorted(maps.Keys(t.Target)) {
		tables = append(tables, t.Target[cfg])
	}
	for _, x := range tables {
		add(x.Dependencies)
		add(x.Build)
	}
	return out
}
