package updating

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"espalier.dev/espalier/internal/cargo"
	"espalier.dev/espalier/internal/order"
	"espalier.dev/espalier/internal/supply/crates"
)

// listHeld says what stays although the index has something newer: of what was
// asked for with its family, or of everything that the project names.
func (pl *Plan) listHeld(sel selection) {
	reqs, _ := requirements(pl.work.Project)
	var names []string
	for _, r := range reqs {
		if !slices.Contains(names, r.Crate) {
			names = append(names, r.Crate)
		}
	}
	if !sel.all {
		moving := siblings(pl.p.CargoLock, sel.crates)
		names = slices.DeleteFunc(names, func(n string) bool { return !slices.Contains(moving, n) })
		for _, n := range sel.crates {
			if !slices.Contains(names, n) {
				names = append(names, n)
			}
		}
	}
	for _, n := range names {
		if pl.req.To != "" && slices.Contains(sel.crates, n) {
			continue // this version was asked for
		}
		if h, ok := pl.held(reqs, n); ok {
			pl.Held = append(pl.Held, h)
		}
	}
	for _, r := range reqs {
		if strings.HasPrefix(r.Ref, "rev=") && (sel.all || slices.Contains(pl.req.Names, r.Crate)) {
			pl.Held = append(pl.Held, Held{Kind: KindGit, Name: r.Crate, Have: strings.TrimPrefix(r.Ref, "rev="), Direct: true,
				Reasons: []string{r.String() + ": a rev never moves"}})
		}
	}
	order.Sort(pl.Held, func(a, b Held) int { return cmp.Compare(a.Name, b.Name) })
}

// held compares the chosen version of a crate with the newest.
func (pl *Plan) held(reqs []requirement, name string) (Held, bool) {
	have := newestOf(pl.after, name)
	newest, ok := pl.index.Newest(name, isPre(have))
	if have == "" || !ok || cargo.CompareVersions(newest.Version, have) <= 0 {
		if s, ok := successorOf(name); ok && have != "" {
			return Held{Kind: KindCrate, Name: name, Have: have, Newest: s.Next, Direct: true, Reasons: []string{s.Source}}, true
		}
		return Held{}, false
	}
	h := Held{Kind: KindCrate, Name: name, Have: have, Newest: newest.Version, Reasons: pl.reasons(reqs, newest)}
	for _, r := range reqs {
		h.Direct = h.Direct || r.Crate == name
	}
	if len(h.Reasons) > 0 && h.Direct {
		h.Cure = "espalier update " + name + " --edit"
	}
	return h, true
}

func isPre(version string) bool {
	v, _ := cargo.ParseVersion(version)
	return v.Pre != ""
}

// reasons says what keeps a published version out: requirements of the project,
// the compiler, requirements of other locked crates.
func (pl *Plan) reasons(reqs []requirement, v crates.IndexVersion) []string {
	var out []string
	for _, r := range reqs {
		if r.Crate == v.Name && r.Req != "" && !r.matches(v.Version) {
			out = append(out, r.String())
		}
	}
	if r := pl.compilerReason(v); r != "" {
		out = append(out, r)
	}
	n, _ := cargo.ParseVersion(v.Version)
	for _, pkg := range pl.after.Packages {
		by, ok := pl.index.Version(pkg.Name, pkg.Version)
		if _, registry := pkg.IsRegistry(); !ok || !registry || pkg.Name == v.Name {
			continue
		}
		for _, d := range by.Depends {
			req, ok := cargo.ParseRequirement(d.Req)
			if d.Crate() == v.Name && d.Kind != "dev" && ok && !req.Match(n) && depends(pkg, v.Name) {
				out = append(out, fmt.Sprintf("%s %s requires %s", pkg.Name, pkg.Version, short(d.Req)))
				break
			}
		}
	}
	return out
}

// depends reports whether a locked package depends on a crate.
func depends(p cargo.LockedPackage, crate string) bool {
	return slices.ContainsFunc(p.Dependencies, func(d string) bool { return d == crate || strings.HasPrefix(d, crate+" ") })
}

// short is a requirement as a manifest would have it: the index writes "^1.2".
func short(req string) string {
	if strings.HasPrefix(req, "^") && !strings.Contains(req, ",") {
		return req[1:]
	}
	return req
}

// compilerReason says which rust-version keeps a published version out.
func (pl *Plan) compilerReason(v crates.IndexVersion) string {
	if have := pl.rustc(); cargo.OlderThan(have, v.RustVersion) {
		return fmt.Sprintf("needs rustc %s; the pinned one is %s", v.RustVersion, have)
	}
	for _, m := range pl.p.MSRV {
		if cargo.OlderThan(m.Version, v.RustVersion) {
			return fmt.Sprintf("needs rustc %s; %s promises %s (rust-version)", v.RustVersion, m.Origin.Short(), m.Version)
		}
	}
	return ""
}
