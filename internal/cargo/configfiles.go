package cargo

import (
	"path/filepath"
	"strings"

	"espalier.dev/espalier/internal/config"
	"espalier.dev/espalier/internal/tomldoc"
)

// files finds and merges the configuration that cargo would read when it
// starts in member: .cargo/config, else .cargo/config.toml, in every directory
// up to root. Those above root are returned, not read: they are not part of
// the input tree, so they do not exist for a build.
func (l configReader) files(member, root string) (merged *configValue, files, outside []string, err error) {
	for _, d := range config.Parents(member) {
		path, err := l.file(d)
		if err != nil {
			return nil, nil, nil, err
		}
		if path == "" {
			continue
		}
		if !config.Within(d, root) {
			outside = append(outside, path)
			continue
		}
		v, read, err := l.includes(path, nil)
		if err != nil {
			return nil, nil, nil, err
		}
		for _, f := range read {
			if !config.Within(f, root) {
				return nil, nil, nil, config.Failf(nil, "%s includes %s, which is outside the project", l.Show(path), l.Show(f))
			}
		}
		files = append(files, read...)
		if merged == nil {
			merged = v
		} else if err := mergeConfig(merged, v, false, nil); err != nil {
			return nil, nil, nil, l.Fault(err)
		}
	}
	return merged, files, outside, nil
}

// cargoFile is the configuration in one directory; empty when there is none.
func (l configReader) file(dir string) (string, error) {
	plain, suffixed := filepath.Join(dir, ".cargo", "config"), filepath.Join(dir, ".cargo", "config.toml")
	switch {
	case config.IsFile(plain) && config.IsFile(suffixed) && !sameFile(plain, suffixed):
		l.Note(config.Origin{File: plain}, "both .cargo/config and .cargo/config.toml exist; cargo reads the former only")
		return plain, nil
	case config.IsFile(plain):
		return plain, nil
	case config.IsFile(suffixed):
		return suffixed, nil
	}
	return "", nil
}

func sameFile(a, b string) bool {
	x, err1 := filepath.EvalSymlinks(a)
	y, err2 := filepath.EvalSymlinks(b)
	return err1 == nil && err2 == nil && x == y
}

// includes reads path and what it includes, included files first: the
// including file overrides them, a later include an earlier one. chain holds
// the files being read, to see a cycle.
func (l configReader) includes(path string, chain []string) (*configValue, []string, error) {
	n, err := l.TOML(path)
	if err != nil {
		return nil, nil, err
	}
	if n == nil {
		return nil, nil, config.Failf(nil, "reading %s: no such file", l.Show(path))
	}
	if err := CheckConfigSecrets(l.Reader, n); err != nil {
		return nil, nil, err
	}
	self := newConfigValue(n)
	files := []string{path}
	includes, err := includePaths(n)
	if err != nil {
		return nil, nil, l.Fault(err)
	}
	if len(includes) == 0 {
		return self, files, nil
	}
	delete(self.table, "include")
	chain = append(chain[:len(chain):len(chain)], path)
	var base *configValue
	for _, inc := range includes {
		p := filepath.Join(filepath.Dir(path), filepath.FromSlash(inc.path))
		if filepath.IsAbs(filepath.FromSlash(inc.path)) {
			return nil, nil, l.Fault(inc.node.Errorf("include %q: an absolute path does not exist in a build; use a path inside the project", inc.path))
		}
		for _, c := range chain {
			if c == p {
				return nil, nil, l.Fault(inc.node.Errorf("include %q: cycle through %s", inc.path, l.Show(p)))
			}
		}
		if !config.IsFile(p) {
			if inc.optional {
				continue
			}
			return nil, nil, l.Fault(inc.node.Errorf("include %q: no such file %s", inc.path, l.Show(p)))
		}
		v, read, err := l.includes(p, chain)
		if err != nil {
			return nil, nil, err
		}
		files = append(files, read...)
		if base == nil {
			base = v
		} else if err := mergeConfig(base, v, true, nil); err != nil {
			return nil, nil, l.Fault(err)
		}
	}
	if base == nil {
		return self, files, nil
	}
	if err := mergeConfig(base, self, true, nil); err != nil {
		return nil, nil, l.Fault(err)
	}
	return base, files, nil
}

type include struct {
	path     string
	optional bool
	node     *tomldoc.Node
}

// includePaths reads the include key: a list of paths or of tables {path,
// optional}; a single path as older cargos took it.
func includePaths(n *tomldoc.Node) ([]include, error) {
	list := n.Get("include")
	if list == nil {
		return nil, nil
	}
	elems := list.Elem
	switch list.Kind {
	case tomldoc.Array:
	case tomldoc.String, tomldoc.Table:
		elems = []*tomldoc.Node{list}
	default:
		return nil, list.Errorf("include: want a list of paths, found %s", list.Kind)
	}
	var out []include
	r := &tomldoc.Reader{}
	for _, e := range elems {
		i := include{node: e}
		switch e.Kind {
		case tomldoc.String:
			i.path = e.Text
		case tomldoc.Table:
			i.path, i.optional = r.String(e, "path"), r.Bool(e, "optional", false)
		default:
			return nil, e.Errorf("include: want a path or a table, found %s", e.Kind)
		}
		if r.Err() != nil {
			return nil, r.Err()
		}
		if !strings.HasSuffix(i.path, ".toml") || strings.ContainsAny(i.path, "*?[{}") {
			return nil, e.Errorf("include %q: want the path of one file that ends in .toml", i.path)
		}
		out = append(out, i)
	}
	return out, nil
}
