package workspace

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"espalier.dev/espalier/internal/build"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/flashimage"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/proof"
	"espalier.dev/espalier/internal/store"
	"espalier.dev/espalier/internal/version"
)

// VerifyOptions say what a verification varies and what it does with the result.
type VerifyOptions struct {
	Conditions []string // names; empty: all
	Matrix     bool     // a build for each condition instead of one for all
	Record     bool     // record the result in the lock
	Line       bool     // print the verdict as one line
}

// Verification is the event "verify": builds under different conditions, and the
// result that the lock records, compared.
type Verification struct {
	Same        bool               `json:"same"`
	ELF         store.Digest       `json:"elf"`
	Image       store.Digest       `json:"image"`
	SecondELF   store.Digest       `json:"second-elf"` // of the first build that differs
	Recorded    *lock.Golden       `json:"recorded,omitempty"`
	Matches     bool               `json:"matches-recorded"`
	Differences []proof.Difference `json:"differences,omitempty"`

	Conditions []string       `json:"conditions"`          // that were varied
	Causes     []string       `json:"causes,omitempty"`    // conditions that change the firmware
	EachTime   bool           `json:"each-time,omitempty"` // builds differ also under equal conditions
	Layer      bool           `json:"layer,omitempty"`     // only the build on the dependency layer differs
	Origins    []proof.Origin `json:"origins,omitempty"`   // build scripts and crates that made the difference
}

// verifier builds one firmware under conditions and collects what differs.
type verifier struct {
	*Workspace
	first    *Firmware
	varied   []build.Condition
	compiled []build.Compiled // packages of the firmware; read when something differs
	v        Verification

	// How builds are made that look for the cause, and one of them with nothing
	// varied, once it is known where the difference is.
	rebuild func(context.Context, []build.Condition) (build.Rebuilt, error)
	plain   build.Rebuilt
	known   []string // conditions that need no search, because their words are in the firmware
}

// Verify builds the firmware, builds it again from scratch under other conditions,
// compares ELF and image, and prints the verdict; another result is a fault.Differ.
// When builds differ, further ones find the conditions that matter and where the
// difference begins. Secrets are replaced by their stand-ins: a digest of a firmware
// with a secret would be a way to guess it, and no one else could compare it.
func (w *Workspace) Verify(ctx context.Context, o VerifyOptions) error {
	conditions, err := build.SelectConditions(o.Conditions)
	if err != nil {
		return err
	}
	if names := w.Project.UseStandIns(); len(names) > 0 {
		w.ui.Note("built with stand-ins for the secrets of %s", strings.Join(names, ", "))
	}
	first, err := w.build(ctx)
	if err != nil {
		return err
	}
	r := &verifier{Workspace: w, first: first, varied: conditions, v: Verification{
		Same: true, ELF: first.Digest, SecondELF: first.Digest, Image: store.DigestOf(first.Flash.Trimmed()),
		Recorded: w.goldenOf(first), Conditions: build.NamesOf(conditions),
	}}
	r.v.Matches = r.v.Recorded == nil || r.v.Recorded.ELF == r.v.ELF && r.v.Recorded.Image == r.v.Image
	if o.Matrix {
		err = r.matrix(ctx)
	} else {
		err = r.together(ctx)
	}
	if err != nil {
		return err
	}
	return r.verdict(ctx, o)
}

// together varies all conditions in one build.
func (r *verifier) together(ctx context.Context) error {
	second, same, err := r.again(ctx, r.varied)
	if err != nil || same {
		return err
	}
	second, err = r.explain(ctx, second, r.varied)
	if err != nil || r.v.EachTime || r.v.Layer {
		return err
	}
	r.v.Causes, err = proof.Search(build.NamesOf(r.varied), r.known, func(names []string) (bool, error) {
		r.ui.Debugf("looking for the cause: a build with another %s", strings.Join(names, ", "))
		list, err := build.SelectConditions(names)
		if err != nil {
			return false, err
		}
		out, err := r.rebuild(ctx, list)
		if err != nil || out.ELF == r.plain.ELF {
			return false, err
		}
		if len(list) == 1 {
			err = r.origins(ctx, r.plain, out, names)
		}
		return true, err
	})
	if err != nil || len(r.v.Origins) > 0 {
		return err
	}
	return r.origins(ctx, r.plain, second, r.v.Causes)
}

// matrix varies each condition in a build of its own.
func (r *verifier) matrix(ctx context.Context) error {
	for i := range r.varied {
		one := r.varied[i : i+1]
		second, same, err := r.again(ctx, one)
		if err != nil {
			return err
		}
		if same {
			r.ui.Note("%s: the same", one[0].Name)
			continue
		}
		r.ui.Note("%s: differs", one[0].Name)
		if second, err = r.explain(ctx, second, one); err != nil {
			return err
		}
		if r.v.EachTime || r.v.Layer {
			return nil // the other builds would show the same
		}
		r.v.Causes = append(r.v.Causes, one[0].Name)
		if err := r.origins(ctx, r.plain, second, build.NamesOf(one)); err != nil {
			return err
		}
	}
	return nil
}

// again builds from scratch under conditions and compares with the first build.
func (r *verifier) again(ctx context.Context, list []build.Condition) (build.Rebuilt, bool, error) {
	second, err := r.Runner().Again(ctx, r.first.Plan, r.Box, list)
	if err != nil {
		return second, false, err
	}
	image, err := flashimage.Make(ctx, r.Store, r.Project, r.first.Pins, r.first.Name, second.Bytes)
	if err != nil {
		return second, false, err
	}
	return second, second.ELF == r.v.ELF && store.DigestOf(image.Flash.Trimmed()) == r.v.Image, nil
}

// explain compares the first build with one from scratch that differs, and finds out
// where the difference is: in the user's own crates, which compile quickly on the
// dependency layer, or in dependencies, which needs builds from scratch. It returns the
// build that r.plain is to be compared with.
func (r *verifier) explain(ctx context.Context, second build.Rebuilt, varied []build.Condition) (build.Rebuilt, error) {
	if r.v.Same {
		r.v.Same, r.v.SecondELF = false, second.ELF
		var err error
		if r.v.Differences, err = proof.CompareELF(bytes.NewReader(r.first.ELF), bytes.NewReader(second.Bytes)); err != nil {
			return second, err
		}
		proof.Attribute(r.v.Differences, proof.ConditionsOf(varied))
		proof.NameListers(r.Project, r.v.Differences)
		if r.compiled, err = r.Runner().Compiled(ctx, r.first.Plan); err != nil {
			return second, err
		}
	}
	onLayer := func(ctx context.Context, list []build.Condition) (build.Rebuilt, error) {
		return r.Runner().AgainOnLayer(ctx, r.first.Plan, r.Box, list)
	}
	plain, err := onLayer(ctx, nil)
	if err != nil {
		return second, err
	}
	other, err := onLayer(ctx, varied)
	switch {
	case err != nil:
		return second, err
	case plain.ELF != r.v.ELF: // the first build may be an earlier one, from the store
		r.v.EachTime = true
		return other, r.origins(ctx, plain, other, []string{proof.EachTime})
	case other.ELF != plain.ELF:
		r.rebuild, r.plain = onLayer, plain
		return other, nil
	}
	r.ui.Note("looking for the cause in the dependencies, which takes more builds from scratch")
	plain, same, err := r.again(ctx, nil)
	if err != nil {
		return second, err
	}
	if !same {
		twice, _, err := r.again(ctx, nil)
		if err != nil {
			return second, err
		}
		r.v.EachTime, r.v.Layer = twice.ELF != plain.ELF, twice.ELF == plain.ELF
		return twice, r.origins(ctx, plain, twice, []string{proof.EachTime})
	}
	r.plain, r.known = plain, proof.Explained(r.v.Differences, varied)
	r.rebuild = func(ctx context.Context, list []build.Condition) (build.Rebuilt, error) {
		out, _, err := r.again(ctx, list)
		return out, err
	}
	return second, nil
}

// origins adds where the difference of two builds begins. names are the conditions
// that were varied in the second one.
func (r *verifier) origins(ctx context.Context, first, second build.Rebuilt, names []string) error {
	list, err := proof.Origins(ctx, r.Store, first.Trace, second.Trace, r.compiled, r.Project.Package)
	if err != nil {
		return err
	}
	for i := range list {
		if names[0] != proof.EachTime {
			list[i].Conditions = slices.Clone(names)
		}
		if err := list[i].Locate(names, func(inside string) ([]byte, error) { return r.Runner().SourceFile(ctx, r.first.Plan, inside) }); err != nil {
			return err
		}
	}
	r.v.Origins = proof.MergeOrigins(r.v.Origins, list)
	return nil
}

// verdict prints the result, and records it if wanted.
func (r *verifier) verdict(ctx context.Context, o VerifyOptions) error {
	v, name := r.v, r.first.Name
	r.ui.Event("verify", v)
	for _, d := range v.Differences {
		r.ui.Printf("%s", d)
		r.ui.Printf("  likely cause: %s", d.Cause)
	}
	for _, origin := range v.Origins {
		r.ui.Printf("begins in: %s", origin)
	}
	switch {
	case v.EachTime:
		r.ui.Printf("depends on nothing that was varied: the time, a random number or an address is in the firmware, because builds under equal conditions differ")
	case v.Layer:
		r.ui.Printf("depends on the dependency layer: builds from scratch agree, so a crate reads something that cargo does not watch")
	case len(v.Causes) > 0:
		r.ui.Printf("depends on: %s", strings.Join(v.Causes, ", "))
	}
	switch {
	case !v.Same:
		sections := "1 section"
		if n := len(v.Differences); n != 1 {
			sections = fmt.Sprintf("%d sections", n)
		}
		return fault.New(fault.Differ, fmt.Sprintf("two builds of %s differ in %s", name, sections), "espalier verify --json   # the differences as data")
	case !v.Matches && !o.Record:
		return fault.New(fault.Differ, fmt.Sprintf("all builds of %s agree, but espalier.lock records another result: %s", name, v.Recorded.ELF),
			"git log -p espalier.lock Cargo.lock   # what changed since it was recorded",
			"espalier verify --record   # when the change is intended")
	case o.Line:
		r.ui.Printf("%s", r.line())
	default:
		r.ui.Printf("ELF    %s", v.ELF)
		r.ui.Printf("image  %s", v.Image)
	}
	r.ui.Note("%s is bit-identical when it is built from scratch with another %s", name, strings.Join(v.Conditions, ", "))
	if o.Record {
		return r.record(ctx, r.first)
	}
	return nil
}

// line is the verdict for a page about a release.
func (r *verifier) line() string {
	conditions := strings.Join(slices.Sorted(slices.Values(r.v.Conditions)), " ")
	return fmt.Sprintf("%s: image sha256:%s, ELF sha256:%s: the same under %d other conditions (%s); espalier %s, rustc %s",
		r.first.Name, r.v.Image.Hash, r.v.ELF.Hash, len(r.v.Conditions), conditions, version.Read().Version, r.first.Rustc())
}
