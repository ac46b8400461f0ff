package build

import (
	"context"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"espalier.dev/espalier/internal/action"
	"espalier.dev/espalier/internal/layout"
	"espalier.dev/espalier/internal/store"
)

// Half of what cargo compiles for the host is not used again once the layer is
// complete: libraries that were linked into build scripts and procedural macros
// of dependencies, and these build scripts, which have run. Cargo compares the
// times of these files only, so the layer has them with another content, which
// is one small file in the store. Kept are procedural macros, which the compiler
// loads, and what the user's own build scripts and macros link.
//
// A step that uses such a file nevertheless fails, since it is neither a
// library nor a program, and its message names the file: a new layer is then
// made without the earlier one, and an application on a layer that has
// everything.

// leftOut is the content of these files. The kernel looks for the interpreter
// that it names, so a program with this content cannot be started.
const leftOut = "#!/left out of the dependency layer\n"

var leftOutDigest = store.DigestOf([]byte(leftOut))

// hostNeeds is the set of crates whose libraries own code for the host links;
// nil when it is not known: then all are kept.
type hostNeeds map[string]bool

// hostNeeds returns what the user's own build scripts and procedural macros
// link, directly or not.
func (g unitGraph) hostNeeds() hostNeeds {
	needs := hostNeeds{}
	seen := make([]bool, len(g.Units))
	var link func(i int)
	link = func(i int) {
		for _, d := range g.Units[i].Dependencies {
			u := g.Units[d.Index]
			if seen[d.Index] || u.runsScript() || u.Platform != "" {
				continue
			}
			seen[d.Index] = true
			needs[strings.ReplaceAll(u.Target.Name, "-", "_")] = true
			if !slices.Contains(u.Target.Kind, "proc-macro") {
				link(d.Index)
			}
		}
	}
	for i, u := range g.Units {
		if strings.Contains(u.PkgID, "path+") && !u.IsStd && u.Platform == "" && !u.runsScript() {
			link(i)
		}
	}
	return needs
}

// leavesOut reports whether a file of the layer is not used any more.
func (n hostNeeds) leavesOut(name, triple string) bool {
	if n == nil || !isHostUnit(name, triple) {
		return false
	}
	base := path.Base(name)
	if strings.Split(name, "/")[1] == "build" {
		return path.Ext(base) == "" && (strings.HasPrefix(base, "build-script-") || strings.HasPrefix(base, "build_script_"))
	}
	if ext := path.Ext(base); ext != ".rlib" && ext != ".rmeta" {
		return false
	}
	crate, ok := cutHash(stripExt(strings.TrimPrefix(base, "lib")))
	return ok && !n[crate]
}

// hostNeeds returns the function that asks cargo what own code for the host
// links, at most once.
func (r Runner) hostNeeds(ctx context.Context, pl Plan, layer store.Digest) func() hostNeeds {
	return sync.OnceValue(func() hostNeeds {
		if r.Unsandboxed || r.isWhole(ctx, layer) {
			return nil
		}
		g, err := r.graph(ctx, pl.layer)
		if err != nil {
			return nil
		}
		return g.hostNeeds()
	})
}

// has reports whether a layer has everything that own code for the host links.
func (r Runner) has(ctx context.Context, layer store.Digest, needs hostNeeds, triple string) (bool, error) {
	all := true
	err := r.Store.Walk(ctx, layer, func(e store.Entry) error {
		if e.Type == store.TypeFile && e.Digest == leftOutDigest && !needs.leavesOut(e.Path, triple) {
			all = false
		}
		return nil
	})
	return all, err
}

// leftOutError is the failure of a step that has used a file which the layer
// does not have.
type leftOutError struct{ error }

func (e leftOutError) Unwrap() error { return e.error }

func usesLeftOut(err error) bool {
	var e leftOutError
	return errors.As(err, &e)
}

var targetPath = regexp.MustCompile(layout.Target + "/[^\\s\"'`:,;()<>]+")

// namesLeftOut reports whether a message names a file that the step's layer
// does not have.
func (r Runner) namesLeftOut(ctx context.Context, step action.Step, message string) bool {
	for _, name := range targetPath.FindAllString(message, -1) {
		name = strings.TrimPrefix(name, layout.Target+"/")
		for _, in := range []string{layout.InputTarget, layout.InputUnits} {
			tree := inputTree(step, in)
			if tree.IsZero() {
				continue
			}
			if e, err := r.Store.Lookup(ctx, tree, name); err == nil && e.Digest == leftOutDigest {
				return true
			}
		}
	}
	return false
}

// wholeKey is the memo key that says that a layer has to have everything.
func wholeKey(layer store.Digest) []byte {
	return fmt.Appendf(nil, "whole layer of action %s\n", layer)
}

func (r Runner) isWhole(ctx context.Context, layer store.Digest) bool {
	_, err := r.Store.Memo(ctx, store.DigestOf(wholeKey(layer)))
	return err == nil
}

// onWholeLayer calls run again, after the layer has been made with everything,
// if a step has used what is left out.
func (r Runner) onWholeLayer(ctx context.Context, pl Plan, run func() error) error {
	err := run()
	if !usesLeftOut(err) {
		return err
	}
	id, err := action.Digest(ctx, r.Store, pl.Deps)
	if err != nil {
		return err
	}
	if err := putAnswer(ctx, r.Store, wholeKey(id), true); err != nil {
		return err
	}
	r.Report.Note("the build needs a file of the dependency layer that was left out; the layer is made once more, with everything")
	if _, err := r.makeLayer(ctx, pl, id); err != nil {
		return err
	}
	return run()
}
