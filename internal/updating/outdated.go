package updating

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"espalier.dev/espalier/internal/cargo"
	"espalier.dev/espalier/internal/chipfiles"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/order"
	"espalier.dev/espalier/internal/pin"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/supply/crates"
	"espalier.dev/espalier/internal/ui"
)

// Outdated is what is newer than the pins, and which pins may vanish.
type Outdated struct {
	Entries []Entry `json:"entries"`
	Risks   []Risk  `json:"risks"`
	Current int     `json:"current"` // crates for which there is nothing newer
}

// Entry is one pin for which something newer exists.
type Entry struct {
	Kind        string   `json:"kind"`
	Name        string   `json:"name"`
	Have        string   `json:"have"`
	Within      string   `json:"within,omitempty"` // what update would choose; empty when that is Have
	Newest      string   `json:"newest"`
	RustVersion string   `json:"rust-version,omitempty"` // of Newest
	Direct      bool     `json:"direct,omitempty"`       // a manifest of the project names it
	Fits        bool     `json:"fits"`                   // nothing is in the way of Newest
	Reasons     []string `json:"reasons,omitempty"`      // what is in the way
	Brings      []string `json:"brings,omitempty"`       // requirements of Newest that the pins do not satisfy
}

// FindOutdated compares the pins of a project with the registry's index, the
// suppliers of compilers and the git repositories. Cargo chooses what is within
// the requirements. A supplier or repository that does not answer is a note.
func FindOutdated(ctx context.Context, env Env, p *project.Project, f *lock.File) (Outdated, error) {
	out := Outdated{Entries: []Entry{}, Risks: []Risk{}}
	pl, err := prepare(ctx, env, p, f, Request{})
	if err != nil {
		return out, err
	}
	defer pl.Discard()
	sel := pl.everything()
	if err := pl.chooseCrates(ctx, sel); err != nil {
		return out, err
	}
	if pl.index == nil && len(sel.crates) > 0 {
		return out, errNoIndex
	}
	if err := out.listCrates(pl, sel); err != nil {
		return out, err
	}
	states := out.listGit(ctx, pl)
	out.listToolchain(ctx, pl)
	if have, now := bootloaderVersion(f), bootloaderVersion(&lock.File{Blobs: chipfiles.Pins()}); have != now {
		out.Entries = append(out.Entries, Entry{Kind: KindChipFile, Name: ChipFiles, Have: "espflash " + have, Within: "espflash " + now, Newest: "espflash " + now, Fits: true})
	}
	out.Risks = append(out.Risks, Risks(p, f, env.Session.Host, pl.index, states)...)
	return out, nil
}

func (out *Outdated) listCrates(pl *Plan, sel selection) error {
	reqs, err := requirements(pl.p)
	if err != nil {
		return err
	}
	var names []string
	for _, n := range sel.crates {
		if !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	for _, n := range names {
		e := Entry{Kind: KindCrate, Name: n, Have: newestOf(pl.p.CargoLock, n)}
		if w := newestOf(pl.after, n); w != e.Have {
			e.Within = w
		}
		for _, r := range reqs {
			e.Direct = e.Direct || r.Crate == n
		}
		newest, ok := pl.index.Newest(n, isPre(e.Have))
		if s, renamed := successorOf(n); renamed && (!ok || cargo.CompareVersions(newest.Version, e.Have) <= 0) {
			e.Newest, e.Reasons = s.Next, []string{"it goes on as " + s.Next}
			out.Entries = append(out.Entries, e)
			continue
		}
		if !ok || cargo.CompareVersions(newest.Version, e.Have) <= 0 && e.Within == "" {
			out.Current++
			continue
		}
		e.Newest, e.RustVersion = newest.Version, newest.RustVersion
		if cmp.Or(e.Within, e.Have) != newest.Version {
			e.Reasons = pl.reasons(reqs, newest)
		}
		e.Brings = pl.brings(reqs, newest)
		e.Fits = len(e.Reasons) == 0
		out.Entries = append(out.Entries, e)
	}
	order.Sort(out.Entries, func(a, b Entry) int {
		direct := func(e Entry) int {
			if e.Direct {
				return 0
			}
			return 1
		}
		return cmp.Or(direct(a)-direct(b), cmp.Compare(a.Name, b.Name))
	})
	return nil
}

// brings lists what a published version requires of crates that the project
// names, too, and has in other versions.
func (pl *Plan) brings(reqs []requirement, v crates.IndexVersion) []string {
	names := map[string]bool{}
	for _, r := range reqs {
		names[r.Crate] = true
	}
	var out []string
	for _, d := range v.Depends {
		have := newestOf(pl.after, d.Crate())
		req, okReq := cargo.ParseRequirement(d.Req)
		n, okV := cargo.ParseVersion(have)
		if d.Kind != "dev" && okReq && okV && names[d.Crate()] && !req.Match(n) {
			out = append(out, d.Crate()+" "+short(d.Req))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (out *Outdated) listGit(ctx context.Context, pl *Plan) map[string]pin.GitState {
	states := map[string]pin.GitState{}
	for _, g := range pl.old.Git {
		st, err := pl.env.Session.GitState(ctx, g)
		if err != nil {
			pl.env.Session.Report.Note("%v", err)
			continue
		}
		states[g.URL+" "+g.Commit] = st
		if st.Head == g.Commit {
			continue
		}
		e := Entry{Kind: KindGit, Name: strings.Join(g.Crates, ", "), Have: fmt.Sprintf("%.9s", g.Commit), Newest: fmt.Sprintf("%.9s", st.Head), Direct: true, Fits: true}
		e.Within = e.Newest
		out.Entries = append(out.Entries, e)
	}
	return states
}

func (out *Outdated) listToolchain(ctx context.Context, pl *Plan) {
	old, _ := pl.old.Toolchain(pl.env.Session.Host)
	have, _, _ := strings.Cut(old.Rustc, " ")
	_, version, err := pl.env.Session.Compiler(ctx, pl.p, pl.old, pin.Request{Old: pl.old, Toolchain: true})
	if err != nil {
		pl.env.Session.Report.Note("%v", err)
		return
	}
	if cargo.CompareVersions(version, have) > 0 {
		out.Entries = append(out.Entries, Entry{Kind: KindToolchain, Name: Toolchain, Have: have, Within: version, Newest: version, Direct: true, Fits: true})
	}
}

// Table has a row for each entry that the project names, or for all.
func (out Outdated) Table(all bool) ui.Table {
	t := ui.Table{Head: []string{"", "have", "update", "newest", "rustc", "in the way of the newest"}}
	for _, e := range out.Entries {
		if e.Kind == KindCrate && !e.Direct && !all {
			continue
		}
		why := strings.Join(e.Reasons, "; ")
		if len(e.Brings) > 0 {
			why += cmp.Or(strings.Repeat("; ", min(1, len(why))), "nothing; ") + "brings " + strings.Join(e.Brings, ", ")
		}
		t.Rows = append(t.Rows, []string{e.Name, e.Have, cmp.Or(e.Within, "-"), e.Newest, cmp.Or(e.RustVersion, "-"), cmp.Or(why, "nothing")})
	}
	return t
}

// Others is how many entries Table leaves out without all.
func (out Outdated) Others() int {
	n := 0
	for _, e := range out.Entries {
		if e.Kind == KindCrate && !e.Direct {
			n++
		}
	}
	return n
}
