package build

import (
	"bytes"
	"context"
	"path"
	"slices"
	"strings"

	"espalier.dev/espalier/internal/action"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/layout"
	"espalier.dev/espalier/internal/store"
)

// RustProject is the format of rust-project.json, which rust-analyzer reads
// instead of asking cargo and rustc
// (rust-analyzer's manual, "Non-Cargo Based Projects"). Paths are of this
// machine.
type RustProject struct {
	Sysroot    string         `json:"sysroot,omitempty"` // a directory with the server of WriteSysroot
	SysrootSrc string         `json:"sysroot_src,omitempty"`
	Crates     []ProjectCrate `json:"crates"`
}

// ProjectCrate is one crate of a RustProject.
type ProjectCrate struct {
	Name    string            `json:"display_name"`
	Root    string            `json:"root_module"`
	Edition string            `json:"edition"`
	Deps    []ProjectDep      `json:"deps"`
	Cfg     []string          `json:"cfg"`
	Env     map[string]string `json:"env"`
	Target  string            `json:"target,omitempty"`
	Member  bool              `json:"is_workspace_member"`
	Macro   bool              `json:"is_proc_macro"`
	Version string            `json:"version,omitempty"`

	Source ProjectSource `json:"source"`

	// Dylib is the compiled procedural macro, as the macro server sees it.
	Dylib string `json:"proc_macro_dylib_path,omitempty"`
}

// ProjectSource are the directories whose files a crate may include: its
// package, and what its build script has made.
type ProjectSource struct {
	Include []string `json:"include_dirs"`
	Exclude []string `json:"exclude_dirs"`
}

// ProjectDep is a dependency: the number of a crate and its name there.
type ProjectDep struct {
	Crate int    `json:"crate"`
	Name  string `json:"name"`
}

// scriptOutput is what a build script has told cargo, or the files of a compiled
// crate.
type scriptOutput struct {
	PackageID string `json:"package_id"`
	Cfgs      []string
	Env       [][2]string
	OutDir    string `json:"out_dir"`

	// Of a compiled crate instead.
	Target    struct{ Kind []string }
	Filenames []string
}

// RustProject describes the crates of a plan for rust-analyzer: the unit graph
// of cargo, with what build scripts set. The dependency layer is built when it is
// missing. When the user's own code has errors, what its build scripts and
// macros make is missing, which is no failure. The digest is that of the step
// for MacroServer, zero when the toolchain has no server.
func (r Runner) RustProject(ctx context.Context, pl Plan) (RustProject, store.Digest, error) {
	fail := func(err error) (RustProject, store.Digest, error) { return RustProject{}, store.Digest{}, err }
	g, err := r.graph(ctx, pl.graph)
	if err != nil {
		return fail(err)
	}
	host, err := r.cfg(ctx, pl, "")
	if err != nil {
		return fail(err)
	}
	target, err := r.cfg(ctx, pl, pl.triple)
	if err != nil {
		return fail(err)
	}
	layer, err := r.Layer(ctx, pl)
	if err != nil {
		return fail(err)
	}
	var scripts []scriptOutput
	quiet := r
	quiet.Messages = nil
	quiet.Lines = nil
	quiet.script = func(s scriptOutput) { scripts = append(scripts, s) }
	made, err := quiet.editorUnits(ctx, pl)
	if err != nil {
		return fail(err)
	}
	paths := r.hostPaths(pl, layer, made)
	macro := paths.path
	server, err := r.macroServer(ctx, pl, layer, made)
	if err != nil {
		return fail(err)
	}
	if !server.IsZero() {
		macro = func(inside string) string { return inside } // the server runs in the sandbox
	}
	p := rustProject(g, map[string][]string{"": host, pl.triple: target}, scripts, paths.path, macro)
	src := path.Join(layout.Rustc, "../../lib/rustlib/src/rust/library")
	p.SysrootSrc = paths.path(src)
	return p, server, nil
}

// cfg asks the compiler for the configuration of a target; "" is the host.
func (r Runner) cfg(ctx context.Context, pl Plan, triple string) ([]string, error) {
	step := pl.graph
	step.Name, step.Argv = "cfg", []string{layout.Rustc, "-O", "--print", "cfg"}
	if triple != "" && !strings.HasSuffix(triple, ".json") {
		step.Argv = append(step.Argv, "--target", triple)
	}
	b, err := r.stdout(ctx, step)
	return strings.Fields(string(b)), err
}

// rustProject joins the unit graph, the configurations by platform and the
// outputs of build scripts. host translates a path inside a step, macro that of
// a compiled procedural macro.
func rustProject(g unitGraph, cfg map[string][]string, scripts []scriptOutput, host, macro func(string) string) RustProject {
	number := map[int]int{} // of a unit in the project
	for i, u := range g.Units {
		if !u.runsScript() && !u.IsStd {
			number[i] = len(number)
		}
	}
	out := RustProject{Crates: make([]ProjectCrate, len(number))}
	for i, u := range g.Units {
		n, ok := number[i]
		if !ok {
			continue
		}
		name, version := packageOf(u.PkgID)
		c := ProjectCrate{
			Name: strings.ReplaceAll(u.Target.Name, "-", "_"), Root: host(u.Target.SrcPath), Edition: u.Target.Edition,
			Deps: []ProjectDep{}, Env: map[string]string{}, Target: u.Platform, Version: version,
			Member: strings.HasPrefix(u.PkgID, "path+"), Macro: slices.Contains(u.Target.Kind, "proc-macro"),
		}
		c.Cfg = append(c.Cfg, cfg[u.Platform]...)
		for _, f := range u.Features {
			c.Cfg = append(c.Cfg, `feature="`+f+`"`)
		}
		c.Env["CARGO_PKG_NAME"], c.Env["CARGO_PKG_VERSION"], c.Env["CARGO_CRATE_NAME"] = name, version, c.Name
		dir := manifestDir(c.Root)
		c.Env["CARGO_MANIFEST_DIR"] = dir
		c.Source = ProjectSource{[]string{dir}, []string{path.Join(dir, ".git"), path.Join(dir, "target")}}
		if !slices.Contains(u.Target.Kind, "custom-build") {
			for _, s := range scripts {
				if s.PackageID != u.PkgID {
					continue
				}
				if len(s.Filenames) > 0 {
					if c.Macro && slices.Contains(s.Target.Kind, "proc-macro") {
						c.Dylib = macro(s.Filenames[0])
					}
					continue
				}
				if s.OutDir == "" {
					continue
				}
				c.Cfg = append(c.Cfg, s.Cfgs...)
				out := host(s.OutDir)
				c.Env["OUT_DIR"] = out
				c.Source.Include = append(c.Source.Include, out)
				for _, e := range s.Env {
					c.Env[e[0]] = e[1]
				}
			}
		}
		for _, d := range u.Dependencies {
			if to, ok := number[d.Index]; ok {
				c.Deps = append(c.Deps, ProjectDep{to, d.ExternCrateName})
			}
		}
		out.Crates[n] = c
	}
	return out
}

// packageOf takes name and version from a package id: "…#name@1.2.3", or
// "…/name#1.2.3".
func packageOf(id string) (name, version string) {
	before, after, _ := strings.Cut(id, "#")
	if name, version, ok := strings.Cut(after, "@"); ok {
		return name, version
	}
	return path.Base(before), after
}

// manifestDir is the package's directory of a crate root in its usual place.
func manifestDir(root string) string {
	for _, dir := range []string{"/src/", "/examples/"} {
		if i := strings.LastIndex(root, dir); i >= 0 {
			return root[:i]
		}
	}
	return path.Dir(root)
}

// stdout runs a small step, or takes its stored result, and returns what it
// prints.
func (r Runner) stdout(ctx context.Context, step action.Step) ([]byte, error) {
	res, err := r.load(ctx, step)
	if err != nil {
		var said bytes.Buffer
		if res, err = r.Executor.Run(ctx, r.Store, step, action.RunOptions{Stderr: &said}); err != nil {
			return nil, err
		}
		if res.ExitCode != 0 {
			return nil, fault.Newf(fault.Build, "%s: %s", step.Name, bytes.TrimSpace(said.Bytes()))
		}
		if err := r.save(ctx, res); err != nil {
			return nil, err
		}
	}
	return r.Store.ReadBlob(ctx, res.Stdout, largestGraph)
}
