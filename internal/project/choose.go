package project

import (
	"path/filepath"
	"strings"
)

// choose settles which member is built: the one that is named, else the one
// that contains the directory when it makes a firmware, else the only one that
// does, else the only one of those that depends on the chip's crates.
func (l *loader) choose(p *Project, w *workspace, x *layers, opts Options) error {
	probe := *x
	named := probe.str(spec{name: "build.package", env: "ESPALIER_PACKAGE", flag: "package", given: one(opts.Package)})
	bin := probe.str(spec{name: "build.bin", env: "ESPALIER_BIN", flag: "bin", given: one(opts.Flags.Bin)})
	example := probe.str(spec{name: "build.example", env: "ESPALIER_EXAMPLE", flag: "example", given: one(opts.Flags.Example)})
	if probe.err != nil {
		return l.fault(probe.err)
	}
	byDir := map[string]*manifest{}
	for _, m := range w.members {
		byDir[m.dir] = m
	}
	fits := func(o OwnPackage) bool {
		for _, t := range o.Targets {
			switch {
			case bin.V == "" && example.V == "" && t.Kind == KindBin,
				bin.V != "" && t.Kind == KindBin && t.Name == bin.V,
				example.V != "" && t.Kind == KindExample && t.Name == example.V:
				return true
			}
		}
		return false
	}
	var all, fit, chip []string
	var only, onlyChip *manifest
	for _, o := range p.Own {
		if !o.Member {
			continue
		}
		all = append(all, o.Name)
		if named.V == o.Name {
			w.current = byDir[o.Dir]
		}
		if fits(o) && w.isDefault(byDir[o.Dir]) {
			fit, only = append(fit, o.Name), byDir[o.Dir]
			if o.forChip() {
				chip, onlyChip = append(chip, o.Name), byDir[o.Dir]
			}
		}
	}
	switch {
	case named.V != "":
		if w.current.name() != named.V {
			return failf(nil, "no package %q in the workspace (%s); it has %s", named.V, l.place(named.Origin), strings.Join(all, ", "))
		}
	case w.current.pkg != nil && (fits(p.ownOf(w.current)) || len(fit) != 1 && len(chip) != 1):
	case len(fit) == 1:
		w.current = only
	case len(chip) == 1: // beside an xtask or another tool for the host
		w.current = onlyChip
	case len(fit) == 0 && len(all) == 1:
		w.current = w.members[0]
	case len(fit) == 0:
		return failf(nil, "%s: no package of the workspace makes a firmware; it has %s", l.show(w.root.path), strings.Join(all, ", "))
	default:
		var hints []string
		for _, n := range fit[:min(len(fit), 5)] {
			hints = append(hints, "espalier run -p "+n)
		}
		return failf(hints, "%s: several packages make a firmware: %s", l.show(w.root.path), strings.Join(fit, ", "))
	}
	p.Member, p.Package = w.current.dir, w.current.name()
	return nil
}

// forChip reports whether a package depends on something of the chip's itself.
func (o OwnPackage) forChip() bool {
	for _, d := range o.Depends {
		if d.Kind == "" && (strings.HasPrefix(d.Package, "esp-") || strings.HasPrefix(d.Package, "esp32c3")) {
			return true
		}
	}
	return false
}

// isDefault reports whether m is built when nothing is named: default-members,
// else all.
func (w *workspace) isDefault(m *manifest) bool {
	list := w.root.ws.Get("default-members")
	if list == nil {
		return true
	}
	for _, e := range list.Elem {
		for _, d := range glob(filepath.Join(w.root.dir, filepath.FromSlash(e.Text))) {
			if d == m.dir {
				return true
			}
		}
	}
	return false
}

func (p *Project) ownOf(m *manifest) OwnPackage {
	for _, o := range p.Own {
		if o.Dir == m.dir {
			return o
		}
	}
	return OwnPackage{}
}
