package build

import (
	"context"
	"errors"
	"strings"

	"espalier.dev/espalier/internal/action"
	"espalier.dev/espalier/internal/store"
)

// Reason says whether a step of the next build has to run, and why.
type Reason struct {
	Step    string          `json:"step"`
	Action  *store.Digest   `json:"action,omitempty"` // absent when it depends on a step that has to run
	Cached  bool            `json:"cached"`
	Changes []action.Change `json:"changes,omitempty"` // since the last build; empty when unknown
	Because string          `json:"because,omitempty"` // the earlier step that has to run

	secrets bool
	before  store.Digest // the step of the last build; zero when there was none
}

// Why compares what Run would do with the last build, step by step, without
// running anything.
func (r Runner) Why(ctx context.Context, pl Plan, last LastBuild) ([]Reason, error) {
	deps, res, err := r.why(ctx, pl.Deps, last)
	if err != nil {
		return nil, err
	}
	if res.Trees == nil {
		return []Reason{deps, {Step: pl.app.Name, Because: pl.Deps.Name}}, nil
	}
	layer := res.Trees[layerOutput]
	units, err := r.findUnits(ctx, pl, layer)
	if err != nil && !errors.Is(err, store.ErrMissing) {
		return nil, err
	}
	step := pl.App(layer, units)
	app, _, err := r.why(ctx, step, last)
	if err == nil && !app.Cached {
		if _, err := r.observed(ctx, pl, step); err == nil {
			app.Cached = true
		}
	}
	return []Reason{deps, app}, err
}

// why is Why for one step. It returns the stored result, empty when the step
// has to run.
func (r Runner) why(ctx context.Context, step action.Step, last LastBuild) (Reason, action.Result, error) {
	id, err := action.Put(ctx, r.Store, step)
	if err != nil {
		return Reason{}, action.Result{}, err
	}
	reason := Reason{Step: step.Name, Action: &id, secrets: len(step.Secrets) > 0, before: last.action(step.Name)}
	res, err := r.find(ctx, step)
	if reason.Cached = err == nil; err != nil && !errors.Is(err, store.ErrMissing) && !errors.Is(err, store.ErrCorrupt) {
		return reason, res, err
	}
	if reason.before.IsZero() || reason.before == id {
		return reason, res, nil
	}
	old, err := action.Get(ctx, r.Store, reason.before)
	if err != nil { // the step of the last build is no longer in the store
		return reason, res, nil
	}
	reason.Changes, err = action.Explain(ctx, r.Store, old, step)
	return reason, res, err
}

// Lines formats the reason for people: what happens, then what changed. show
// converts a path of the project to what the user would type.
func (r Reason) Lines(show func(string) string) []string {
	head := r.Step + ": "
	switch {
	case r.Because != "":
		head += "would be compiled, because it depends on the " + r.Because
	case r.Cached && len(r.Changes) == 0:
		head += "nothing to do"
	case r.Cached:
		head += "nothing to do, this was built before; since the last build:"
	case r.secrets:
		head += "is compiled every time, because a result with secrets is not kept"
	case r.before.IsZero():
		head += "would be compiled, it has never been built here"
	case r.Action != nil && r.before == *r.Action:
		head += "would be compiled, its result is not in the store any more"
	case len(r.Changes) == 0:
		head += "would be compiled; the inputs of the last build are not in the store any more"
	default:
		head += "would be compiled, because:"
	}
	lines := []string{head}
	layer := false
	for _, c := range r.Changes {
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
