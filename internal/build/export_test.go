package build

import (
	"context"
	"io"
	"io/fs"

	"espalier.dev/espalier/internal/action"
	"espalier.dev/espalier/internal/store"
)

// KeepInLayer is the filter of the dependency layer, for tests that run its
// step directly.
func (pl Plan) KeepInLayer() func(string, fs.FileInfo) bool { return pl.own.keep }

// Rewrites is the action.RunOptions.Rewrite of the layer, for the same tests.
func (pl Plan) Rewrites() map[string]func(string, io.ReaderAt, int64) (io.Reader, bool) {
	return pl.rewrites(func() hostNeeds { return nil })
}

// LayerFromLibrary makes the layer of a plan on the library of an earlier one
// alone, and does not store the result.
func (r Runner) LayerFromLibrary(ctx context.Context, pl Plan) (store.Digest, error) {
	step, err := r.withLibrary(ctx, pl)
	if err != nil {
		return store.Digest{}, err
	}
	id, err := action.Digest(ctx, r.Store, pl.Deps)
	if err != nil {
		return store.Digest{}, err
	}
	res, err := r.layerFrom(ctx, pl, step, r.hostNeeds(ctx, pl, id))
	return res.Trees[layerOutput], err
}

// LeftOut is the digest of the files that a layer does not have.
var LeftOut = leftOutDigest

// LeftOutError is the failure of a step that uses one.
func LeftOutError(err error) error { return leftOutError{err} }

// OnWholeLayer is onWholeLayer.
func (r Runner) OnWholeLayer(ctx context.Context, pl Plan, run func() error) error {
	return r.onWholeLayer(ctx, pl, run)
}

// OfferUnits offers the compiled build scripts of a plan to the shared cache, as
// the build that has made them does.
func (r Runner) OfferUnits(ctx context.Context, pl Plan, layer store.Digest) error {
	key, err := r.unitsKey(ctx, pl, layer)
	if err == nil {
		r.Cache.Offer(ctx, r.Store, key)
	}
	return err
}
