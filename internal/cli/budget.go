package cli

import (
	"context"
	"errors"
	"path/filepath"
	"strings"

	"espalier.dev/espalier/internal/budget"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/size"
)

// budgetEvent is the event "budget": limits that a build did not keep.
type budgetEvent struct {
	Firmware   string             `json:"firmware"`
	Violations []budget.Violation `json:"violations"`
}

// recordSize writes the sizes of an ELF beside the project's lock.
func (a *app) recordSize(elf string, r *size.Report) error {
	p, err := project.Settings(a.projectDir(), a.projectOptions(project.Flags{}))
	if err != nil {
		return err
	}
	if p.Workspace == "" {
		return fault.New(fault.Usage, "no Cargo.toml here or above: "+budget.FileName+" is beside it", "espalier -C DIR size --record ELF")
	}
	return budget.Write(p.Workspace, strings.TrimSuffix(filepath.Base(elf), ".elf"), r)
}

// checkBudget compares a built firmware with [budget]. Programs with debug
// assertions are not compared: their sizes are not those of the product.
func (w *workspace) checkBudget(ctx context.Context, f *firmware) error {
	limits := w.project.Espalier.Budget
	if len(limits) == 0 || w.project.Profile == "dev" {
		return nil
	}
	recorded, err := budget.Read(w.project.Workspace)
	if err != nil {
		return err
	}
	r, err := w.app.sizeOf(ctx, f.bytes)
	if err != nil {
		return err
	}
	over, err := budget.Check(limits, f.name, r, recorded, func(b project.Budget) string { return b.Origin.String() })
	if err != nil || len(over) == 0 {
		return err
	}
	w.app.ui.Event("budget", budgetEvent{f.name, over})
	var lines []string
	for _, v := range over {
		lines = append(lines, v.String())
		for _, c := range v.Culprits {
			w.app.ui.Note("%s: %s", v.Name, c)
		}
	}
	return fault.Wrap(fault.Build, errors.New(strings.Join(lines, "\n")), "", "espalier size   # what takes the space",
		"espalier size --record   # when the growth is intended, then commit "+budget.FileName)
}
