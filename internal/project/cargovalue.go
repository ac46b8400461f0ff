package project

import (
	"fmt"
	"path/filepath"
	"strings"

	"espalier.dev/espalier/internal/project/tomldoc"
)

// cargoValue is a value of cargo's configuration after merging. Its node stays
// attached, so that every value of the merged tree knows its file.
type cargoValue struct {
	node  *tomldoc.Node
	table map[string]*cargoValue // Kind Table
	keys  map[string]tomldoc.Pos // of the table's keys
	list  []*cargoValue          // Kind Array
}

func toCargoValue(n *tomldoc.Node) *cargoValue {
	v := &cargoValue{node: n}
	switch n.Kind {
	case tomldoc.Table:
		v.table, v.keys = map[string]*cargoValue{}, map[string]tomldoc.Pos{}
		for _, k := range n.Keys {
			v.table[k.Name], v.keys[k.Name] = toCargoValue(k.Value), k.Pos
		}
	case tomldoc.Array:
		for _, e := range n.Elem {
			v.list = append(v.list, toCargoValue(e))
		}
	}
	return v
}

// mergeCargo merges next into v as cargo does: tables key by key, lists joined
// with the less important one first, scalars replaced only when next is the
// more important (force). key is the path of v, for the two lists that do not
// join and for messages.
func mergeCargo(v, next *cargoValue, force bool, key []string) error {
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
			v.list = append(append([]*cargoValue{}, next.list...), v.list...)
		}
	case v.node.Kind == tomldoc.Table && next.node.Kind == tomldoc.Table:
		for k, n := range next.table {
			old, ok := v.table[k]
			if !ok {
				v.table[k], v.keys[k] = n, next.keys[k]
				continue
			}
			if err := mergeCargo(old, n, force, append(key[:len(key):len(key)], k)); err != nil {
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
func (v *cargoValue) get(keys ...string) *cargoValue {
	for _, k := range keys {
		if v == nil || v.table == nil {
			return nil
		}
		v = v.table[k]
	}
	return v
}

func (v *cargoValue) origin() Origin { return at(v.node.File(), v.node.Pos) }

// str is a string value.
func (v *cargoValue) str(r *tomldoc.Reader, key string) Value[string] {
	if v == nil {
		return Value[string]{}
	}
	if v.node.Kind != tomldoc.String {
		r.Fail(v.node.Errorf("%s: want a string, found %s", key, v.node.Kind))
		return Value[string]{}
	}
	return Value[string]{v.node.Text, v.origin()}
}

func (v *cargoValue) boolean(r *tomldoc.Reader, key string) bool {
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
func (v *cargoValue) words(r *tomldoc.Reader, key string) Value[[]string] {
	if v == nil {
		return Value[[]string]{}
	}
	switch v.node.Kind {
	case tomldoc.String:
		return Value[[]string]{strings.Fields(v.node.Text), v.origin()}
	case tomldoc.Array:
		out := Value[[]string]{V: []string{}, Origin: v.origin()}
		for i, e := range v.list {
			out.V = append(out.V, e.str(r, fmt.Sprintf("%s[%d]", key, i)).V)
		}
		if len(v.list) > 0 {
			out.Origin = v.list[len(v.list)-1].origin()
		}
		return out
	}
	r.Fail(v.node.Errorf("%s: want a string or a list of strings, found %s", key, v.node.Kind))
	return Value[[]string]{}
}

// relativeTo is where relative paths of a value begin: two levels above its
// file, which is the directory of .cargo for config.toml and for what it
// includes from its own folder.
func (v *cargoValue) relativeTo() string { return filepath.Dir(filepath.Dir(v.node.File())) }
