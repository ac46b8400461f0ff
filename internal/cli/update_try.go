package cli

import (
	"context"
	"time"

	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/trial"
	"espalier.dev/espalier/internal/updating"
	"espalier.dev/espalier/internal/workspace"
)

// trialRows is how many crates a trial shows the sizes of.
const trialRows = 10

// tryUpdate builds and runs old and new, and prints what differs.
func (a *app) tryUpdate(ctx context.Context, w *workspace.Workspace, pl *updating.Plan, bisect, edit bool) error {
	pins, err := lock.Read(lock.Path(w.Project))
	if err != nil {
		return err
	}
	e := trial.Env{Store: w.Store, Executor: w.Box, UI: a.ui, Lookup: a.lookup, Now: time.Now, Host: lock.Host()}
	r, err := trial.Try(ctx, e, w.Project, pins, pl)
	if err != nil {
		return err
	}
	if bisect && r.Breaks() {
		replan := func(req updating.Request) (*updating.Plan, error) { return w.PlanUpdate(ctx, req) }
		if r.Bisected, r.Cause, err = trial.Bisect(ctx, e, pl, edit, r.Cause, replan); err != nil {
			return err
		}
	}
	a.ui.Event("trial", r)
	if t := r.Table(trialRows); len(t.Rows) > 0 {
		a.ui.Table(t)
	}
	for _, l := range r.Lines() {
		a.ui.Printf("%s", l)
	}
	return r.Fault()
}
