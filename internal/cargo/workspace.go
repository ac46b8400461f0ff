package cargo

import (
	"os"
	"path/filepath"
	"sort"
	"strings"

	"espalier.dev/espalier/internal/config"
	"espalier.dev/espalier/internal/tomldoc"
)

// workspace is the set of manifests around the nearest one.
type workspace struct {
	current *manifest
	root    *manifest   // equal to current when nothing above claims it
	members []*manifest // sorted by directory
	others  []*manifest // path dependencies that are no members, transitively
}

// workspaceRoot returns the manifest that claims m as part of its workspace,
// or nil. The search is lexical and stops at the first claim.
func (l *loader) workspaceRoot(m *manifest) (*manifest, error) {
	if m.ws != nil {
		return m, nil
	}
	if ptr := m.pkg.Get("workspace"); ptr != nil {
		if ptr.Kind != tomldoc.String {
			return nil, l.Fault(ptr.Errorf("package.workspace: want a string, found %s", ptr.Kind))
		}
		p := filepath.Join(m.dir, filepath.FromSlash(ptr.Text), "Cargo.toml")
		if !config.IsFile(p) {
			return nil, l.Fault(ptr.Errorf("package.workspace names %s, which has no Cargo.toml", ptr.Text))
		}
		root, err := l.manifest(p)
		if err != nil {
			return nil, err
		}
		if root.ws == nil {
			return nil, l.Fault(ptr.Errorf("package.workspace names %s, which has no [workspace]", l.Show(p)))
		}
		return root, nil
	}
	for _, d := range config.Parents(m.dir)[1:] {
		p := filepath.Join(d, "Cargo.toml")
		if !config.IsFile(p) {
			continue
		}
		up, err := l.manifest(p)
		if err != nil {
			return nil, err
		}
		if up.ws != nil && !excluded(up, m.path) {
			return up, nil
		}
		if ptr := up.pkg.Get("workspace"); up.ws == nil && ptr != nil && ptr.Kind == tomldoc.String {
			return l.workspaceRoot(up)
		}
	}
	return nil, nil
}

// excluded is cargo's rule: below an excluded directory and not below one that
// members lists literally.
func excluded(root *manifest, manifestPath string) bool {
	under := func(key string) bool {
		list := root.ws.Get(key)
		if list == nil {
			return false
		}
		for _, e := range list.Elem {
			if e.Kind == tomldoc.String && config.Within(manifestPath, filepath.Join(root.dir, filepath.FromSlash(e.Text))) {
				return true
			}
		}
		return false
	}
	return under("exclude") && !under("members")
}

// workspace reads the manifest at path and everything that belongs to it.
func (l *loader) workspace(path string) (*workspace, error) {
	cur, err := l.manifest(path)
	if err != nil {
		return nil, err
	}
	w := &workspace{current: cur}
	if w.root, err = l.workspaceRoot(cur); err != nil {
		return nil, err
	}
	if w.root == nil {
		// A package without a workspace has no members but itself: its path
		// dependencies are its own, but other packages to cargo.
		w.root = cur
		w.members = []*manifest{cur}
	} else if err := l.members(w); err != nil {
		return nil, err
	}
	if err := l.others(w); err != nil {
		return nil, err
	}
	return w, nil
}

// members follows the globs of the root and the path dependencies below it.
func (l *loader) members(w *workspace) error {
	seen := map[string]bool{}
	var visit func(path string, dependency bool) error
	visit = func(path string, dependency bool) error {
		if seen[path] {
			return nil
		}
		m, err := l.manifest(path)
		if err != nil {
			return err
		}
		if dependency && !config.Within(m.dir, w.root.dir) {
			claimed, err := l.workspaceRoot(m)
			if err != nil {
				return err
			}
			if claimed != w.root {
				return nil
			}
		}
		if excluded(w.root, path) {
			return nil
		}
		if dependency && m.ws != nil && m != w.root {
			return nil // a workspace of its own inside ours: cargo refuses it as a member
		}
		seen[path] = true
		m.root = w.root
		if m.pkg == nil {
			return nil
		}
		w.members = append(w.members, m)
		deps, err := m.depend()
		if err != nil {
			return l.Fault(err)
		}
		for _, d := range deps {
			if d.Path == "" {
				continue
			}
			if err := l.needManifest(d); err != nil {
				return err
			}
			if err := visit(filepath.Join(d.Path, "Cargo.toml"), true); err != nil {
				return err
			}
		}
		return nil
	}
	if list := w.root.ws.Get("members"); list != nil {
		r := &tomldoc.Reader{}
		for i, pattern := range r.Strings(w.root.ws, "members") {
			e := list.Elem[i]
			dirs := glob(filepath.Join(w.root.dir, filepath.FromSlash(pattern)))
			if len(dirs) == 0 {
				hints := append(submoduleHint(filepath.Join(w.root.dir, filepath.FromSlash(pattern))), "remove "+quoted(pattern)+" from members in "+l.Show(w.root.path))
				return l.Fault(e.Errorf("workspace member %q: no such directory", pattern), hints...)
			}
			for _, d := range dirs {
				if !config.IsDir(d) {
					continue
				}
				if !config.IsFile(filepath.Join(d, "Cargo.toml")) {
					hints := append(submoduleHint(d), "add exclude = ["+quoted(filepath.ToSlash(config.Rel(w.root.dir, d)))+"] to [workspace] in "+l.Show(w.root.path))
					return l.Fault(e.Errorf("workspace member %q: %s has no Cargo.toml", pattern, l.Show(d)), hints...)
				}
				if err := visit(filepath.Join(d, "Cargo.toml"), false); err != nil {
					return err
				}
			}
		}
		if r.Err() != nil {
			return l.Fault(r.Err())
		}
	}
	if err := visit(w.root.path, false); err != nil {
		return err
	}
	if w.current != w.root && !seen[w.current.path] {
		rel := filepath.ToSlash(config.Rel(w.root.dir, w.current.dir))
		return config.Failf([]string{
			"add " + quoted(rel) + " to members in " + l.Show(w.root.path),
			"or add " + quoted(rel) + " to exclude there",
			"or add an empty [workspace] table to " + l.Show(w.current.path),
		}, "%s: package %q is below the workspace %s, which does not list it", l.Show(w.current.path), w.current.name(), l.Show(w.root.path))
	}
	sort.Slice(w.members, func(i, j int) bool { return w.members[i].dir < w.members[j].dir })
	return l.sameNames(w.members)
}

// others collects the path dependencies that are no members: of [patch] and
// [replace] too, and theirs in turn. Their dev-dependencies are never built.
func (l *loader) others(w *workspace) error {
	seen := map[*manifest]bool{}
	for _, m := range w.members {
		seen[m] = true
	}
	var follow func(m *manifest, deps []Dependency, all bool) error
	follow = func(m *manifest, deps []Dependency, all bool) error {
		for _, d := range deps {
			if d.Path == "" || d.Kind == "dev" && !all {
				continue
			}
			if err := l.needManifest(d); err != nil {
				return err
			}
			o, err := l.manifest(filepath.Join(d.Path, "Cargo.toml"))
			if err != nil {
				return err
			}
			if seen[o] || o.pkg == nil {
				continue
			}
			seen[o] = true
			if o.root, err = l.workspaceRoot(o); err != nil {
				return err
			}
			w.others = append(w.others, o)
			theirs, err := o.depend()
			if err != nil {
				return l.Fault(err)
			}
			if err := follow(o, theirs, false); err != nil {
				return err
			}
		}
		return nil
	}
	for _, m := range w.members {
		deps, err := m.depend()
		if err != nil {
			return l.Fault(err)
		}
		if err := follow(m, deps, true); err != nil {
			return err
		}
	}
	patches, err := w.root.patches()
	if err != nil {
		return l.Fault(err)
	}
	if err := follow(w.root, patches, false); err != nil {
		return err
	}
	sort.Slice(w.others, func(i, j int) bool { return w.others[i].dir < w.others[j].dir })
	return nil
}

// needManifest checks that a path dependency is there.
func (l *loader) needManifest(d Dependency) error {
	if config.IsFile(filepath.Join(d.Path, "Cargo.toml")) {
		return nil
	}
	e := &tomldoc.Error{File: d.Origin.File, Pos: tomldoc.Pos{Line: d.Origin.Line, Col: d.Origin.Col},
		Msg: "path dependency " + quoted(d.Name) + ": " + l.Show(d.Path) + " has no Cargo.toml"}
	return l.Fault(e, submoduleHint(d.Path)...)
}

// submoduleHint is the command that fetches the git submodule which dir is in,
// for a directory that lacks its files: a clone does not have them by itself.
func submoduleHint(dir string) []string {
	for _, top := range config.Parents(dir) {
		b, err := os.ReadFile(filepath.Join(top, ".gitmodules"))
		if err != nil {
			continue
		}
		rel := filepath.ToSlash(config.Rel(top, dir))
		for line := range strings.Lines(string(b)) {
			key, path, _ := strings.Cut(line, "=")
			path = strings.TrimSpace(path)
			if strings.TrimSpace(key) == "path" && path != "" && (rel == path || strings.HasPrefix(rel, path+"/")) {
				return []string{"git submodule update --init " + path}
			}
		}
	}
	return nil
}

// sameNames refuses two members of one name, which cargo cannot address.
func (l *loader) sameNames(ms []*manifest) error {
	by := map[string]*manifest{}
	for _, m := range ms {
		if o, ok := by[m.name()]; ok {
			n := m.pkg.Get("name")
			return l.Fault(n.Errorf("package name %q is taken by %s of the same workspace", m.name(), l.Show(o.path)),
				"rename one of them, or list its directory under exclude of [workspace]")
		}
		by[m.name()] = m
	}
	return nil
}

func quoted(s string) string { return `"` + s + `"` }
