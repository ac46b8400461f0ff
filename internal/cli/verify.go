package cli

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/proof"
	"espalier.dev/espalier/internal/sandbox"
	"espalier.dev/espalier/internal/store"
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
			return w.verify(cmd.Context(), o)
		},
	}
	o.work.addFlags(cmd.Flags())
	cmd.Flags().BoolVar(&o.Record, "record", false, "record the verified result in espalier.lock")
	return cmd
}

func (w *workspace) verify(ctx context.Context, o verifyOptions) error {
	out := w.app.ui
	first, err := w.firmware(ctx)
	if err != nil {
		return err
	}
	for _, in := range first.plan.Scratch().Inputs {
		if err := w.store.VerifyTree(ctx, in.Tree); err != nil {
			return err
		}
	}
	scratch, err := os.MkdirTemp("", "espalier-verify-")
	if err != nil {
		return fault.Wrap(fault.Usage, err, "verify")
	}
	defer os.RemoveAll(scratch)

	again := w.runner()
	again.Scratch = true
	again.Messages = nil
	perturb := conditions()
	again.Executor = sandbox.Local{NoSandbox: w.box.NoSandbox, Scratch: scratch, Perturb: perturb}
	res, err := again.Run(ctx, first.plan)
	if err != nil {
		return err
	}
	second := &firmware{name: first.name, pins: first.pins, plan: first.plan, elf: res.ELF, bytes: res.Bytes}
	if err := w.image(ctx, second); err != nil {
		return err
	}

	golden := lock.Golden{ELF: first.elf, Image: store.DigestOf(first.flash.Trimmed())}
	same := second.elf == first.elf && store.DigestOf(second.flash.Trimmed()) == golden.Image
	var differences []proof.Difference
	if !same {
		if differences, err = proof.CompareELF(bytes.NewReader(first.bytes), bytes.NewReader(second.bytes)); err != nil {
			return err
		}
		proof.Attribute(differences, told(perturb))
		w.nameListers(differences)
	}
	recorded := first.pins.Golden
	matches := recorded == nil || *recorded == golden
	out.Event("verify", struct {
		Same        bool               `json:"same"`
		ELF         store.Digest       `json:"elf"`
		Image       store.Digest       `json:"image"`
		SecondELF   store.Digest       `json:"second-elf"`
		Recorded    *lock.Golden       `json:"recorded,omitempty"`
		Matches     bool               `json:"matches-recorded"`
		Differences []proof.Difference `json:"differences,omitempty"`
	}{same, golden.ELF, golden.Image, second.elf, recorded, matches, differences})
	if !same {
		for _, d := range differences {
			out.Printf("%s", d)
			out.Printf("  likely cause: %s", d.Cause)
		}
		return fault.New(fault.Differ, fmt.Sprintf("two builds of %s differ in %s", first.name, sections(len(differences))),
			"espalier verify --json   # the differences as data")
	}
	if !matches && !o.Record {
		return fault.New(fault.Differ, fmt.Sprintf("two builds of %s agree, but espalier.lock records another result: %s", first.name, recorded.ELF),
			"git log -p espalier.lock Cargo.lock   # what changed since it was recorded",
			"espalier verify --record   # when the change is meant")
	}
	out.Printf("ELF    %s", golden.ELF)
	out.Printf("image  %s", golden.Image)
	out.Note("%s is the same, bit for bit, built from scratch as another user, on another host name, in another place, with %s jobs and files in another order",
		first.name, perturb.Env["CARGO_BUILD_JOBS"])
	if !o.Record || recorded != nil && matches {
		return nil
	}
	first.pins.Golden = &golden
	if err := lock.Write(w.lockPath(), first.pins); err != nil {
		return err
	}
	out.Note("recorded in %s", lock.FileName)
	return nil
}

func sections(n int) string {
	if n == 1 {
		return "1 section"
	}
	return fmt.Sprintf("%d sections", n)
}

// conditions are what must not matter to a build.
func conditions() sandbox.Perturb {
	return sandbox.Perturb{
		Hostname: "elsewhere",
		UID:      4711,
		Env: map[string]string{
			// One more than cargo would take by itself, so that another number of
			// jobs does not mean a slow build.
			"CARGO_BUILD_JOBS": strconv.Itoa(runtime.NumCPU() + 1),
			"USER":             "somebody",
		},
		Shuffle: rand.Int64N(1<<62) + 1,
	}
}

// told are the words by which a text tells under which conditions it was made.
func told(second sandbox.Perturb) []proof.Condition {
	return []proof.Condition{
		{What: "the host name", First: "espalier", Second: second.Hostname},
		{What: "the user's number", First: "1000", Second: strconv.Itoa(second.UID)},
		{What: "the user's name", First: "espalier", Second: second.Env["USER"]},
		{What: "the number of jobs", First: strconv.Itoa(runtime.NumCPU()), Second: second.Env["CARGO_BUILD_JOBS"]},
	}
}

// lister is how Rust programs list a folder.
var lister = regexp.MustCompile(`\b(read_dir|WalkDir|glob|glob_with)\s*(::new\s*)?\(`)

// nameListers adds to an order of files the places of own build scripts and
// macros that list folders.
func (w *workspace) nameListers(list []proof.Difference) {
	if !slices.ContainsFunc(list, proof.Difference.Order) {
		return
	}
	var places []string
	for _, own := range w.project.Own {
		var sources []string
		if own.Build != "" {
			sources = append(sources, own.Build)
		}
		for _, t := range own.Targets {
			if t.ProcMacro {
				sources = append(sources, t.Path)
			}
		}
		for _, name := range sources {
			text, err := os.ReadFile(filepath.Join(w.project.Root, filepath.FromSlash(name)))
			if err != nil {
				continue
			}
			for i, line := range strings.Split(string(text), "\n") {
				if at := lister.FindStringIndex(line); at != nil {
					places = append(places, fmt.Sprintf("%s:%d:%d", name, i+1, at[0]+1))
				}
			}
		}
	}
	for i := range list {
		if list[i].Order() && len(places) > 0 {
			list[i].Cause += " (" + strings.Join(places, ", ") + ")"
		}
	}
}
