package cargo

import (
	"fmt"
	"path"
	"path/filepath"
	"strings"

	"espalier.dev/espalier/internal/config"
	"espalier.dev/espalier/internal/tomldoc"
)

// configValue is a value of cargo's configuration after merging. Its node stays
// attached, so that every value of the merged tree knows its file.
type configValue struct {
	node  *tomldoc.Node
	table map[string]*configValue // Kind Table
	keys  map[string]tomldoc.Pos  // of the table's keys
	list  []*configValue          // Kind Array
}

func newConfigValue(n *tomldoc.Node) *configValue {
	v := &configValue{node: n}
	switch n.Kind {
	case tomldoc.Table:
		v.table, v.keys = map[string]*configValue{}, map[string]tomldoc.Pos{}
		for _, k := range n.Keys {
			v.table[k.Name], v.keys[k.Name] = newConfigValue(k.Value), k.Pos
		}
	case tomldoc.Array:
		for _, e := range n.Elem {
			v.list = append(v.list, newConfigValue(e))
		}
	}
	return v
}

// mergeConfig merges next into v as cargo does: tables key by key, lists joined
// with the less important one first, scalars replaced only when next is the
// more important (force). key is the path of v, for the two lists that do not
// join and for messages.
func mergeConfig(v, next *configValue, force bool, key []string) error {
	switch {
	case v.node.Kind == tomldoc.Array && next.node.Kind == tomldoc.Array:
		switch {
		case !joins(key):
			if force {
				*v = *next
			}
		case force:
			v.list = append(v.list, next.list...)
		default:
			v.list = append(append([]*configValue{}, next.list...), v.list...)
		}
	case v.node.Kind == tomldoc.Table && next.node.Kind == tomldoc.Table:
		for k, n := range next.table {
			old, ok := v.table[k]
			if !ok {
				v.table[k], v.keys[k] = n, next.keys[k]
				continue
			}
			if err := mergeConfig(old, n, force, append(key[:len(key):len(key)], k)); err != nil {
				return err
			}
			if old.node == n.node { // replaced, not merged
				v.keys[k] = next.keys[k]
			}
		}
	case v.node.Kind == tomldoc.Table, v.node.Kind == tomldoc.Array, next.node.Kind == tomldoc.Table, next.node.Kind == tomldoc.Array:
		return next.node.Errorf("%s: %s cannot be merged with %s in another configuration file", strings.Join(key, "."), next.node.Kind, v.node.Kind)
	case force:
		*v = *next
	}
	return nil
}

// joins is false for the lists that cargo never merges: command lines.
func joins(key []string) bool {
	switch {
	case len(key) == 3 && key[0] == "target" && key[2] == "runner",
		len(key) == 2 && key[0] == "credential-alias",
		len(key) == 2 && key[0] == "host" && key[1] == "runner",
		len(key) == 2 && key[0] == "registry" && key[1] == "credential-provider",
		len(key) == 3 && key[0] == "registries" && key[2] == "credential-provider",
		len(key) == 2 && key[0] == "doc" && key[1] == "browser":
		return false
	}
	return true
}

// get follows keys down the tables; nil when one is missing.
func (v *configValue) get(keys ...string) *configValue {
	for _, k := range keys {
		if v == nil || v.table == nil {
			return nil
		}
		v = v.table[k]
	}
	return v
}

func (v *configValue) origin() config.Origin { return config.At(v.node.File(), v.node.Pos) }

// str is a string value.
func (v *configValue) str(r *tomldoc.Reader, key string) config.Value[string] {
	if v == nil {
		return config.Value[string]{}
	}
	if v.node.Kind != tomldoc.String {
		r.Fail(v.node.Errorf("%s: want a string, found %s", key, v.node.Kind))
		return config.Value[string]{}
	}
	return config.NewValue(v.node.Text, v.origin())
}

func (v *configValue) boolean(r *tomldoc.Reader, key string) bool {
	if v == nil {
		return false
	}
	if v.node.Kind != tomldoc.Bool {
		r.Fail(v.node.Errorf("%s: want a boolean, found %s", key, v.node.Kind))
	}
	return v.node.Bool
}

// words is a list of strings or one string split at white space. The origin is
// that of the last element: the nearest file that added something.
func (v *configValue) words(r *tomldoc.Reader, key string) config.Value[[]string] {
	if v == nil {
		return config.Value[[]string]{}
	}
	switch v.node.Kind {
	case tomldoc.String:
		return config.NewValue(strings.Fields(v.node.Text), v.origin())
	case tomldoc.Array:
		out := config.Value[[]string]{V: []string{}, Origin: v.origin()}
		for i, e := range v.list {
			out.V = append(out.V, e.str(r, fmt.Sprintf("%s[%d]", key, i)).V)
		}
		if len(v.list) > 0 {
			out.Origin = v.list[len(v.list)-1].origin()
		}
		return out
	}
	r.Fail(v.node.Errorf("%s: want a string or a list of strings, found %s", key, v.node.Kind))
	return config.Value[[]string]{}
}

// relativeTo is where relative paths of a value begin: two levels above its
// file, which is the directory of .cargo for config.toml and for what it
// includes from its own directory.
func (v *configValue) relativeTo() string { return filepath.Dir(filepath.Dir(v.node.File())) }

// program is a string that names a program: a plain name, which cargo searches in
// PATH, or a path, made absolute (cargo's reference, "Executable paths with search").
func (v *configValue) program(r *tomldoc.Reader, key string) config.Value[string] {
	s := v.str(r, key)
	if strings.Contains(s.V, "/") && !path.IsAbs(s.V) {
		s.V = filepath.Join(v.relativeTo(), filepath.FromSlash(s.V))
	}
	return s
}
