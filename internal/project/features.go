package project

import (
	"maps"
	"slices"
	"strings"

	"espalier.dev/espalier/internal/cargo"
	"espalier.dev/espalier/internal/config"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/suggest"
)

// FeatureNames lists the features of a package, sorted: those in its manifest,
// and optional dependencies that no feature names with "dep:".
func FeatureNames(p cargo.Package) []string {
	names := map[string]bool{}
	hidden := map[string]bool{}
	for name, enables := range p.Features {
		names[name] = true
		for _, e := range enables {
			if dep, ok := strings.CutPrefix(e, "dep:"); ok {
				hidden[dep] = true
			}
		}
	}
	for _, d := range p.Depends {
		if d.Optional && !hidden[d.Name] {
			names[d.Name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// checkFeatures refuses features that the selected package does not have.
// "crate/feature" is left to cargo.
func checkFeatures(r *config.Reader, p *Project) error {
	if p.Package == "" {
		return nil
	}
	own := p.selected()
	known := FeatureNames(own)
	f := p.Espalier.Build.Features
	for _, name := range strings.Fields(strings.Join(f.V, " ")) { // cargo takes spaces and commas
		if strings.Contains(name, "/") || slices.Contains(known, name) {
			continue
		}
		text := r.Place(f.Origin) + ": package " + own.Name + " has no feature " + quoted(name)
		if len(known) == 0 {
			return fault.New(fault.Usage, text+"; it has none")
		}
		hints := []string{"features are " + strings.Join(known, ", ")}
		if near := suggest.Nearest(name, known); near != "" {
			hints = []string{"espalier run --features " + near}
		}
		return fault.New(fault.Usage, text, hints...)
	}
	return nil
}
