package updating

import (
	"context"
	"slices"

	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/project"
)

// Yanked lists the crates of a lock that the registry's index marks as yanked. The
// pinned cargo reads the index; crates that only the standard library uses are not
// asked for.
func Yanked(ctx context.Context, env Env, p *project.Project, f *lock.File) ([]lock.Crate, error) {
	pl, err := prepare(ctx, env, p, f, Request{})
	if err != nil {
		return nil, err
	}
	defer pl.Discard()
	sel := pl.everything()
	if err := pl.chooseCrates(ctx, sel); err != nil {
		return nil, err
	}
	if pl.index == nil && len(sel.crates) > 0 {
		return nil, errNoIndex
	}
	return slices.DeleteFunc(slices.Clone(f.Crates), func(c lock.Crate) bool {
		v, ok := pl.index.Version(c.Name, c.Version)
		return !ok || !v.Yanked || len(c.For) == 1 && c.For[0] == "std"
	}), nil
}
