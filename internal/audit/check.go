package audit

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"espalier.dev/espalier/internal/cargo"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/order"
)

// Database is a set of advisories.
type Database struct {
	Advisories []Advisory
	Withdrawn  int
}

// Add reads a file of a database; files that are no advisories are skipped.
func (d *Database) Add(name string, b []byte) error {
	if !IsAdvisory(name) {
		return nil
	}
	a, err := Parse(name, b)
	if err != nil {
		return err
	}
	if a.Withdrawn != "" {
		d.Withdrawn++
		return nil
	}
	d.Advisories = append(d.Advisories, a)
	return nil
}

// Finding is an advisory about a pinned version, or a yanked one.
type Finding struct {
	Kind    string   `json:"kind"` // "vulnerability", "unsound", "unmaintained", "notice", "yanked"
	ID      string   `json:"id,omitempty"`
	Package string   `json:"package"`
	Version string   `json:"version"`
	Title   string   `json:"title,omitempty"`
	Date    string   `json:"date,omitempty"`
	URL     string   `json:"url,omitempty"`
	Aliases []string `json:"aliases,omitempty"`
	Patched []string `json:"patched,omitempty"` // requirements of versions without the problem
	OS      []string `json:"os,omitempty"`      // systems that it is limited to
	Std     bool     `json:"std,omitempty"`     // of the standard library, or a crate that only it uses
}

// Kinds of findings that are not the values of RustSec's "informational".
const (
	Vulnerability = "vulnerability"
	Yanked        = "yanked"
)

func (f Finding) String() string {
	s := fmt.Sprintf("%s %s: %s", f.Package, f.Version, f.Kind)
	if f.ID != "" {
		s += " " + f.ID
	}
	if f.Title != "" {
		s += ": " + f.Title
	}
	return s
}

// Remedy is what to do about a finding; empty when no version is better.
func (f Finding) Remedy() string {
	switch {
	case f.Kind == Yanked:
		return "espalier update " + f.Package
	case len(f.Patched) > 0 && f.Std:
		return "espalier update toolchain   # without the problem: " + strings.Join(f.Patched, " or ")
	case len(f.Patched) > 0:
		return "espalier update " + f.Package + "   # without the problem: " + strings.Join(f.Patched, " or ")
	}
	return ""
}

// Lines are a finding with what to do about it.
func (f Finding) Lines() []string {
	out := []string{f.String()}
	if len(f.OS) > 0 {
		out = append(out, "  only on "+strings.Join(f.OS, ", "))
	}
	for _, text := range []string{f.URL, f.Remedy()} {
		if text != "" {
			out = append(out, "  "+text)
		}
	}
	return out
}

// Check lists the advisories about the crates of a lock from the default registry,
// and about the standard library of its compilers, by package. RustSec's names are
// those of the default registry; a crate of the same name elsewhere is another.
func (d *Database) Check(f *lock.File) []Finding {
	byName := map[string][]Advisory{}
	std := map[string][]Advisory{}
	for _, a := range d.Advisories {
		if a.Std {
			std[a.Package] = append(std[a.Package], a)
		} else {
			byName[a.Package] = append(byName[a.Package], a)
		}
	}
	out := []Finding{}
	add := func(list []Advisory, name, version string, ofStd bool) {
		for _, a := range list {
			if !a.Affects(version) {
				continue
			}
			one := Finding{cmp.Or(a.Informational, Vulnerability), a.ID, name, version, a.Title, a.Date, a.URL, a.Aliases, a.Patched, a.OS, ofStd}
			if !slices.ContainsFunc(out, func(have Finding) bool { return have.ID == one.ID && have.Package == name && have.Version == version }) {
				out = append(out, one)
			}
		}
	}
	for _, c := range f.Crates {
		if index := strings.TrimPrefix(c.Source, "registry+"); index == "" || cargo.IsDefaultRegistry(index) {
			add(byName[c.Name], c.Name, c.Version, len(c.For) == 1 && c.For[0] == "std")
		}
	}
	for _, tc := range f.Toolchains {
		version, _, _ := strings.Cut(tc.Rustc, " ")
		add(std["std"], "std", version, true)
		add(std["cargo"], "cargo", version, true)
	}
	sort(out)
	return out
}

func sort(list []Finding) {
	rank := map[string]int{Vulnerability: 0, Yanked: 1, "unsound": 2}
	order.Sort(list, func(a, b Finding) int {
		at := func(f Finding) int {
			if r, ok := rank[f.Kind]; ok {
				return r
			}
			return len(rank)
		}
		return cmp.Or(cmp.Compare(at(a), at(b)), cmp.Compare(a.Package, b.Package), cmp.Compare(a.Version, b.Version), cmp.Compare(a.ID, b.ID))
	})
}

// OfYanked adds findings for pinned crates that the registry's index lists as yanked.
func OfYanked(findings []Finding, list []lock.Crate) []Finding {
	for _, c := range list {
		findings = append(findings, Finding{Kind: Yanked, Package: c.Name, Version: c.Version, Title: "cargo chooses it for no other lock"})
	}
	sort(findings)
	return findings
}
