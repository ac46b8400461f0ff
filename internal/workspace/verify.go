package workspace

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"espalier.dev/espalier/internal/build"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/flashimage"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/proof"
	"espalier.dev/espalier/internal/store"
)

// Verification is the event "verify": two builds under different conditions, and
// the result that the lock records, compared.
type Verification struct {
	Same        bool               `json:"same"`
	ELF         store.Digest       `json:"elf"`
	Image       store.Digest       `json:"image"`
	SecondELF   store.Digest       `json:"second-elf"`
	Recorded    *lock.Golden       `json:"recorded,omitempty"`
	Matches     bool               `json:"matches-recorded"`
	Differences []proof.Difference `json:"differences,omitempty"`

	Name string `json:"-"` // of the firmware
	Jobs string `json:"-"` // number of jobs of the second build
	pins *lock.File
}

// Verify builds the firmware, builds it again from scratch under other conditions
// and compares ELF and image. Secrets are replaced by their stand-ins: a digest of
// a firmware with a secret would be a way to guess it, and no one else could
// compare it.
func (w *Workspace) Verify(ctx context.Context) (v Verification, err error) {
	if names := w.Project.UseStandIns(); len(names) > 0 {
		w.ui.Note("built with stand-ins for the secrets of %s", strings.Join(names, ", "))
	}
	first, err := w.Firmware(ctx)
	if err != nil {
		return v, err
	}
	other := build.Conditions()
	second, err := w.Runner().Again(ctx, first.Plan, w.Box, other)
	if err != nil {
		return v, err
	}
	image, err := flashimage.Make(ctx, w.Store, w.Project, first.Pins, first.Name, second.Bytes)
	if err != nil {
		return v, err
	}
	v = Verification{
		ELF: first.Digest, Image: store.DigestOf(first.Flash.Trimmed()), SecondELF: second.ELF, Recorded: first.Pins.Golden,
		Name: first.Name, Jobs: other.Env["CARGO_BUILD_JOBS"], pins: first.Pins,
	}
	v.Same = second.ELF == first.Digest && store.DigestOf(image.Flash.Trimmed()) == v.Image
	v.Matches = v.Recorded == nil || *v.Recorded == v.golden()
	if v.Same {
		return v, nil
	}
	if v.Differences, err = proof.CompareELF(bytes.NewReader(first.ELF), bytes.NewReader(second.Bytes)); err != nil {
		return v, err
	}
	proof.Attribute(v.Differences, proof.ConditionsOf(other))
	proof.NameListers(w.Project, v.Differences)
	return v, nil
}

func (v Verification) golden() lock.Golden { return lock.Golden{ELF: v.ELF, Image: v.Image} }

// Err is the verdict: nil, or a fault.Differ. With replace, a result that is not
// the recorded one is no error: it is going to be recorded.
func (v Verification) Err(replace bool) error {
	switch {
	case !v.Same:
		sections := "1 section"
		if n := len(v.Differences); n != 1 {
			sections = fmt.Sprintf("%d sections", n)
		}
		return fault.New(fault.Differ, fmt.Sprintf("two builds of %s differ in %s", v.Name, sections),
			"espalier verify --json   # the differences as data")
	case !v.Matches && !replace:
		return fault.New(fault.Differ, fmt.Sprintf("two builds of %s agree, but espalier.lock records another result: %s", v.Name, v.Recorded.ELF),
			"git log -p espalier.lock Cargo.lock   # what changed since it was recorded",
			"espalier verify --record   # when the change is intended")
	}
	return nil
}

// Record writes the verified result to the lock, unless it is there already.
func (w *Workspace) Record(v Verification) error {
	if v.Recorded != nil && v.Matches {
		return nil
	}
	golden := v.golden()
	v.pins.Golden = &golden
	if err := lock.Write(lock.Path(w.Project), v.pins); err != nil {
		return err
	}
	w.ui.Note("recorded in %s", lock.FileName)
	return nil
}
