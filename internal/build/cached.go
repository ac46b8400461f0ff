package build

import (
	"context"
	"errors"

	"espalier.dev/espalier/internal/action"
	"espalier.dev/espalier/internal/store"
)

// A result is looked up in the store, then in the shared cache. The cache is
// asked for steps whose results it may have: those without network and secrets,
// of builds with the sandbox. What it sends becomes a result of the store. What
// the store gets from the sandbox is offered to it.

// load returns the result of a step with its content in the store;
// store.ErrMissing when it has to run.
func (r Runner) load(ctx context.Context, step action.Step) (action.Result, error) {
	res, err := r.loadLocal(ctx, step)
	if !errors.Is(err, store.ErrMissing) || !r.shares(step) {
		return res, err
	}
	id, err := action.Digest(ctx, r.Store, step)
	if err != nil {
		return action.Result{}, err
	}
	return r.Cache.Fetch(ctx, r.Store, id, step.Outputs, step.Name)
}

// loadLocal is load without the cache.
func (r Runner) loadLocal(ctx context.Context, step action.Step) (action.Result, error) {
	id, err := action.Put(ctx, r.Store, step)
	if err != nil {
		return action.Result{}, err
	}
	return action.Load(ctx, r.Store, id, !r.Unsandboxed)
}

// find is load without the files of a result that only the cache has: digests and
// logs. The dependency layer is not needed when the application's result is
// known.
func (r Runner) find(ctx context.Context, step action.Step) (action.Result, error) {
	res, err := r.loadLocal(ctx, step)
	if !errors.Is(err, store.ErrMissing) || !r.shares(step) {
		return res, err
	}
	id, err := action.Digest(ctx, r.Store, step)
	if err != nil {
		return action.Result{}, err
	}
	return r.Cache.Find(ctx, r.Store, id, step.Outputs)
}

func (r Runner) shares(step action.Step) bool {
	return r.Cache != nil && !r.Unsandboxed && !r.Scratch && !step.Network && len(step.Secrets) == 0
}

// save stores the result of a step, and offers it to the cache if it is hermetic.
func (r Runner) save(ctx context.Context, res action.Result) error {
	if err := action.Save(ctx, r.Store, res); err != nil {
		return err
	}
	if res.Hermetic && !r.Scratch {
		r.Cache.Offer(ctx, r.Store, res.Digest)
	}
	return nil
}

// memoOutput is the output of a memo, which is a result, too.
const memoOutput = "tree"

// findUnits is Units with the memo of the cache; the tree need not be in the
// store.
func (r Runner) findUnits(ctx context.Context, pl Plan, layer store.Digest) (store.Digest, error) {
	units, err := r.Units(ctx, pl, layer)
	if !errors.Is(err, store.ErrMissing) {
		return units, err
	}
	key, err := r.unitsKey(ctx, pl, layer)
	if err != nil {
		return store.Digest{}, err
	}
	res, err := r.Cache.Find(ctx, r.Store, key, []string{memoOutput})
	return res.Trees[memoOutput], err
}

// fetchUnits brings the units of the cache to the store.
func (r Runner) fetchUnits(ctx context.Context, pl Plan, layer store.Digest) (store.Digest, error) {
	key, err := r.unitsKey(ctx, pl, layer)
	if err != nil {
		return store.Digest{}, err
	}
	res, err := r.Cache.Fetch(ctx, r.Store, key, []string{memoOutput}, "build scripts")
	return res.Trees[memoOutput], err
}

func (r Runner) unitsKey(ctx context.Context, pl Plan, layer store.Digest) (store.Digest, error) {
	step, _ := pl.Scripts(layer)
	if !r.shares(step) {
		return store.Digest{}, store.ErrMissing
	}
	id, err := action.Digest(ctx, r.Store, step)
	return store.DigestOf(scriptsKey(id)), err
}
