package cli

import (
	"context"
	"errors"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"espalier.dev/espalier/internal/action"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/store"
)

func newWhy(a *app) *cobra.Command {
	var o workOptions
	cmd := &cobra.Command{
		Use:   "why",
		Short: "why the next build would compile something again",
		Long: `Compare what the next build would do with the last build in this project, input by
input, and name what changed: a file, a flag, a variable, a pin. Nothing is built.` +
			exits(fault.Pins),
		Example: `  espalier why`,
		Args:    args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			w, err := a.open(ctx, o)
			if err != nil {
				return err
			}
			defer w.close()
			plan, err := w.lockedPlan(ctx)
			if err != nil {
				return err
			}
			last := w.last()
			deps, err := w.explain(ctx, plan.Deps, last)
			if err != nil {
				return err
			}
			if deps.Trees == nil {
				name := plan.Scratch().Name
				a.ui.Event("why", whyEvent{Step: name, Because: plan.Deps.Name})
				a.ui.Printf("%s: would be compiled, since it stands on the dependencies", name)
				return nil
			}
			units, err := w.runner().Units(ctx, plan, deps.Trees[layerTree])
			if err != nil && !errors.Is(err, store.ErrMissing) {
				return err
			}
			app := plan.App(deps.Trees[layerTree], units)
			_, err = w.explain(ctx, app, last)
			return err
		},
	}
	o.addFlags(cmd.Flags())
	return cmd
}

// layerTree is the input of the application in which the dependency layer is.
const layerTree = "/target"

// whyEvent is what why says about one step with --json.
type whyEvent struct {
	Step    string          `json:"step"`
	Action  *store.Digest   `json:"action,omitempty"` // absent when it depends on a step that would run
	Cached  bool            `json:"cached"`
	Changes []action.Change `json:"changes,omitempty"`
	Because string          `json:"because,omitempty"` // the step that would run before
}

// explain prints what is to be said about one step. The result is the kept
// one; it is empty when the step would run.
func (w *workspace) explain(ctx context.Context, step action.Step, last lastBuild) (action.Result, error) {
	id, err := action.Put(ctx, w.store, step)
	if err != nil {
		return action.Result{}, err
	}
	res, err := action.Load(ctx, w.store, id, !w.box.NoSandbox)
	cached := err == nil
	if !cached && !errors.Is(err, store.ErrMissing) && !errors.Is(err, store.ErrCorrupt) {
		return action.Result{}, err
	}
	var before store.Digest
	for _, s := range last.Steps {
		if s.Name == step.Name {
			before = s.Action
		}
	}
	var changes []action.Change
	if !before.IsZero() && before != id {
		old, err := action.Get(ctx, w.store, before)
		if err != nil {
			w.app.ui.Debugf("the last build's step is not in the store any more: %v", err)
		} else if changes, err = action.Explain(ctx, w.store, old, step); err != nil {
			return res, err
		}
	}
	w.app.ui.Event("why", whyEvent{Step: step.Name, Action: &id, Cached: cached, Changes: changes})
	for _, l := range whyLines(step, id, before, cached, changes, w.projectFile) {
		w.app.ui.Printf("%s", l)
	}
	return res, nil
}

// projectFile shows a file of the project as the user would type it here.
func (w *workspace) projectFile(name string) string {
	return short(filepath.Join(w.project.Root, filepath.FromSlash(name)))
}

// whyLines is the answer for people: what happens, then what changed.
func whyLines(step action.Step, now, before store.Digest, cached bool, changes []action.Change, show func(string) string) []string {
	head := step.Name + ": "
	switch {
	case cached && len(changes) == 0:
		head += "nothing to do"
	case cached:
		head += "nothing to do, this was built before; since the last build:"
	case len(step.Secrets) > 0:
		head += "is compiled every time, since a result with secrets is not kept"
	case before.IsZero():
		head += "would be compiled, it has never been built here"
	case before == now:
		head += "would be compiled, its result is not in the store any more"
	case len(changes) == 0:
		head += "would be compiled; what the last build saw is not known any more"
	default:
		head += "would be compiled, because:"
	}
	lines := []string{head}
	layer := false
	for _, c := range changes {
		if strings.HasPrefix(c.What, "target/") || strings.HasPrefix(c.What, "input target") {
			if !layer {
				lines = append(lines, "  the compiled dependencies: changed")
			}
			layer = true
			continue
		}
		what := c.What
		if name, ok := strings.CutPrefix(what, "src/"); ok {
			what = show(name)
		}
		switch {
		case c.Old == "":
			what += ": new"
		case c.New == "":
			what += ": gone"
		case len(c.Old)+len(c.New) < 120:
			what += ": " + c.New + ", was " + c.Old
		default:
			what += ": changed"
		}
		lines = append(lines, "  "+what)
	}
	return lines
}
