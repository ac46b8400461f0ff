package workspace

import (
	"context"

	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/updating"
)

// PlanUpdate computes what an update of the project would move. The caller ends
// with the plan's Discard.
func (w *Workspace) PlanUpdate(ctx context.Context, req updating.Request) (*updating.Plan, error) {
	s, err := w.PinSession()
	if err != nil {
		return nil, err
	}
	pins, err := lock.Read(lock.Path(w.Project))
	if err != nil {
		return nil, err
	}
	env := updating.Env{Session: s, Open: func(dir string) (*project.Project, error) { return project.Open(dir, w.options) }}
	return updating.New(ctx, env, w.Project, pins, req)
}
