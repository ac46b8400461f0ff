package action

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"espalier.dev/espalier/internal/store"
)

// maxFiles is the maximum number of differing paths that Explain lists per
// input tree; one more Change has the number of the others.
const maxFiles = 20

// Change is one difference between two steps.
type Change struct {
	// What names the part that differs: "argument 3", "environment CARGO_HOME",
	// "working directory", "output firmware", "platform ISA", "network or
	// secrets", "input vendor", or a path in an input tree such as
	// "src/src/main.rs".
	What string `json:"what"`
	// Old and New are the values, "" when absent. The value of a file is its
	// digest, with the prefix "executable " for executable files.
	Old string `json:"old,omitempty"`
	New string `json:"new,omitempty"`
}

// Explain lists the differences between two steps, down to the files of their
// input trees, in a fixed order. Trees that are no longer in the store are
// compared by digest only. Equal steps have no differences.
func Explain(ctx context.Context, st *store.Store, old, new Step) ([]Change, error) {
	var changes []Change
	add := func(what, old, new string) {
		if old != new {
			changes = append(changes, Change{what, old, new})
		}
	}
	for i := range max(len(old.Argv), len(new.Argv)) {
		add("argument "+strconv.Itoa(i), at(old.Argv, i), at(new.Argv, i))
	}
	eachKey(old.Env, new.Env, func(k string) { add("environment "+k, value(old.Env, k), value(new.Env, k)) })
	add("working directory", old.Dir, new.Dir)
	eachKey(set(old.Outputs), set(new.Outputs), func(k string) { add("output "+k, set(old.Outputs)[k], set(new.Outputs)[k]) })
	eachKey(old.Platform, new.Platform, func(k string) { add("platform "+k, value(old.Platform, k), value(new.Platform, k)) })
	add("network or secrets", strconv.FormatBool(old.private()), strconv.FormatBool(new.private()))

	a, b := inputs(old), inputs(new)
	var err error
	eachKey(a, b, func(name string) {
		from, to := a[name], b[name]
		switch {
		case err != nil || from == to:
		case from.IsZero():
			add("input "+name, "", to.String())
		case to.IsZero():
			add("input "+name, from.String(), "")
		default:
			var files []Change
			files, err = explainTree(ctx, st, name, from, to)
			changes = append(changes, files...)
		}
	})
	return changes, err
}

func explainTree(ctx context.Context, st *store.Store, name string, old, new store.Digest) ([]Change, error) {
	var changes []Change
	more := 0
	err := st.Diff(ctx, old, new, func(d store.Difference) error {
		if len(changes) < maxFiles {
			changes = append(changes, Change{name + "/" + d.Path, describe(d.Old), describe(d.New)})
		} else {
			more++
		}
		return nil
	})
	if errors.Is(err, store.ErrMissing) || errors.Is(err, store.ErrCorrupt) {
		return append(changes, Change{"input " + name, old.String(), new.String()}), nil
	}
	if more > 0 {
		changes = append(changes, Change{What: fmt.Sprintf("input %s: %d more paths", name, more), Old: old.String(), New: new.String()})
	}
	return changes, err
}

func describe(e *store.Entry) string {
	switch {
	case e == nil:
		return ""
	case e.Type == store.TypeSymlink:
		return "symlink to " + e.Target
	case e.Type == store.TypeDir:
		return "directory " + e.Digest.String()
	case e.Executable:
		return "executable " + e.Digest.String()
	}
	return e.Digest.String()
}

func inputs(s Step) map[string]store.Digest {
	m := map[string]store.Digest{}
	for _, in := range s.Inputs {
		m[in.Path] = in.Tree
	}
	return m
}

func set(names []string) map[string]string {
	m := map[string]string{}
	for _, n := range names {
		m[n] = n
	}
	return m
}

func at(list []string, i int) string {
	if i < len(list) {
		return strconv.Quote(list[i])
	}
	return ""
}

// value returns a variable quoted, so that an empty one differs from an absent
// one.
func value(m map[string]string, key string) string {
	if v, there := m[key]; there {
		return strconv.Quote(v)
	}
	return ""
}

func eachKey[V any](a, b map[string]V, fn func(string)) {
	all := maps.Clone(a)
	if all == nil {
		all = map[string]V{}
	}
	maps.Copy(all, b)
	for _, k := range slices.Sorted(maps.Keys(all)) {
		fn(k)
	}
}
