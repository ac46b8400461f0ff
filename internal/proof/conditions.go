package proof

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"espalier.dev/espalier/internal/build"
	"espalier.dev/espalier/internal/project"
)

// ConditionsOf are the words by which a text shows the conditions of its build:
// those that build.Conditions gives one.
func ConditionsOf(list []build.Condition) (out []Condition) {
	for _, c := range list {
		if c.First != "" && c.First != c.Second {
			out = append(out, Condition{What: c.What, First: c.First, Second: c.Second})
		}
	}
	return out
}

// Explained lists the names of the conditions that the causes of differences name.
func Explained(list []Difference, conditions []build.Condition) (names []string) {
	for _, c := range conditions {
		for _, d := range list {
			if strings.Contains(d.Cause, c.What+" is in it: ") || c.Name == build.ConditionFileOrder && d.Order() {
				names = append(names, c.Name)
				break
			}
		}
	}
	return names
}

// NameListers adds to differences in an order the places in own build scripts
// and macros of p that list directories.
func NameListers(p *project.Project, list []Difference) {
	if !slices.ContainsFunc(list, Difference.Order) {
		return
	}
	var places []string
	for _, own := range p.Own {
		var sources []string
		if own.Build != "" {
			sources = append(sources, own.Build)
		}
		for _, t := range own.Targets {
			if t.ProcMacro {
				sources = append(sources, t.Path)
			}
		}
		for _, name := range sources {
			if text, err := os.ReadFile(filepath.Join(p.Root, filepath.FromSlash(name))); err == nil {
				places = append(places, placesIn(name, text, []*regexp.Regexp{readers[build.ConditionFileOrder]})...)
			}
		}
	}
	for i := range list {
		if list[i].Order() && len(places) > 0 {
			list[i].Cause += " (" + strings.Join(places, ", ") + ")"
		}
	}
}
