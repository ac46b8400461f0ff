package build

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"espalier.dev/espalier/internal/action"
	"espalier.dev/espalier/internal/cargo"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/progress"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/store"
)

// The dependency layer contains nothing of the user's own code, so the
// application step would compile and link the user's build scripts each time,
// which is half of its work after an edit of main.rs. They are therefore
// compiled by a separate step, on the layer, with the real build scripts and
// stubs for everything else. Its outputs (the compiled scripts, not their
// output) are added to the layer as a second one.
//
// Cargo considers them fresh only because it compares their sources by checksum
// (-Zchecksum-freshness): by time, the sources would always be newer. Scripts
// that need other files of the package to compile fail in this step; then there
// is no second layer, and the application step compiles them.

const recipeScripts = "scripts-2"

// checksumFreshness is the cargo flag, which exists since 1.84; it is used with
// the versions that it has been tested with.
const checksumFreshness = "-Zchecksum-freshness"

// comparesChecksums reports whether the steps of p use checksumFreshness.
func comparesChecksums(p *project.Project, pins *lock.File) bool {
	scripts := false
	for _, own := range p.Own {
		scripts = scripts || own.Build != ""
	}
	if !scripts || len(pins.Toolchains) == 0 {
		return false
	}
	for _, tc := range pins.Toolchains {
		if version, _, _ := strings.Cut(tc.Rustc, " "); cargo.OlderThan(version, "1.90") {
			return false
		}
	}
	return true
}

// Scripts returns the step that compiles the user's own build scripts on a
// layer; false when there are none, or none that can be compiled separately.
func (pl Plan) Scripts(layer store.Digest) (action.Step, bool) {
	if pl.scripts.Argv == nil {
		return action.Step{}, false
	}
	s := pl.scripts
	s.Inputs = append(s.Inputs[:len(s.Inputs):len(s.Inputs)], action.Input{Path: "target", Tree: layer})
	return s, true
}

// scriptsKey is the memo key of a scripts step.
func scriptsKey(step store.Digest) []byte {
	return fmt.Appendf(nil, "build scripts of action %s\n", step)
}

// Units returns the layer of compiled build scripts: zero when the plan has no
// scripts step, store.ErrMissing when the step has not run yet.
func (r Runner) Units(ctx context.Context, pl Plan, layer store.Digest) (store.Digest, error) {
	step, ok := pl.Scripts(layer)
	if !ok || r.Unsandboxed {
		return store.Digest{}, nil
	}
	id, err := action.Digest(ctx, r.Store, step)
	if err != nil {
		return store.Digest{}, err
	}
	return r.Store.Memo(ctx, store.DigestOf(scriptsKey(id)))
}

// units is like Units, but runs the step when necessary.
func (r Runner) units(ctx context.Context, pl Plan, layer store.Digest) (store.Digest, error) {
	units, err := r.Units(ctx, pl, layer)
	if err == nil && !units.IsZero() {
		if _, ok := r.Store.Unverified(units); !ok {
			_, err = r.Store.TreePath(ctx, units)
		}
	}
	if err == nil || !errors.Is(err, store.ErrMissing) && !errors.Is(err, store.ErrCorrupt) {
		return units, err
	}
	if units, err = r.fetchUnits(ctx, pl, layer); err == nil || !errors.Is(err, store.ErrMissing) {
		return units, err
	}
	step, _ := pl.Scripts(layer)
	task := r.Report.Start("compiling build scripts", progress.Crates, 0)
	res, err := r.Executor.Run(ctx, r.Store, step, action.RunOptions{
		Keep:    map[string]func(string, fs.FileInfo) bool{layerOutput: pl.own.keepScripts},
		Rewrite: pl.rewrites(func() hostNeeds { return nil }),
	})
	if err != nil {
		task.Done(err)
		return store.Digest{}, err
	}
	units = res.Trees[layerOutput]
	if res.ExitCode != 0 {
		task.Detail("together with the application")
		if units, err = emptyTree(ctx, r.Store); err != nil {
			return units, err
		}
	}
	task.Done(nil)
	if !res.Hermetic {
		return store.Digest{}, fault.Newf(fault.Bug, "a scripts step ran outside the sandbox")
	}
	key := scriptsKey(res.Digest)
	if err := r.Store.PutMemo(ctx, key, units); err != nil {
		return units, err
	}
	r.Cache.Offer(ctx, r.Store, store.DigestOf(key))
	return units, nil
}

func emptyTree(ctx context.Context, st *store.Store) (store.Digest, error) {
	return st.MakeTree(ctx, func(*store.TreeBuilder) error { return nil })
}

// keepScripts filters the scripts step's target directory. It keeps the files
// that cargo made by compiling the user's own build scripts,
// <profile>/.fingerprint/<package>-<hash>/*build-script* and
// <profile>/build/<package>-<hash>/build[-_]script*, without the outputs of
// running them.
func (u ownUnits) keepScripts(name string, info fs.FileInfo) bool {
	elem := strings.Split(strings.TrimSuffix(name, "/"), "/")
	switch len(elem) {
	case 1:
		return info.IsDir()
	case 2:
		return info.IsDir() && (elem[1] == ".fingerprint" || elem[1] == "build")
	case 3, 4:
		stem, ok := cutHash(elem[2])
		if !ok || !u.packages[stem] {
			return false
		}
		if len(elem) == 3 {
			return info.IsDir()
		}
		base := elem[3]
		if elem[1] == ".fingerprint" {
			return strings.HasPrefix(base, "build-script-") || strings.HasPrefix(base, "dep-build-script-") || base == "invoked.timestamp"
		}
		return strings.HasPrefix(base, "build-script-") || strings.HasPrefix(base, "build_script_")
	}
	return false
}
