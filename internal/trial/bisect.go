package trial

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"espalier.dev/espalier/internal/cargo"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/updating"
)

// Bisected is the version that broke the project.
type Bisected struct {
	Crate   string   `json:"crate"`
	Good    string   `json:"good"` // the last version that works
	Bad     string   `json:"bad"`  // the first one that does not
	With    []string `json:"with,omitempty"`
	Skipped []string `json:"skipped,omitempty"` // versions between them for which cargo finds no versions that fit together
	Trials  int      `json:"trials"`
	Text    string   `json:"text,omitempty"` // instead, when no single crate breaks it
}

// String is "esp-hal 1.0.0 works, 1.1.0 does not (4 trials)".
func (b Bisected) String() string {
	if b.Text != "" {
		return fmt.Sprintf("%s (%d trials)", b.Text, b.Trials)
	}
	s := fmt.Sprintf("%s %s works, %s does not (%d trials)", b.Crate, b.Good, b.Bad, b.Trials)
	if len(b.With) > 0 {
		s += "; it moves with " + strings.Join(b.With, ", ")
	}
	if len(b.Skipped) > 0 {
		s += "; " + strings.Join(b.Skipped, ", ") + " cannot be resolved"
	}
	return s
}

// Bisect finds the crate, or family of crates, of a plan that breaks the
// project, and the version of it. replan computes a plan from the project as it
// is. The plan's result must break it. Each trial
// is a build and a run; results are cached, so a second bisection is fast.
//
// The cause is that of the first version that breaks it.
func Bisect(ctx context.Context, e Env, pl *updating.Plan, edit bool, cause *Cause, replan replanner) (*Bisected, *Cause, error) {
	b := &Bisected{}
	// One crate represents each family: the candidate for the cause, else the
	// first that the project names.
	var leaders []updating.Move
	for _, m := range pl.Moves {
		if m.Kind != updating.KindCrate || m.From == "" || m.To == "" || !m.Direct && !suspect(cause, m.Name) {
			continue
		}
		same := slices.IndexFunc(leaders, func(l updating.Move) bool { return updating.SameFamily(l.Name, m.Name) })
		switch {
		case same < 0:
			leaders = append(leaders, m)
		case suspect(cause, m.Name) || !suspect(cause, leaders[same].Name) && updating.Leads(m.Name):
			leaders[same] = m
		}
	}
	slices.SortStableFunc(leaders, func(x, y updating.Move) int { // the suspect first
		if suspect(cause, x.Name) == suspect(cause, y.Name) {
			return 0
		} else if suspect(cause, x.Name) {
			return -1
		}
		return 1
	})
	for _, m := range leaders {
		state, c, with, err := b.probe(ctx, e, replan, m.Name, m.To, edit)
		if err != nil {
			return b, cause, err
		}
		if state != bad {
			continue
		}
		b.Crate, b.Good, b.Bad, b.With, cause = m.Name, m.From, m.To, with, c
		err = b.narrow(ctx, e, replan, pl.Versions(m.Name), edit, &cause)
		return b, cause, err
	}
	b.Text = "no crate alone breaks it; together they do"
	if len(leaders) == 0 {
		b.Text = "no crate that the project names moves: the compiler, or a dependency of a dependency, breaks it"
	}
	return b, cause, nil
}

// suspect reports whether a cause names a crate, or one of its family.
func suspect(c *Cause, name string) bool {
	return c != nil && c.Crate != nil && (c.Crate.Name == name || updating.SameFamily(c.Crate.Name, name))
}

// narrow searches between Good and Bad in versions, which are in ascending order.
func (b *Bisected) narrow(ctx context.Context, e Env, replan replanner, versions []string, edit bool, cause **Cause) error {
	between := slices.DeleteFunc(slices.Clone(versions), func(v string) bool {
		return cargo.CompareVersions(v, b.Good) <= 0 || cargo.CompareVersions(v, b.Bad) >= 0
	})
	for len(between) > 0 {
		mid := len(between) / 2
		v := between[mid]
		state, c, with, err := b.probe(ctx, e, replan, b.Crate, v, edit)
		switch {
		case err != nil:
			return err
		case state == bad:
			b.Bad, b.With, *cause, between = v, with, c, between[:mid]
		case state == good:
			b.Good, between = v, between[mid+1:]
		default:
			b.Skipped = append(b.Skipped, v)
			between = slices.Delete(between, mid, mid+1)
		}
	}
	b.Skipped = slices.DeleteFunc(b.Skipped, func(v string) bool {
		return cargo.CompareVersions(v, b.Good) < 0 || cargo.CompareVersions(v, b.Bad) > 0
	})
	slices.SortFunc(b.Skipped, cargo.CompareVersions)
	return nil
}

type replanner = func(updating.Request) (*updating.Plan, error)

// state is what a probe found.
type state int

const (
	good state = iota
	bad
	skipped // cargo finds no versions that fit together
)

// probe builds and runs the project with one crate, and its family, at a version.
func (b *Bisected) probe(ctx context.Context, e Env, replan replanner, name, version string, edit bool) (state, *Cause, []string, error) {
	e.UI.Note("trying %s %s", name, version)
	pl, err := replan(updating.Request{Names: []string{name}, To: version, Edit: edit})
	if err != nil {
		if fault.KindOf(err) == fault.Pins && ctx.Err() == nil {
			e.UI.Note("%v", err)
			return skipped, nil, nil, nil
		}
		return skipped, nil, nil, err
	}
	defer pl.Discard()
	f, err := pl.File(ctx)
	if err != nil {
		return skipped, nil, nil, err
	}
	b.Trials++
	s, err := e.side(ctx, pl.Project(), f)
	if err != nil || s.OK() {
		return good, nil, nil, err
	}
	var with []string
	for _, m := range pl.Moves {
		if m.Direct && m.Name != name && m.To != "" {
			with = append(with, m.Name+" "+m.To)
		}
	}
	return bad, FindCause(ctx, e.Store, s, pl.Moves, pl.Rules), with, nil
}
