package workspace

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"espalier.dev/espalier/esp/image"
	"espalier.dev/espalier/internal/atomicfile"
	"espalier.dev/espalier/internal/build"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/flashimage"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/store"
	"espalier.dev/espalier/internal/ui"
)

// Firmware is a build with all that a board needs.
type Firmware struct {
	Name     string // of the binary or example
	Pins     *lock.File
	Plan     build.Plan
	Digest   store.Digest // of the ELF
	ELF      []byte
	Flash    *image.Flash
	ROM      []byte // mask ROM of the emulated chip
	Hermetic bool   // built in the sandbox, without secrets
}

// Rustc is the version of the compiler that made f.
func (f *Firmware) Rustc() string {
	tc, _ := f.Pins.Toolchain(lock.Host())
	return tc.Rustc
}

// Firmware builds the project and makes its flash image. One that is not the golden
// result of its lock is a fault.Differ.
func (w *Workspace) Firmware(ctx context.Context) (*Firmware, error) {
	f, err := w.build(ctx)
	if err != nil {
		return f, err
	}
	return f, w.checkGolden(ctx, f)
}

// build is Firmware without a comparison with golden results.
func (w *Workspace) build(ctx context.Context) (*Firmware, error) {
	if _, err := w.Project.Artifact(); err != nil {
		return nil, err
	}
	if err := w.Project.CheckEnv(); err != nil {
		return nil, err
	}
	pins, err := w.Pins(ctx)
	if err != nil {
		return nil, err
	}
	w.noteCallerEnv()
	plan, out, err := w.run(ctx, pins)
	if errors.Is(err, store.ErrMissing) || errors.Is(err, store.ErrCorrupt) {
		// A tree or result was damaged and is in quarantine now. It can be made
		// again.
		plan, out, err = w.run(ctx, pins)
	}
	if err != nil {
		return nil, err
	}
	if err := build.WriteLastBuild(w.OutDir(), out); err != nil {
		w.ui.Debugf("recording the build for espalier why: %v", err)
	}
	f := &Firmware{Name: plan.Output, Pins: pins, Plan: plan, Digest: out.ELF, ELF: out.Bytes, Hermetic: out.Hermetic}
	made, err := flashimage.Make(ctx, w.Store, w.Project, pins, f.Name, f.ELF)
	f.Flash, f.ROM = made.Flash, made.ROM
	return f, err
}

func (w *Workspace) run(ctx context.Context, pins *lock.File) (build.Plan, build.Output, error) {
	plan, err := w.Plan(ctx, pins)
	if err != nil {
		return plan, build.Output{}, err
	}
	out, err := w.Runner().Run(ctx, plan)
	return plan, out, err
}

// noteCallerEnv says which undeclared variables the build uses, never a value.
func (w *Workspace) noteCallerEnv() {
	fromCaller, emulated := w.Project.CallerEnv()
	if len(fromCaller) > 0 {
		w.ui.Note("from the environment: %s", strings.Join(fromCaller, ", "))
	}
	if len(emulated) > 0 {
		w.ui.Note("not set, so as on the emulated network: %s", strings.Join(emulated, ", "))
	}
}

// Delivered is the event "build": the files of a firmware.
type Delivered struct {
	ELF         string       `json:"elf"`
	ELFDigest   store.Digest `json:"elf-digest"`
	Image       string       `json:"image"`
	ImageDigest store.Digest `json:"image-digest"`
	Hermetic    bool         `json:"hermetic"`
	Secrets     []string     `json:"secrets,omitempty"` // names of secret variables that went into it
}

// Deliver writes ELF and image to a directory, unless they are there already, and
// prints their paths. hints are those of a directory that cannot be written.
func (f *Firmware) Deliver(out *ui.UI, dir string, hints ...string) error {
	mode := os.FileMode(0o644)
	err := os.MkdirAll(dir, 0o777)
	if err == nil && len(f.Plan.Secrets) > 0 {
		mode = 0o600
		dir, err = privateDir(dir, f.Plan.Secrets)
	}
	if err != nil {
		return fault.Wrap(fault.Usage, err, "writing the firmware", hints...)
	}
	img := f.Flash.Trimmed()
	d := Delivered{
		ELF: filepath.Join(dir, f.Name+".elf"), ELFDigest: f.Digest, Image: filepath.Join(dir, f.Name+".bin"), ImageDigest: store.DigestOf(img),
		Hermetic: f.Hermetic, Secrets: f.Plan.Secrets,
	}
	for _, file := range []struct {
		path string
		data []byte
	}{{d.ELF, f.ELF}, {d.Image, img}} {
		if err := atomicfile.WriteChanged(file.path, file.data, mode); err != nil {
			return fault.Wrap(fault.Usage, err, "writing "+file.path, hints...)
		}
	}
	out.Event("build", d)
	out.Printf("%s", ui.Path(d.ELF))
	out.Printf("%s", ui.Path(d.Image))
	switch {
	case len(d.Secrets) > 0:
		out.Note("not hermetic: it contains the secret %s; the result is in these files only and is built again every time",
			strings.Join(d.Secrets, ", "))
	case !d.Hermetic:
		out.Note("not hermetic: built without the sandbox")
	}
	if out.Verbose() {
		out.Note("ELF %s, image %s (%s)", d.ELFDigest, d.ImageDigest, ui.Size(int64(len(img))))
	}
	return nil
}
