package build

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"

	"espalier.dev/espalier/internal/action"
	"espalier.dev/espalier/internal/layout"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/source"
	"espalier.dev/espalier/internal/store"
)

// The standard library is the largest unit of a dependency layer, and the same
// in every project with the same toolchain, target, profile and flags. A new
// layer therefore starts with the compiled library of an earlier one, and not
// with an empty target directory. Cargo compares the fingerprints of these
// units as always, so a library that does not fit is compiled, and the layer
// has the files that it would have otherwise: the earlier library is an
// optimisation of the step and not an input of it. It is copied into the
// target directory, so that the new layer is complete.

// libraryRecipe is increased when the key or the set of units changes.
const libraryRecipe = "standard library 1"

// libraryCrates are the crates of the library without std, which a firmware
// does not have, as they are called in the target directory.
var libraryCrates = map[string]bool{
	"core": true, "alloc": true, "compiler_builtins": true,
	"rustc-std-workspace-core": true, "rustc_std_workspace_core": true, "rustc-std-workspace-alloc": true, "rustc_std_workspace_alloc": true,
}

// startKeys returns the memo keys of what a new layer may start with: a whole
// earlier layer, and the library of one. The key of the library does not have
// the variables that the project declares: the library's sources are in the
// rootfs, and read only those of cargo and the compiler.
func startKeys(ctx context.Context, st *store.Store, p *project.Project, pins *lock.File, deps action.Step, m Materials, own map[string]bool) (earlier, library []byte, err error) {
	key := func(recipe, dir string, env map[string]string, without func(string) bool) ([]byte, error) {
		settings, err := source.CompilerSettings(p, without)
		if err != nil {
			return nil, err
		}
		id, err := action.Digest(ctx, st, action.Step{Dir: dir, Argv: deps.Argv[:1], Env: env, Platform: deps.Platform,
			Inputs: []action.Input{{Path: layout.InputRootfs, Tree: m.Rootfs}, {Path: layout.InputCargo, Tree: m.Cargo}}})
		if err != nil {
			return nil, err
		}
		return fmt.Appendf(nil, "%s\naction %s\nprofile %q\ntarget %q\nchecksums %v\nsettings %x\n", recipe, id, profile(p), p.Target(),
			slices.Contains(deps.Argv, checksumFreshness), sha256.Sum256(settings)), nil
	}
	if earlier, err = key(earlierRecipe, deps.Dir, deps.Env, func(name string) bool { return own[name] }); err != nil {
		return nil, nil, err
	}
	if pins.Std.Lock.IsZero() { // it is prebuilt
		return earlier, nil, nil
	}
	declared := map[string]bool{"SOURCE_DATE_EPOCH": true}
	for _, v := range p.Espalier.Build.Env {
		declared[v.Name] = !source.CompilerVariable(v.Name)
	}
	library, err = key(libraryRecipe, "/", without(deps.Env, declared), func(name string) bool { return !source.CompilerVariable(name) })
	return earlier, library, err
}

// offerLibrary records a layer as the one whose library later layers take;
// newer says that it replaces another one.
func (r Runner) offerLibrary(ctx context.Context, pl Plan, res action.Result, newer bool) error {
	if pl.library == nil || !res.Hermetic || r.Store.ReadOnly() {
		return nil
	}
	if _, err := r.Store.Memo(ctx, store.DigestOf(pl.library)); err == nil && !newer {
		return nil
	}
	return r.Store.PutMemo(ctx, pl.library, res.Trees[layerOutput])
}

// withLibrary returns the first step with the compiled library of an earlier
// layer in its target directory; the step itself when there is none.
func (r Runner) withLibrary(ctx context.Context, pl Plan) (action.Step, error) {
	if pl.library == nil || r.Unsandboxed {
		return pl.Deps, nil
	}
	layer, err := r.Store.Memo(ctx, store.DigestOf(pl.library))
	var library, empty store.Digest
	if err == nil {
		library, err = r.libraryOf(ctx, layer)
	}
	if err == nil {
		empty, err = emptyTree(ctx, r.Store)
	}
	if errors.Is(err, store.ErrMissing) || errors.Is(err, store.ErrCorrupt) {
		return pl.Deps, nil
	}
	return onLayer(pl.Deps, empty, library), err
}

// libraryOf returns a tree with the library's units of a layer.
func (r Runner) libraryOf(ctx context.Context, layer store.Digest) (store.Digest, error) {
	key := fmt.Appendf(nil, "%s of layer %s\n", libraryRecipe, layer)
	tree, err := r.Store.Memo(ctx, store.DigestOf(key))
	if err == nil || !errors.Is(err, store.ErrMissing) && !errors.Is(err, store.ErrCorrupt) {
		return tree, err
	}
	if _, err := r.Store.TreePath(ctx, layer); err != nil { // verified, and made if only its messages are left
		return store.Digest{}, err
	}
	tree, err = r.Store.MakeTree(ctx, func(b *store.TreeBuilder) error {
		out := b.Source("standard library")
		return r.Store.Walk(ctx, layer, func(e store.Entry) error {
			if e.Type != store.TypeFile || !ofLibrary(e.Path) {
				return nil
			}
			f, err := r.Store.Open(ctx, e)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = out.File(ctx, e.Path, e.Executable, f)
			return err
		})
	})
	if err != nil {
		return tree, err
	}
	return tree, r.Store.PutMemo(ctx, key, tree)
}

// ofLibrary reports whether a file of the target directory belongs to a unit
// of the library: <profile>/.fingerprint/core-<hash>/…, also below <triple>/.
func ofLibrary(name string) bool {
	elem := strings.Split(name, "/")
	for at := 1; at <= 2 && at+1 < len(elem); at++ {
		unit := elem[at+1]
		switch elem[at] {
		case ".fingerprint", "build":
			stem, ok := cutHash(unit)
			return ok && libraryCrates[stem]
		case "deps":
			stem, ok := cutHash(stripExt(unit))
			return ok && (libraryCrates[stem] || libraryCrates[strings.TrimPrefix(stem, "lib")])
		}
	}
	return false
}
