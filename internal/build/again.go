package build

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"espalier.dev/espalier/internal/action"
	"espalier.dev/espalier/internal/layout"
	"espalier.dev/espalier/internal/sandbox"
	"espalier.dev/espalier/internal/store"
)

// Rebuilt is a build from scratch with a trace of its intermediate results.
type Rebuilt struct {
	Output
	Trace store.Digest // a tree: what build scripts wrote, and of each crate its dependency file and, in place of it, its digest
}

// Again builds the firmware of a plan from scratch under conditions: no dependency
// layer and no cached result. The input trees are verified first. It needs the
// local sandbox, because the conditions depend on where a step runs.
func (r Runner) Again(ctx context.Context, pl Plan, box sandbox.Local, conditions []Condition) (Rebuilt, error) {
	for _, in := range pl.Scratch().Inputs {
		if err := r.Store.VerifyTree(ctx, in.Tree); err != nil {
			return Rebuilt{}, err
		}
	}
	return r.under(ctx, pl, pl.Scratch(), box, conditions)
}

// AgainOnLayer compiles the user's own crates once more, under conditions, on the
// dependency layer of a build that has been made. It takes a fraction of the time of
// Again, and does not show what conditions change in dependencies.
func (r Runner) AgainOnLayer(ctx context.Context, pl Plan, box sandbox.Local, conditions []Condition) (Rebuilt, error) {
	deps, err := r.layer(ctx, pl)
	if err != nil {
		return Rebuilt{}, err
	}
	units, err := r.units(ctx, pl, deps.Trees[layerOutput])
	if err != nil {
		return Rebuilt{}, err
	}
	return r.under(ctx, pl, pl.App(deps.Trees[layerOutput], units), box, conditions)
}

// under runs a step that makes the ELF under conditions, and keeps a trace.
func (r Runner) under(ctx context.Context, pl Plan, step action.Step, box sandbox.Local, conditions []Condition) (Rebuilt, error) {
	for _, c := range conditions {
		c.set(&box)
		if c.Name == ConditionClock {
			library, err := r.clock(ctx, pl)
			if err != nil {
				return Rebuilt{}, err
			}
			box.Perturb.Preload = library
		}
	}
	r.Executor, r.Scratch, r.Messages = box, true, nil
	step.Outputs = append(slices.Clone(step.Outputs), layout.Target)
	r.keep = map[string]func(string, fs.FileInfo) bool{layout.Target: inTrace}
	r.rewrite = map[string]func(string, io.ReaderAt, int64) (io.Reader, bool){layout.Target: traced}
	out, err := r.finish(ctx, pl, step, nil)
	if err != nil {
		return Rebuilt{}, err
	}
	return Rebuilt{out, out.Steps[0].Result.Trees[layout.Target]}, nil
}

// inTrace filters the target directory: what is below the directory "out" of a build
// script, compiled crates, and what rustc says that they depend on.
func inTrace(name string, info fs.FileInfo) bool {
	if info.IsDir() {
		base := path.Base(strings.TrimSuffix(name, "/"))
		return base != "incremental" && base != ".fingerprint"
	}
	if strings.Contains(name, "/out/") {
		return info.Mode().IsRegular()
	}
	switch path.Ext(name) {
	case ".rlib", ".rmeta", ".so", DepInfo:
		return info.Mode().IsRegular() && strings.Contains(name, "/deps/")
	}
	return false
}

// DepInfo is the extension of the files in which rustc lists the sources of a crate and
// the environment variables that it reads.
const DepInfo = ".d"

// traced replaces a compiled crate by its digest.
func traced(name string, content io.ReaderAt, size int64) (io.Reader, bool) {
	if strings.Contains(name, "/out/") || path.Ext(name) == DepInfo {
		return nil, false
	}
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(content, 0, size)); err != nil {
		return nil, false
	}
	return strings.NewReader(fmt.Sprintf("%x\n", h.Sum(nil))), true
}

//go:embed clock.rs
var clockSource string

// clock compiles the library that sets the clock of a step ahead, with the pinned
// compiler.
func (r Runner) clock(ctx context.Context, pl Plan) ([]byte, error) {
	src, err := r.Store.MakeTree(ctx, func(b *store.TreeBuilder) error {
		_, err := b.Source("").File(ctx, "clock.rs", false, strings.NewReader(clockSource))
		return err
	})
	if err != nil {
		return nil, err
	}
	step := pl.graph
	step.Name = "clock"
	step.Argv = []string{layout.Rustc, "--crate-type=cdylib", "--edition=2021", "-O", "-Cpanic=abort", "--out-dir=/out", layout.Src + "/clock.rs"}
	step.Dir = layout.Src
	step.Env = map[string]string{"PATH": "/usr/bin", "ESPALIER_CLOCK": strconv.Itoa(clockOffset)}
	step.Inputs = []action.Input{{Path: layout.InputRootfs, Tree: inputTree(pl.graph, layout.InputRootfs)}, {Path: layout.InputSrc, Tree: src}}
	step.Outputs = []string{"libclock.so"}
	res, err := r.load(ctx, step)
	if err != nil || !r.Store.Has(res.Outputs["libclock.so"]) {
		var said bytes.Buffer
		if res, err = r.Executor.Run(ctx, r.Store, step, action.RunOptions{Stderr: &said}); err != nil {
			return nil, err
		}
		if res.ExitCode != 0 {
			return nil, fmt.Errorf("compiling the library that sets the clock: %s", bytes.TrimSpace(said.Bytes()))
		}
		if err := action.Save(ctx, r.Store, res); err != nil {
			return nil, err
		}
	}
	return r.Store.ReadBlob(ctx, res.Outputs["libclock.so"], 64<<20)
}
