package trial

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/size"
	"espalier.dev/espalier/internal/ui"
	"espalier.dev/espalier/internal/updating"
)

// Result compares a project with and without an update.
type Result struct {
	Old   *Side  `json:"old"`
	New   *Side  `json:"new"`
	Cause *Cause `json:"cause,omitempty"` // of the new side's failure
	Sizes []Size `json:"sizes,omitempty"` // by crate and static library, where they differ

	Bisected *Bisected `json:"bisected,omitempty"`
}

// Size is the space of one crate or static library on both sides, in bytes.
type Size struct {
	Name     string `json:"name"`
	OldFlash uint64 `json:"old-flash"`
	NewFlash uint64 `json:"new-flash"`
	OldRAM   uint64 `json:"old-ram"`
	NewRAM   uint64 `json:"new-ram"`
}

// Try builds and runs the project p with its pins, and the plan's copy with the
// new ones.
func Try(ctx context.Context, e Env, p *project.Project, pins *lock.File, pl *updating.Plan) (Result, error) {
	var r Result
	var err error
	if r.Old, err = e.side(ctx, p, pins); err != nil {
		return r, err
	}
	f, err := pl.File(ctx)
	if err != nil {
		return r, err
	}
	if r.New, err = e.side(ctx, pl.Project(), f); err != nil {
		return r, err
	}
	r.Cause = FindCause(ctx, e.Store, r.New, pl.Moves, pl.Rules)
	r.Sizes = compare(r.Old.sizes, r.New.sizes)
	return r, nil
}

// Breaks reports whether the update breaks something that worked: the new side
// ends at an earlier stage.
func (r Result) Breaks() bool {
	order := []string{StageResolve, StageBuild, StageImage, StageRun, StageTest, StageDone}
	return slices.Index(order, r.New.Stage) < slices.Index(order, r.Old.Stage)
}

// compare lists the owners whose sizes differ, by how much.
func compare(a, b *size.Report) []Size {
	if a == nil || b == nil {
		return nil
	}
	byName := map[string]*Size{}
	at := func(name string) *Size {
		if byName[name] == nil {
			byName[name] = &Size{Name: name}
		}
		return byName[name]
	}
	for _, o := range a.Owners {
		s := at(o.Name)
		s.OldFlash, s.OldRAM = o.Flash, o.RAM
	}
	for _, o := range b.Owners {
		s := at(o.Name)
		s.NewFlash, s.NewRAM = o.Flash, o.RAM
	}
	var out []Size
	for _, s := range byName {
		if s.OldFlash != s.NewFlash || s.OldRAM != s.NewRAM {
			out = append(out, *s)
		}
	}
	grown := func(s Size) uint64 { return differ(s.OldFlash, s.NewFlash) + differ(s.OldRAM, s.NewRAM) }
	slices.SortFunc(out, func(x, y Size) int { return cmp.Or(cmp.Compare(grown(y), grown(x)), cmp.Compare(x.Name, y.Name)) })
	return out
}

func differ(a, b uint64) uint64 { return max(a, b) - min(a, b) }

// Table has a row for each of the first top owners and one for the totals; 0 is
// all. It is empty when one side has no ELF.
func (r Result) Table(top int) ui.Table {
	t := ui.Table{Head: []string{"", "flash", "delta", "ram", "delta"}, Right: []int{1, 2, 3, 4}}
	if r.Old.sizes == nil || r.New.sizes == nil {
		return t
	}
	row := func(name string, of, nf, or, nr uint64) {
		t.Rows = append(t.Rows, []string{name, fmt.Sprint(nf), fmt.Sprintf("%+d", int64(nf)-int64(of)), fmt.Sprint(nr), fmt.Sprintf("%+d", int64(nr)-int64(or))})
	}
	row("all", r.Old.Flash, r.New.Flash, r.Old.RAM, r.New.RAM)
	for i, s := range r.Sizes {
		if top > 0 && i == top {
			t.Rows = append(t.Rows, []string{fmt.Sprintf("and %d more", len(r.Sizes)-top), "", "", "", ""})
			break
		}
		row(s.Name, s.OldFlash, s.NewFlash, s.OldRAM, s.NewRAM)
	}
	return t
}

// Lines say what came of it: the verdict, the cause, the lines of the project.
func (r Result) Lines() []string {
	out := []string{"before  " + r.Old.verdict(), "after   " + r.New.verdict()}
	if c := r.Cause; c != nil {
		text := c.Text
		if c.Code != "" {
			text += " (" + c.Code + ")"
		}
		out = append(out, "cause   "+text)
		if c.Crate != nil {
			out = append(out, "crate   "+c.Crate.String()+c.Crate.origin())
		}
		if c.Rule != "" {
			out = append(out, "rule    "+c.Rule+": "+c.Cure)
		}
		for _, l := range c.Lines {
			out = append(out, fmt.Sprintf("change  %s:%d: %s", l.File, l.Line, l.Source), "        "+l.Message)
			if l.Help != "" {
				out = append(out, "        help: "+l.Help)
			}
		}
	}
	if b := r.Bisected; b != nil {
		out = append(out, "bisect  "+b.String())
	}
	return out
}

func (m Moved) origin() string {
	if m.Repository == "" {
		return ""
	}
	s := ", " + m.Repository
	if m.Commit != "" {
		s += fmt.Sprintf(" at %.9s", m.Commit)
	}
	return s
}

// verdict is the side in one line.
func (s *Side) verdict() string {
	if s.OK() {
		return "builds and runs"
	}
	done := map[string]string{StageResolve: "", StageBuild: "", StageImage: "builds; ", StageRun: "builds and boots; ", StageTest: "builds and runs; "}[s.Stage]
	first, _, _ := strings.Cut(s.Error, "\n")
	return done + first
}

// Fault is the error of a trial that found something: fault.Build or
// fault.Program when the update breaks the project, nil when it does not.
func (r Result) Fault() error {
	if !r.Breaks() {
		return nil
	}
	kind := fault.Program
	if r.New.Stage == StageBuild || r.New.Stage == StageResolve || r.New.Stage == StageImage {
		kind = fault.Build
	}
	return fault.New(kind, "the update breaks the project: "+strings.TrimSuffix(r.New.verdict(), "."))
}
