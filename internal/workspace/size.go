package workspace

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"strings"

	"espalier.dev/espalier/esp/image"
	"espalier.dev/espalier/firmware"
	"espalier.dev/espalier/internal/budget"
	"espalier.dev/espalier/internal/chipfiles"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/size"
	"espalier.dev/espalier/internal/supply/crates"
)

// Size attributes the bytes of an ELF, with the static libraries of the nearest
// lock.
func (o Opener) Size(ctx context.Context, elf []byte) (*size.Report, error) {
	e, err := firmware.Open(bytes.NewReader(elf), firmware.Options{})
	if err != nil {
		return nil, err
	}
	if err := image.CheckELF(elf); err != nil {
		return nil, err
	}
	path, err := chipfiles.NearestLock(o.dir())
	if err != nil || path == "" {
		return size.Analyze(e, nil), err
	}
	pins, err := lock.Read(path)
	if err != nil {
		return nil, err
	}
	p, err := o.Settings(project.Flags{})
	if err != nil {
		return nil, err
	}
	st, err := o.OpenStore(ctx, p.Espalier)
	if err != nil {
		return nil, err
	}
	defer st.Close()
	var libs size.Libraries
	if err := crates.StaticLibraries(ctx, st, pins.Crates, "esp32c3", libs.AddArchive); err != nil {
		return nil, err
	}
	return size.Analyze(e, &libs), nil
}

// RecordSize writes the sizes of an ELF beside the project's lock.
func (o Opener) RecordSize(elf string, r *size.Report) error {
	p, err := o.Settings(project.Flags{})
	if err != nil {
		return err
	}
	if p.Workspace == "" {
		return fault.New(fault.Usage, "no Cargo.toml here or above: "+budget.FileName+" is beside it", "espalier -C DIR size --record ELF")
	}
	return budget.Write(p.Workspace, strings.TrimSuffix(filepath.Base(elf), ".elf"), r)
}

// OverBudget is the event "budget": limits that a build did not keep.
type OverBudget struct {
	Firmware   string             `json:"firmware"`
	Violations []budget.Violation `json:"violations"`
}

// CheckBudget compares a built firmware with [budget]: a fault.Build when it takes
// more. Programs with debug assertions are not compared: their sizes are not those
// of the product.
func (w *Workspace) CheckBudget(ctx context.Context, f *Firmware) error {
	limits := w.Project.Espalier.Budget
	if len(limits) == 0 || w.Project.Profile == "dev" {
		return nil
	}
	recorded, err := budget.Read(w.Project.Workspace)
	if err != nil {
		return err
	}
	r, err := w.opener.Size(ctx, f.ELF)
	if err != nil {
		return err
	}
	over, err := budget.Check(limits, f.Name, r, recorded, func(b project.Budget) string { return b.Origin.String() })
	if err != nil || len(over) == 0 {
		return err
	}
	w.ui.Event("budget", OverBudget{f.Name, over})
	var lines []string
	for _, v := range over {
		lines = append(lines, v.String())
		for _, c := range v.Culprits {
			w.ui.Note("%s: %s", v.Name, c)
		}
	}
	return fault.Wrap(fault.Build, errors.New(strings.Join(lines, "\n")), "", "espalier size   # what takes the space",
		"espalier size --record   # when the growth is intended, then commit "+budget.FileName)
}
