package cli

import (
	"errors"

	"github.com/spf13/cobra"

	"espalier.dev/espalier/internal/action"
	"espalier.dev/espalier/internal/store"

	"espalier.dev/espalier/internal/fault"
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
			pins, err := w.pins()
			if err != nil {
				return err
			}
			plan, err := w.plan(ctx, pins)
			if err != nil {
				return err
			}
			last, err := w.last()
			if err != nil {
				return err
			}
			deps, depsID, err := w.explain(cmd, "dependencies", plan.Deps, last)
			if err != nil {
				return err
			}
			if deps.Trees == nil {
				a.ui.Printf("%s: would be compiled, since it stands on the dependencies", plan.App(store.Digest{}).Name)
				return nil
			}
			_ = depsID
			_, _, err = w.explain(cmd, plan.App(store.Digest{}).Name, plan.App(deps.Trees["/target"]), last)
			return err
		},
	}
	o.addFlags(cmd.Flags())
	return cmd
}

// explain prints what is to be said about one step. The result is the cached
// one; it is empty when the step would run.
func (w *workspace) explain(cmd *cobra.Command, name string, step action.Step, last lastBuild) (action.Result, store.Digest, error) {
	ctx, out := cmd.Context(), w.app.ui
	id, err := action.Put(ctx, w.store, step)
	if err != nil {
		return action.Result{}, id, err
	}
	res, err := action.Load(ctx, w.store, id, !w.box.NoSandbox)
	if err != nil && !errors.Is(err, store.ErrMissing) {
		return action.Result{}, id, err
	}
	cached := err == nil
	var before store.Digest
	for _, s := range last.Steps {
		if s.Name == step.Name {
			before = s.Action
		}
	}
	var changes []action.Change
	switch {
	case before.IsZero() || before == id:
	default:
		old, err := action.Get(ctx, w.store, before)
		if err != nil {
			out.Debugf("the last build's step is not in the store any more: %v", err)
			break
		}
		if changes, err = action.Explain(ctx, w.store, old, step); err != nil {
			return res, id, err
		}
	}
	out.Event("why", struct {
		Step    string          `json:"step"`
		Action  store.Digest    `json:"action"`
		Cached  bool            `json:"cached"`
		Changes []action.Change `json:"changes"`
	}{name, id, cached, changes})
	switch {
	case cached && len(changes) == 0:
		out.Printf("%s: nothing to do", name)
	case cached:
		out.Printf("%s: nothing to do, this was built before; since the last build:", name)
	case before.IsZero():
		out.Printf("%s: would be compiled, it has never been built here", name)
	case before == id:
		out.Printf("%s: would be compiled, its result is not in the store any more", name)
	case len(changes) == 0:
		out.Printf("%s: would be compiled; what the last build saw is not known any more", name)
	default:
		out.Printf("%s: would be compiled, because:", name)
	}
	for _, c := range changes {
		switch {
		case c.Old == "":
			out.Printf("  %s: new", c.What)
		case c.New == "":
			out.Printf("  %s: gone", c.What)
		case len(c.Old)+len(c.New) < 120:
			out.Printf("  %s: %s, was %s", c.What, c.New, c.Old)
		default:
			out.Printf("  %s: changed", c.What)
		}
	}
	if !cached {
		return action.Result{}, id, nil
	}
	return res, id, nil
}
