package project

import (
	"bytes"
	"os"
	"slices"
	"strings"

	"espalier.dev/espalier/internal/cargo"
	"espalier.dev/espalier/internal/config"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/suggest"
)

// selection is the package that is built. When the choice is open, pkg is nil
// and open is the fault that lists the candidates.
type selection struct {
	pkg        *cargo.Package
	open       error
	candidates []string // names of the packages that can be the firmware
}

// selectPackage decides which member is built: the one that is named, else the
// one that contains the directory when it makes a firmware, else the only one
// that does. A package that depends on the chip's crates is preferred to one
// that does not, such as an xtask, and one for this chip to one for another. A
// program for the host that contains the directory does not count beside packages
// for the chip. When several remain, the choice is open.
func (o *opening) selectPackage() (selection, error) {
	probe := *o.layers
	f := o.opts.Flags
	named := probe.str(spec{name: "build.package", env: "ESPALIER_PACKAGE", flag: "package", given: one(o.opts.Package)})
	bin := probe.str(spec{name: "build.bin", env: "ESPALIER_BIN", flag: "bin", given: one(f.Bin)})
	example := probe.str(spec{name: "build.example", env: "ESPALIER_EXAMPLE", flag: "example", given: one(f.Example)})
	if probe.err != nil {
		return selection{}, o.Fault(probe.err)
	}
	w := o.workspace
	fits := func(p cargo.Package) bool {
		for _, t := range p.Targets {
			switch {
			case bin.V == "" && example.V == "" && t.Kind == cargo.KindBin,
				bin.V != "" && t.Kind == cargo.KindBin && t.Name == bin.V,
				example.V != "" && t.Kind == cargo.KindExample && t.Name == example.V:
				return true
			}
		}
		return false
	}
	var members, candidates, firmware []*cargo.Package
	var current, byName *cargo.Package
	for i := range w.Packages {
		p := &w.Packages[i]
		if !p.Member {
			continue
		}
		members = append(members, p)
		if p.Dir == w.Current {
			current = p
		}
		if p.Name == named.V {
			byName = p
		}
		if fits(*p) && p.Default {
			candidates = append(candidates, p)
			if usesChip(w, *p) {
				firmware = append(firmware, p)
			}
		}
	}
	// What flags say about features can make any chip's firmware of a package.
	if !f.AllFeatures && !f.NoDefaultFeatures && len(f.Features) == 0 {
		own := slices.DeleteFunc(slices.Clone(firmware), func(p *cargo.Package) bool { return otherChip(*p, BuildConfig{}) != nil })
		if len(own) > 0 {
			firmware = own
		}
	}
	if len(firmware) > 0 {
		candidates = firmware
	}
	host := ""
	if current != nil && named.V == "" && len(firmware) > 0 && !usesChip(w, *current) && forHost(*current) {
		host, current = current.Name, nil
	}
	var names []string
	for _, p := range candidates {
		names = append(names, p.Name)
	}
	root := o.Show(w.Manifest)
	chosen := func(p *cargo.Package) (selection, error) {
		if host != "" {
			o.Note(config.Origin{}, "package "+host+" is a program for the host; the firmware is package "+p.Name)
		}
		return selection{pkg: p, candidates: names}, nil
	}
	open := func(err error) (selection, error) { return selection{open: err, candidates: names}, nil }
	switch {
	case named.V != "" && byName == nil:
		var hints []string
		if near := suggest.Nearest(named.V, strings.Split(packageNames(members), ", ")); near != "" {
			hints = []string{"espalier run -p " + near}
		}
		return selection{}, config.Failf(hints, "no package %q in the workspace (%s); it has %s",
			named.V, o.Place(named.Origin), packageNames(members))
	case named.V != "":
		return chosen(byName)
	case current != nil && (fits(*current) || len(candidates) == 0 && len(members) == 1):
		return chosen(current)
	case len(candidates) == 1:
		return chosen(candidates[0])
	case len(candidates) == 0 && len(members) == 1:
		return chosen(members[0])
	case len(candidates) == 0:
		return open(config.Failf(nil, "%s: no package of the workspace makes a firmware; it has %s", root, packageNames(members)))
	}
	var hints []string
	for _, p := range candidates[:min(len(candidates), 5)] {
		hints = append(hints, "espalier run -p "+p.Name)
	}
	return open(config.Failf(hints, "%s: several packages make a firmware: %s", root, packageNames(candidates)))
}

func packageNames(ps []*cargo.Package) string {
	var names []string
	for _, p := range ps {
		names = append(names, p.Name)
	}
	return strings.Join(names, ", ")
}

// forHost reports whether no program of a package mentions no_std, without which
// nothing compiles for a chip without an operating system. What cannot be read is
// not for the host. Paths are absolute.
func forHost(p cargo.Package) bool {
	for _, t := range p.Targets {
		if t.Kind != cargo.KindBin && t.Kind != cargo.KindExample {
			continue
		}
		if text, err := os.ReadFile(t.Path); err != nil || bytes.Contains(text, []byte("no_std")) {
			return false
		}
	}
	return true
}

// usesChip reports whether a package depends on a crate for Espressif's chips,
// itself or by way of its path dependencies.
func usesChip(w *cargo.Workspace, p cargo.Package) bool {
	seen := map[string]bool{}
	var visit func(p cargo.Package) bool
	visit = func(p cargo.Package) bool {
		seen[p.Dir] = true
		for _, d := range p.Depends {
			if d.Kind != "" {
				continue
			}
			if chipCrate(d) {
				return true
			}
			for _, other := range w.Packages {
				if d.Path != "" && other.Dir == d.Path && !seen[d.Path] && visit(other) {
					return true
				}
			}
		}
		return false
	}
	return visit(p)
}

// Selected returns the package that is built; a fault of kind Usage that lists
// the candidates when the choice is open.
func (p *Project) Selected() (cargo.Package, error) {
	if p.open != nil {
		return cargo.Package{}, p.open
	}
	return p.selected(), nil
}

// Firmware returns the packages that can become the firmware: the selected one,
// or all candidates while the choice is open.
func (p *Project) Firmware() []cargo.Package {
	var out []cargo.Package
	for _, o := range p.Own {
		if o.Member && (o.Name == p.Package || p.Package == "" && slices.Contains(p.candidates, o.Name)) {
			out = append(out, o)
		}
	}
	return out
}

func (p *Project) selected() cargo.Package {
	for _, o := range p.Own {
		if o.Member && o.Name == p.Package {
			return o
		}
	}
	return cargo.Package{}
}

// Artifact is the crate root that becomes the firmware: the binary or example
// that was asked for, else default-run, else the only binary of Package. When
// the choice is open it is a fault of kind Usage that lists the candidates.
func (p *Project) Artifact() (cargo.Target, error) {
	own, err := p.Selected()
	if err != nil {
		return cargo.Target{}, err
	}
	switch {
	case p.Example != "":
		return pick(own, cargo.KindExample, p.Example)
	case p.Binary != "":
		return pick(own, cargo.KindBin, p.Binary)
	}
	bins, examples := own.TargetsOf(cargo.KindBin), own.TargetsOf(cargo.KindExample)
	switch {
	case len(bins) == 1:
		return bins[0], nil
	case len(bins) > 1:
		return cargo.Target{}, fault.New(fault.Usage, "package "+own.Name+" has several binaries: "+targetNames(bins), hintsFor("--bin", bins)...)
	case len(examples) > 0:
		return cargo.Target{}, fault.New(fault.Usage, "package "+own.Name+" has no binary; its examples are "+targetNames(examples), hintsFor("--example", examples)...)
	}
	return cargo.Target{}, fault.New(fault.Usage, "package "+own.Name+" has neither a binary nor an example: there is no firmware to build",
		"add src/main.rs, or name another package with -p")
}

// pick is the target of a kind and name.
func pick(own cargo.Package, kind, name string) (cargo.Target, error) {
	all := own.TargetsOf(kind)
	var names []string
	for _, t := range all {
		if t.Name == name {
			return t, nil
		}
		names = append(names, t.Name)
	}
	var hints []string
	if near := suggest.Nearest(name, names); near != "" {
		hints = []string{"espalier run --" + kind + " " + near}
	}
	have := "it has none"
	if len(all) > 0 {
		have = "it has " + targetNames(all)
	}
	return cargo.Target{}, fault.New(fault.Usage, "package "+own.Name+" has no "+kind+" "+quoted(name)+"; "+have, hints...)
}

func targetNames(ts []cargo.Target) string {
	var names []string
	for _, t := range ts {
		names = append(names, t.Name)
	}
	return strings.Join(names, ", ")
}

func hintsFor(flag string, ts []cargo.Target) []string {
	var out []string
	for _, t := range ts {
		out = append(out, "espalier run "+flag+" "+t.Name)
	}
	return out
}
