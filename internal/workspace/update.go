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
	env, pins, err := w.updating()
	if err != nil {
		return nil, err
	}
	return updating.New(ctx, env, w.Project, pins, req)
}

// Outdated finds what is newer than the project's pins.
func (w *Workspace) Outdated(ctx context.Context) (updating.Outdated, error) {
	env, pins, err := w.updating()
	if err != nil {
		return updating.Outdated{}, err
	}
	return updating.FindOutdated(ctx, env, w.Project, pins)
}

func (w *Workspace) updating() (updating.Env, *lock.File, error) {
	s, err := w.PinSession()
	if err != nil {
		return updating.Env{}, nil, err
	}
	pins, err := lock.Read(lock.Path(w.Project))
	return updating.Env{Session: s, Open: func(dir string) (*project.Project, error) { return project.Open(dir, w.options) }}, pins, err
}
