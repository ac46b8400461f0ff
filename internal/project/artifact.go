package project

import (
	"strings"

	"espalier.dev/espalier/internal/fault"
)

// Artifact is the crate root that becomes the firmware: the binary or example
// that was asked for, else default-run, else the only binary of Package. When
// the choice is open it is a fault of kind Usage that lists the candidates.
func (p *Project) Artifact() (Target, error) {
	var own OwnPackage
	for _, o := range p.Own {
		if o.Member && o.Name == p.Package {
			own = o
		}
	}
	pick := func(kind, name string) (Target, error) {
		var names []string
		for _, t := range own.Targets {
			if t.Kind != kind {
				continue
			}
			if t.Name == name {
				return t, nil
			}
			names = append(names, t.Name)
		}
		have := "it has none"
		if len(names) > 0 {
			have = "it has " + strings.Join(names, ", ")
		}
		return Target{}, fault.New(fault.Usage, "package "+own.Name+" has no "+kind+" "+quoted(name)+"; "+have)
	}
	switch {
	case p.Example != "":
		return pick(KindExample, p.Example)
	case p.Binary != "":
		return pick(KindBin, p.Binary)
	}
	var bins, examples []Target
	for _, t := range own.Targets {
		switch t.Kind {
		case KindBin:
			bins = append(bins, t)
		case KindExample:
			examples = append(examples, t)
		}
	}
	switch {
	case len(bins) == 1:
		return bins[0], nil
	case len(bins) > 1:
		return Target{}, fault.New(fault.Usage, "package "+own.Name+" has several binaries: "+targetNames(bins), hintsFor("--bin", bins)...)
	case len(examples) > 0:
		return Target{}, fault.New(fault.Usage, "package "+own.Name+" has no binary; its examples are "+targetNames(examples), hintsFor("--example", examples)...)
	}
	return Target{}, fault.New(fault.Usage, "package "+own.Name+" has neither a binary nor an example: there is no firmware to build",
		"add src/main.rs, or name another package with -p")
}

func targetNames(ts []Target) string {
	var names []string
	for _, t := range ts {
		names = append(names, t.Name)
	}
	return strings.Join(names, ", ")
}

func hintsFor(flag string, ts []Target) []string {
	var out []string
	for _, t := range ts {
		out = append(out, "espalier run "+flag+" "+t.Name)
	}
	return out
}
