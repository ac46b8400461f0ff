package build

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"espalier.dev/espalier/internal/action"
	"espalier.dev/espalier/internal/atomicfile"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/layout"
	"espalier.dev/espalier/internal/store"
)

// An editor needs two things that only a build has: the files that the user's
// own build scripts generate, and the user's own procedural macros. A check
// makes them, and they are stored as a tree of their own. Macros run where they
// run in a build: in the sandbox, in the macro server of the locked toolchain.

// macroServer is the program of the toolchain that runs procedural macros for
// rust-analyzer, of the same version as the compiler that made them.
const macroServer = "/usr/libexec/rust-analyzer-proc-macro-srv"

// macroServerVariable has to be set for it: its protocol is not stable.
const macroServerVariable = "RUST_ANALYZER_INTERNALS_DO_NOT_USE"

// editorUnits checks the firmware and returns the tree with what own build
// scripts and macros make; zero when own code has errors, or when secrets must
// not reach the store. r.script receives what cargo has said.
func (r Runner) editorUnits(ctx context.Context, pl Plan) (store.Digest, error) {
	deps, err := r.layer(ctx, pl)
	if err != nil {
		return store.Digest{}, err
	}
	layer := deps.Trees[layerOutput]
	units, err := r.units(ctx, pl, layer)
	if err != nil {
		return store.Digest{}, err
	}
	lines := func(b []byte) {
		var msg struct {
			Reason string
			scriptOutput
		}
		if json.Unmarshal(b, &msg) == nil && (msg.Reason == "build-script-executed" || msg.Reason == "compiler-artifact") {
			r.script(msg.scriptOutput)
		}
	}
	step := onLayer(pl.check, layer, units)
	step.Outputs = []string{layout.Target}
	keep := pl.own.keepForEditor
	if len(pl.Secrets) > 0 {
		step.Outputs = nil
	} else if res, err := r.load(ctx, step); err == nil {
		if _, err := r.Store.TreePath(ctx, res.Trees[layout.Target]); err == nil {
			r.replayTo(ctx, pl, step, res, lines)
			return res.Trees[layout.Target], nil
		}
	}
	res, err := r.stepAs(ctx, pl, "checking "+step.Name, step, lines,
		action.RunOptions{Keep: map[string]func(string, fs.FileInfo) bool{layout.Target: keep}})
	if fault.KindOf(err) == fault.Build && !usesLeftOut(err) {
		return store.Digest{}, nil
	}
	if err == nil && len(pl.Secrets) == 0 {
		err = r.save(ctx, res)
	}
	return res.Trees[layout.Target], err
}

// keepForEditor filters the target directory: <…>/build/<package>-<hash>/out of
// own packages, and <profile>/deps/lib<macro>-<hash>.so.
func (u ownUnits) keepForEditor(name string, info fs.FileInfo) bool {
	elem := strings.Split(strings.TrimSuffix(name, "/"), "/")
	for at := 1; at < min(len(elem), 3); at++ {
		rest := elem[at+1:]
		switch elem[at] {
		case "build":
			if len(rest) > 0 {
				if stem, ok := cutHash(rest[0]); !ok || !u.packages[stem] {
					return false
				}
			}
			return len(rest) > 1 && rest[1] == "out" || len(rest) < 2 && info.IsDir()
		case "deps":
			if len(rest) == 0 {
				return info.IsDir()
			}
			stem, ok := cutHash(stripExt(rest[0]))
			return ok && u.crates[stem] && path.Ext(rest[0]) == ".so"
		}
	}
	return info.IsDir() && len(elem) <= 2 && !strings.HasPrefix(elem[len(elem)-1], ".")
}

// macroServer stores the step in which the macro server runs; zero when the
// toolchain has none.
func (r Runner) macroServer(ctx context.Context, pl Plan, layer, made store.Digest) (store.Digest, error) {
	if _, err := r.Store.Lookup(ctx, inputTree(pl.check, layout.InputRootfs), strings.TrimPrefix(macroServer, "/")); err != nil {
		return store.Digest{}, nil
	}
	step := onLayer(pl.check, layer, made)
	step.Argv, step.Outputs, step.Secrets = []string{macroServer}, nil, nil
	env := map[string]string{macroServerVariable: "1"}
	for name, value := range step.Env {
		env[name] = value
	}
	step.Env = env
	return action.Put(ctx, r.Store, step)
}

// MacroServer returns the step of a digest that RustProject has returned, with
// the arguments that rust-analyzer gives to the server.
func MacroServer(ctx context.Context, st *store.Store, digest string, args []string) (action.Step, error) {
	d, err := store.ParseDigest(digest)
	if err != nil {
		return action.Step{}, fault.Wrap(fault.Usage, err, "macro server")
	}
	step, err := action.Get(ctx, st, d)
	if err == nil && (len(step.Argv) != 1 || step.Argv[0] != macroServer) {
		err = fmt.Errorf("action %s is not a macro server", d)
	}
	if err != nil {
		return step, fault.Wrap(fault.Pins, err, "macro server", "espalier check --rust-project > rust-project.json")
	}
	step.Name, step.Argv = "macro server", append(step.Argv, args...)
	return step, nil
}

// WriteSysroot makes a directory that rust-analyzer takes for a toolchain. It
// has the macro server alone: a script that starts program, which is espalier,
// with the digest of the server's step and the store that has it.
func WriteSysroot(dir, program, storeDir string, server store.Digest) error {
	quote := func(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
	text := fmt.Sprintf("#!/bin/sh\n# Runs procedural macros in the sandbox of the build, for rust-analyzer.\nESPALIER_STORE=%s exec %s macro-server %s -- \"$@\"\n",
		quote(storeDir), quote(program), server)
	at := filepath.Join(dir, "libexec", path.Base(macroServer))
	if err := os.MkdirAll(filepath.Dir(at), 0o777); err != nil {
		return err
	}
	return atomicfile.WriteChanged(at, []byte(text), 0o755)
}
