package cli

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"espalier.dev/espalier/esp/image"
	"espalier.dev/espalier/esp/partition"
	"espalier.dev/espalier/internal/atomicfile"
	"espalier.dev/espalier/internal/build"
	"espalier.dev/espalier/internal/chipfiles"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/store"
	"espalier.dev/espalier/internal/ui"
)

type buildOptions struct {
	work workOptions
	Out  string
}

func newBuild(a *app) *cobra.Command {
	var o buildOptions
	cmd := &cobra.Command{
		Use:   "build",
		Short: "ELF and flash image, out of the sandbox",
		Long: `Compile the project as espalier.lock says, in the sandbox, and write the ELF and the
image of the flash (bootloader, partition table and application). Their paths are
printed. What was built before is not built again; an edit of the project's own
sources compiles only those. The network is never used and no pin ever moves.` +
			exits(fault.Build, fault.Pins, fault.Sandbox),
		Example: `  espalier build
  espalier build --bin blinky --features wifi --out dist`,
		Args: args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			w, err := a.open(cmd.Context(), o.work)
			if err != nil {
				return err
			}
			defer w.close()
			f, err := w.firmware(cmd.Context())
			if err != nil {
				return err
			}
			return w.deliver(cmd.Context(), f, o.Out)
		},
	}
	o.work.addFlags(cmd.Flags())
	cmd.Flags().StringVarP(&o.Out, "out", "o", "", "write to `DIR` instead of target/espalier")
	return cmd
}

// firmware is what a build made, with all that a board needs.
type firmware struct {
	name     string
	pins     *lock.File
	plan     build.Plan
	elf      store.Digest
	bytes    []byte // of the ELF
	flash    *image.Flash
	rom      []byte
	hermetic bool
	steps    []build.StepResult
}

// firmware builds the project and makes its flash image.
func (w *workspace) firmware(ctx context.Context) (*firmware, error) {
	pins, err := w.pins()
	if err != nil {
		return nil, err
	}
	plan, out, err := w.run(ctx, pins)
	if errors.Is(err, store.ErrMissing) || errors.Is(err, store.ErrCorrupt) {
		// A tree or result turned out to be damaged when it was used; it is in
		// quarantine now. What can be made again is made again.
		plan, out, err = w.run(ctx, pins)
	}
	if err != nil {
		return nil, err
	}
	w.remember(out)
	f := &firmware{name: plan.Output, pins: pins, plan: plan, elf: out.ELF, bytes: out.Bytes, hermetic: out.Hermetic, steps: out.Steps}
	return f, w.image(ctx, f)
}

func (w *workspace) run(ctx context.Context, pins *lock.File) (build.Plan, build.Output, error) {
	plan, err := w.plan(ctx, pins)
	if err != nil {
		return plan, build.Output{}, err
	}
	out, err := w.runner().Run(ctx, plan)
	return plan, out, err
}

func (w *workspace) runner() build.Runner {
	return build.Runner{
		Store:       w.store,
		Executor:    w.box,
		Unsandboxed: w.box.NoSandbox,
		Report:      w.app.ui,
		Messages: func(rendered string) {
			w.app.ui.Diagnostic(rendered)
		},
	}
}

// image makes the flash image of f's ELF as the project configures it.
func (w *workspace) image(ctx context.Context, f *firmware) error {
	c := w.project.Espalier.Image
	in, err := w.app.imageInputs(chipOptions{
		App:       c.TargetAppPartition.V,
		FlashMode: c.FlashMode.V,
		FlashSize: c.FlashSize.V,
		FlashFreq: c.FlashFreq.V,
	})
	if err != nil {
		return err
	}
	in.TableOffset = uint32(c.PartitionTableOffset.V)
	in.MinChipRev = uint16(c.MinChipRev.V)
	if name := c.PartitionTable.V; name != "" {
		path := filepath.Join(w.project.Root, filepath.FromSlash(name))
		b, err := os.ReadFile(path)
		if err != nil {
			return fault.Wrap(fault.Usage, err, "reading the partition table")
		}
		if in.Table, err = partition.Parse(b); err != nil {
			return atFile(name, err)
		}
		in.TableFile = name
	}
	chips := chipfiles.OfLock(f.pins, w.lockPath())
	rom, err := chips.ROM(ctx, w.store, chipfiles.EmulatedRevision)
	if err != nil {
		return err
	}
	boot, err := chips.Bootloader(ctx, w.store, in.Params.Mode)
	if err != nil {
		return err
	}
	if name := c.Bootloader.V; name != "" {
		if boot, err = os.ReadFile(filepath.Join(w.project.Root, filepath.FromSlash(name))); err != nil {
			return fault.Wrap(fault.Usage, err, "reading the bootloader")
		}
	}
	in.Bootloader = boot
	f.rom = rom
	if f.flash, err = image.FromELF(f.bytes, in); err != nil {
		return atFile(f.name, err)
	}
	return nil
}

// deliver writes ELF and image to a folder and prints their paths.
func (w *workspace) deliver(ctx context.Context, f *firmware, dir string) error {
	var hints []string
	if dir == "" {
		dir, hints = w.outDir(), []string{"espalier build --out DIR   # writes nothing to the project"}
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return fault.Wrap(fault.Usage, err, "writing the firmware", hints...)
	}
	elf, bin := filepath.Join(dir, f.name+".elf"), filepath.Join(dir, f.name+".bin")
	img := f.flash.Trimmed()
	for _, out := range []struct {
		path string
		data []byte
	}{{elf, f.bytes}, {bin, img}} {
		if err := writeChanged(out.path, out.data); err != nil {
			return fault.Wrap(fault.Usage, err, "", hints...)
		}
	}
	w.app.ui.Event("build", struct {
		ELF         string       `json:"elf"`
		ELFDigest   store.Digest `json:"elf-digest"`
		Image       string       `json:"image"`
		ImageDigest store.Digest `json:"image-digest"`
		Hermetic    bool         `json:"hermetic"`
		Secrets     []string     `json:"secrets,omitempty"` // names of secret variables that went into it
	}{elf, f.elf, bin, store.DigestOf(img), f.hermetic, f.plan.Secrets})
	w.app.ui.Printf("%s", short(elf))
	w.app.ui.Printf("%s", short(bin))
	switch {
	case len(f.plan.Secrets) > 0:
		w.app.ui.Note("not hermetic: the secret %s went into it; the result is in these files and nowhere else", strings.Join(f.plan.Secrets, ", "))
	case !f.hermetic:
		w.app.ui.Note("not hermetic: built without the sandbox")
	}
	if w.app.ui.Verbose() {
		w.app.ui.Note("ELF %s, image %s (%s)", f.elf, store.DigestOf(img), ui.Size(int64(len(img))))
	}
	return nil
}

// outDir is where builds go: below cargo's own target folder, which every
// project already keeps out of its repository.
func (w *workspace) outDir() string { return filepath.Join(w.project.Workspace, "target", "espalier") }

// writeChanged writes a file unless it holds these bytes already.
func writeChanged(path string, b []byte) error {
	return fault.Wrap(fault.Usage, atomicfile.WriteChanged(path, b, 0o644), "writing "+path)
}

// short shows a path as the user would type it here.
func short(path string) string {
	wd, err := os.Getwd()
	if err != nil {
		return path
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	if rel, err := filepath.Rel(wd, abs); err == nil && filepath.IsLocal(rel) {
		return rel
	}
	return abs
}

// lastBuild is what why compares with.
type lastBuild struct {
	Steps []lastStep `json:"steps"`
}

type lastStep struct {
	Name   string       `json:"name"`
	Action store.Digest `json:"action"`
}

func (w *workspace) lastPath() string { return filepath.Join(w.outDir(), "last-build.json") }

// remember notes which steps made the newest build. It is a convenience: a
// note that cannot be written spoils nothing.
func (w *workspace) remember(out build.Output) {
	var l lastBuild
	for _, s := range out.Steps {
		l.Steps = append(l.Steps, lastStep{s.Step.Name, s.Result.Digest})
	}
	if b, err := json.MarshalIndent(l, "", "  "); err == nil && os.MkdirAll(w.outDir(), 0o777) == nil {
		_ = writeChanged(w.lastPath(), append(b, '\n'))
	}
}

// last is the newest build that is known. The note is a convenience; one that
// cannot be read is none.
func (w *workspace) last() lastBuild {
	var l lastBuild
	b, err := os.ReadFile(w.lastPath())
	if err == nil {
		err = json.Unmarshal(b, &l)
	}
	if err != nil {
		w.app.ui.Debugf("the last build is not known: %v", err)
		return lastBuild{}
	}
	return l
}
