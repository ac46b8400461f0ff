package build

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/source"
	"espalier.dev/espalier/internal/store"
)

// Variables that a project declares, such as SSID, are for its own crates. A
// dependency layer that contained them would be made again for every value. A
// declared variable is not given to the dependencies if none of them can mean
// it:
//
//   - no Rust source of a locked crate has its name as a string ("SSID"), not
//     counting a crate's examples, tests and benchmarks;
//   - its name does not begin like one that a crate composes from its own name
//     (ESP_HAL_CONFIG_…), and is not one of cargo, compilers or linkers.
//
// A crate that copies its whole environment into the program would differ;
// `verify`, which gives every variable to every crate, would report it.

// variablesRecipe is increased when the rule changes.
const variablesRecipe = "variables of crates 1"

// stepVariables are set by espalier for every step.
var stepVariables = []string{"PATH", "HOME", "USER", "SOURCE_DATE_EPOCH", "TZ", "LC_ALL"}

// ownVariables returns the declared variables that dependencies do not get.
func ownVariables(ctx context.Context, st *store.Store, p *project.Project, pins *lock.File, m Materials) (map[string]bool, error) {
	var names []string
	for _, v := range p.Espalier.Build.Env {
		if !v.Secret {
			names = append(names, v.Name)
		}
	}
	for _, v := range p.Cargo.Env {
		names = append(names, v.Name)
	}
	names = slices.DeleteFunc(names, func(name string) bool {
		return source.CompilerVariable(name) || ofCrate(name, pins) || slices.Contains(stepVariables, name)
	})
	slices.Sort(names)
	names = slices.Compact(names)
	own := map[string]bool{}
	for _, name := range names {
		used, err := usedByCrates(ctx, st, m, name)
		if err != nil {
			return nil, err
		}
		own[name] = !used
	}
	return own, nil
}

// ofCrate reports whether a variable's name begins with that of a crate, as in
// variables of esp-config, or with DEP_, cargo's own for crates.
func ofCrate(name string, pins *lock.File) bool {
	if strings.HasPrefix(name, "DEP_") {
		return true
	}
	begins := func(crate string) bool {
		crate, _, _ = strings.Cut(crate, " ")
		prefix := strings.ToUpper(strings.ReplaceAll(crate, "-", "_"))
		return name == prefix || strings.HasPrefix(name, prefix+"_")
	}
	for _, c := range pins.Crates {
		if begins(c.Name) {
			return true
		}
	}
	for _, g := range pins.Git {
		if slices.ContainsFunc(g.Crates, begins) {
			return true
		}
	}
	return false
}

// usedByCrates reports whether a source of a crate has a name as a string. The
// answer is stored: an empty tree for no.
func usedByCrates(ctx context.Context, st *store.Store, m Materials, name string) (bool, error) {
	key := fmt.Appendf(nil, "%s\n%q\nvendor %s\ngit %s\n", variablesRecipe, name, m.Vendor, m.Git)
	answer, err := st.Memo(ctx, store.DigestOf(key))
	if err == nil {
		return answer != noTree, nil
	}
	if !errors.Is(err, store.ErrMissing) && !errors.Is(err, store.ErrCorrupt) {
		return false, err
	}
	used := false
	for _, tree := range []store.Digest{m.Vendor, m.Git} {
		if tree.IsZero() || used {
			continue
		}
		dir, err := st.TreePath(ctx, tree)
		if err != nil {
			return false, err
		}
		if used, err = named(ctx, dir, []byte(`"`+name+`"`)); err != nil {
			return false, err
		}
	}
	return used, putAnswer(ctx, st, key, used)
}

// named reports whether a Rust file below a directory contains a text.
func named(ctx context.Context, dir string, text []byte) (bool, error) {
	found := false
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err == nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			return err
		}
		if d.IsDir() {
			// v/<crate>/examples of a registry crate.
			switch d.Name() {
			case "examples", "tests", "benches":
				return fs.SkipDir
			}
			return nil
		}
		if filepath.Ext(name) != ".rs" || !d.Type().IsRegular() {
			return nil
		}
		b, err := os.ReadFile(name)
		if err == nil && bytes.Contains(b, text) {
			found = true
			return fs.SkipAll
		}
		return err
	})
	return found, err
}

// noTree is the empty tree, the answer no of a memo; any other is yes.
var noTree = store.DigestOf(nil)

// putAnswer stores the answer to a question, if the store can be written.
func putAnswer(ctx context.Context, st *store.Store, key []byte, yes bool) error {
	if st.ReadOnly() {
		return nil
	}
	tree, err := st.MakeTree(ctx, func(b *store.TreeBuilder) error {
		if !yes {
			return nil
		}
		_, err := b.Source("answer").File(ctx, "yes", false, strings.NewReader(""))
		return err
	})
	if err != nil {
		return err
	}
	return st.PutMemo(ctx, key, tree)
}

// without returns an environment without some variables.
func without(env map[string]string, names map[string]bool) map[string]string {
	out := map[string]string{}
	for name, value := range env {
		if !names[name] {
			out[name] = value
		}
	}
	return out
}
