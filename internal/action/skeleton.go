package action

import (
	"context"
	"errors"

	"espalier.dev/espalier/internal/store"
)

var errTODO = errors.New("not yet")

// Digest returns the identity of a step, without writing to the store.
func Digest(ctx context.Context, st *store.Store, step Step) (store.Digest, error) {
	return store.Digest{}, errTODO
}

// Put writes the Action, the Command and the composed input root of a step to
// the store and returns the Action's digest.
func Put(ctx context.Context, st *store.Store, step Step) (store.Digest, error) {
	return store.Digest{}, errTODO
}

// Get reads a step back from its Action digest. Its Name is empty.
func Get(ctx context.Context, st *store.Store, action store.Digest) (Step, error) {
	return Step{}, errTODO
}

// Save files a result under its Digest.
func Save(ctx context.Context, st *store.Store, r Result) error { return errTODO }

// Load returns the stored result, Cached set; store.ErrMissing when there is
// none or when something that it names is gone.
func Load(ctx context.Context, st *store.Store, action store.Digest, hermetic bool) (Result, error) {
	return Result{}, errTODO
}

// Change is one difference between two steps.
type Change struct {
	What     string // "argv", "env CARGO_HOME", "src: src/main.rs", "platform ISA", ...
	Old, New string
}

// Explain tells what makes two steps differ.
func Explain(ctx context.Context, st *store.Store, old, new Step) ([]Change, error) {
	return nil, errTODO
}
