package workspace

import (
	"context"
	"fmt"

	"espalier.dev/espalier/internal/action"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/store"
)

// profile is the name of the profile in golden results: empty for release.
func (w *Workspace) profile() string {
	if w.Project.Profile == "release" {
		return ""
	}
	return w.Project.Profile
}

// goldenOf are the golden results of a firmware in its lock; nil without.
func (w *Workspace) goldenOf(f *Firmware) *lock.Golden {
	g, ok := f.Pins.GoldenOf(f.Name, w.profile())
	if !ok {
		return nil
	}
	return &g
}

// checkGolden compares a firmware with the golden results of its lock. Results of
// other inputs are not compared, but a lock that must fit is at fault then: CI would
// compare nothing. Firmware with secrets has no golden results.
func (w *Workspace) checkGolden(ctx context.Context, f *Firmware) error {
	g := w.goldenOf(f)
	if g == nil || g.Action.IsZero() || !f.Hermetic || len(f.Plan.Secrets) > 0 {
		return nil
	}
	id, err := action.Digest(ctx, w.Store, f.Plan.Scratch())
	if err != nil {
		return err
	}
	image := store.DigestOf(f.Flash.Trimmed())
	switch {
	case g.ELF == f.Digest && g.Image == image:
		return nil
	case id != g.Action:
		if w.locked() {
			return fault.New(fault.Pins, fmt.Sprintf("the golden result of %s in %s is of other sources, flags or pins", f.Name, lock.FileName),
				"git log -p espalier.lock Cargo.lock   # what changed since it was recorded",
				"espalier lock --golden   # when the change is intended; then commit "+lock.FileName)
		}
		w.ui.Debugf("the golden result of %s is of other inputs", f.Name)
		return nil
	}
	return fault.New(fault.Differ, fmt.Sprintf("%s is not the golden result of %s, although its inputs are the same: ELF %s, want %s; image %s, want %s",
		f.Name, lock.FileName, f.Digest, g.ELF, image, g.Image),
		"espalier verify   # finds out what differs, and why",
		"espalier lock --golden   # if the flash settings changed and the new result is intended")
}

// RecordGolden builds the firmware and writes its results to the lock: later builds
// of the same inputs must reach them.
func (w *Workspace) RecordGolden(ctx context.Context) error {
	if names := w.Project.UseStandIns(); len(names) > 0 {
		return fault.New(fault.Usage, "firmware with secrets has no golden result: no one else could compare it", "espalier verify --record   # records the result with stand-ins")
	}
	f, err := w.build(ctx)
	if err != nil {
		return err
	}
	if !f.Hermetic {
		return fault.New(fault.Usage, "a build without the sandbox has no golden result: it may depend on this machine", "espalier lock --golden   # without --no-sandbox")
	}
	return w.record(ctx, f)
}

// record writes the results of a firmware to the lock.
func (w *Workspace) record(ctx context.Context, f *Firmware) error {
	id, err := action.Digest(ctx, w.Store, f.Plan.Scratch())
	if err != nil {
		return err
	}
	g := lock.Golden{Firmware: f.Name, Profile: w.profile(), Action: id, ELF: f.Digest, Image: store.DigestOf(f.Flash.Trimmed())}
	if have := w.goldenOf(f); have != nil && *have == g {
		return nil
	}
	f.Pins.SetGolden(g)
	if err := lock.Write(lock.Path(w.Project), f.Pins); err != nil {
		return err
	}
	w.ui.Note("recorded in %s", lock.FileName)
	return nil
}
