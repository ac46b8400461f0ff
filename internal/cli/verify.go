package cli

import (
	"bytes"
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"espalier.dev/espalier/internal/build"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/flashimage"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/proof"
	"espalier.dev/espalier/internal/store"
	"espalier.dev/espalier/internal/ui"
)

type verifyOptions struct {
	work   workOptions
	Record bool
}

func newVerify(a *app) *cobra.Command {
	var o verifyOptions
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "build again under other conditions and compare bit for bit",
		Long: `Build the firmware a second time, from scratch and at another time: without the
dependency layer and without any cached result, in another place, as another user, on
another host name, with another number of jobs, with the input files created in another
order, and with the locked inputs hashed again. Then compare ELF and image, bit for bit,
with the ordinary build and with the results recorded in espalier.lock.

A difference is explained: section, text around it, likely cause.` +
			exits(fault.Build, fault.Pins, fault.Sandbox, fault.Differ),
		Example: `  espalier verify
  espalier verify --record         and keep the result in espalier.lock for later verifications`,
		Args: args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			w, err := a.open(cmd.Context(), o.work)
			if err != nil {
				return err
			}
			defer w.close()
			return w.verify(cmd.Context(), o.Record)
		},
	}
	o.work.addFlags(cmd.Flags())
	cmd.Flags().BoolVar(&o.Record, "record", false, "record the verified result in espalier.lock")
	return cmd
}

func (w *workspace) verify(ctx context.Context, record bool) error {
	first, err := w.firmware(ctx)
	if err != nil {
		return err
	}
	other := build.Conditions()
	second, err := w.runner().Again(ctx, first.plan, w.box, other)
	if err != nil {
		return err
	}
	image, err := flashimage.Make(ctx, w.store, w.project, first.pins, first.name, second.Bytes)
	if err != nil {
		return err
	}
	e := verifyEvent{ELF: first.elf, Image: store.DigestOf(first.flash.Trimmed()), SecondELF: second.ELF, Recorded: first.pins.Golden}
	golden := lock.Golden{ELF: e.ELF, Image: e.Image}
	e.Same = second.ELF == first.elf && store.DigestOf(image.Flash.Trimmed()) == golden.Image
	e.Matches = e.Recorded == nil || *e.Recorded == golden
	if !e.Same {
		if e.Differences, err = proof.CompareELF(bytes.NewReader(first.bytes), bytes.NewReader(second.Bytes)); err != nil {
			return err
		}
		proof.Attribute(e.Differences, proof.ConditionsOf(other))
		proof.NameListers(w.project, e.Differences)
	}
	out := w.app.ui
	out.Event("verify", e)
	if err := verdict(out, first.name, e, record); err != nil {
		return err
	}
	out.Printf("ELF    %s", golden.ELF)
	out.Printf("image  %s", golden.Image)
	out.Note("%s is bit-identical when it is built from scratch as another user, on another host name, in another place, with %s jobs and files in another order",
		first.name, other.Env["CARGO_BUILD_JOBS"])
	if !record || e.Recorded != nil && e.Matches {
		return nil
	}
	first.pins.Golden = &golden
	if err := lock.Write(lock.Path(w.project), first.pins); err != nil {
		return err
	}
	out.Note("recorded in %s", lock.FileName)
	return nil
}

// verdict prints differences and makes them a fault.
func verdict(out *ui.UI, name string, e verifyEvent, record bool) error {
	switch {
	case !e.Same:
		for _, d := range e.Differences {
			out.Printf("%s", d)
			out.Printf("  likely cause: %s", d.Cause)
		}
		sections := "1 section"
		if n := len(e.Differences); n != 1 {
			sections = fmt.Sprintf("%d sections", n)
		}
		return fault.New(fault.Differ, fmt.Sprintf("two builds of %s differ in %s", name, sections),
			"espalier verify --json   # the differences as data")
	case !e.Matches && !record:
		return fault.New(fault.Differ, fmt.Sprintf("two builds of %s agree, but espalier.lock records another result: %s", name, e.Recorded.ELF),
			"git log -p espalier.lock Cargo.lock   # what changed since it was recorded",
			"espalier verify --record   # when the change is intended")
	}
	return nil
}
