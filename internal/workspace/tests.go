package workspace

import (
	"context"
	"path/filepath"
	"strings"

	"espalier.dev/espalier/esp/image"
	"espalier.dev/espalier/internal/build"
	"espalier.dev/espalier/internal/cargo"
	"espalier.dev/espalier/internal/flashimage"
	"espalier.dev/espalier/internal/lock"
)

// TestProgram is a built test target with all that a board needs.
type TestProgram struct {
	Name   string
	Select []string // flags of a verb that choose it again
	Source string   // path of its source file without the extension
	ELF    []byte
	Flash  *image.Flash
	ROM    []byte // mask ROM of the emulated chip
}

// BuildTests builds test targets of the project, see build.TestTargets.
func (w *Workspace) BuildTests(ctx context.Context, targets []cargo.Target) ([]TestProgram, error) {
	pins, err := w.Pins(ctx)
	if err != nil {
		return nil, err
	}
	m, err := build.Assemble(ctx, w.Store, w.Project, pins, lock.Host(), w.ui)
	if err != nil {
		return nil, err
	}
	if err := w.ResolveSecrets(ctx); err != nil {
		return nil, err
	}
	plan, err := build.TestPlanFor(ctx, w.Store, w.Project, pins, m, targets)
	if err != nil {
		return nil, err
	}
	built, _, err := w.Runner().RunTests(ctx, plan)
	if err != nil {
		return nil, err
	}
	var out []TestProgram
	for _, b := range built {
		made, err := flashimage.Make(ctx, w.Store, w.Project, pins, b.Target.Name, b.Bytes)
		if err != nil {
			return nil, err
		}
		p := TestProgram{
			Name: b.Target.Name, Select: []string{"--" + b.Target.Kind, b.Target.Name}, ELF: b.Bytes, Flash: made.Flash, ROM: made.ROM,
			Source: strings.TrimSuffix(filepath.Join(w.Project.Root, filepath.FromSlash(b.Target.Path)), ".rs"),
		}
		if b.Target.Kind == "lib" {
			p.Select = []string{"--lib"}
		}
		out = append(out, p)
	}
	return out, nil
}
