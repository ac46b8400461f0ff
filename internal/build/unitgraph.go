package build

import (
	"context"
	"encoding/json"

	"espalier.dev/espalier/internal/action"
	"espalier.dev/espalier/internal/fault"
)

// unitGraph is what cargo --unit-graph prints: every compilation of a build.
type unitGraph struct {
	Version int
	Units   []unit
	Roots   []int
}

type unit struct {
	PkgID  string `json:"pkg_id"`
	Target struct {
		Kind    []string
		Name    string
		SrcPath string `json:"src_path"`
		Edition string
	}
	Platform     string // the target's triple; empty for the host
	Mode         string // "build", "run-custom-build", ...
	Features     []string
	IsStd        bool `json:"is_std"`
	Dependencies []struct {
		Index           int
		ExternCrateName string `json:"extern_crate_name"`
	}
}

// runsScript reports whether a unit runs a build script instead of compiling.
func (u unit) runsScript() bool { return u.Mode == "run-custom-build" }

// largestGraph bounds cargo's output in bytes; esp-hal with Wi-Fi has 1 MB.
const largestGraph = 64 << 20

// graphStep is the step that prints the unit graph of app.
func graphStep(app action.Step, command []string) action.Step {
	app.Name = "unit graph"
	app.Argv = append(command, "-Zunstable-options", "--unit-graph")
	app.Outputs, app.Secrets = nil, nil
	return app
}

// graph asks cargo for the unit graph of a step that graphStep has made.
func (r Runner) graph(ctx context.Context, step action.Step) (unitGraph, error) {
	b, err := r.stdout(ctx, step)
	if err != nil {
		return unitGraph{}, err
	}
	return parseUnitGraph(b)
}

func parseUnitGraph(b []byte) (unitGraph, error) {
	var g unitGraph
	if err := json.Unmarshal(b, &g); err != nil {
		return g, fault.Newf(fault.Build, "cargo --unit-graph: %w", err)
	}
	if g.Version != 1 {
		return g, fault.Newf(fault.Build, "cargo --unit-graph: format %d is not supported, only 1", g.Version)
	}
	for _, u := range g.Units {
		for _, d := range u.Dependencies {
			if d.Index < 0 || d.Index >= len(g.Units) {
				return g, fault.Newf(fault.Build, "cargo --unit-graph: a unit depends on number %d of %d", d.Index, len(g.Units))
			}
		}
	}
	return g, nil
}

// crates returns how many crates a build compiles: 0 when it is not known. It is
// for progress only, so errors are no failure.
func (r Runner) crates(ctx context.Context, step action.Step) int64 {
	if r.Unsandboxed || step.Argv == nil { // without the sandbox two steps at once need two copies of the rootfs
		return 0
	}
	g, err := r.graph(ctx, step)
	if err != nil {
		return 0
	}
	n := int64(0)
	for _, u := range g.Units {
		if !u.runsScript() {
			n++
		}
	}
	return n
}
