package proof

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/sandbox"
)

// ConditionsOf are the strings by which a text shows the conditions of its build: the first build's and those of a build with other conditions.
func ConditionsOf(other sandbox.Perturb) []Condition {
	return []Condition{
		{What: "the host name", First: "espalier", Second: other.Hostname},
		{What: "the user's number", First: "1000", Second: strconv.Itoa(other.UID)},
		{What: "the user's name", First: "espalier", Second: other.Env["USER"]},
		{What: "the number of jobs", First: strconv.Itoa(runtime.NumCPU()), Second: other.Env["CARGO_BUILD_JOBS"]},
	}
}

// lister is how Rust programs list a directory.
var lister = regexp.MustCompile(`\b(read_dir|WalkDir|glob|glob_with)\s*(::new\s*)?\(`)

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
			text, err := os.ReadFile(filepath.Join(p.Root, filepath.FromSlash(name)))
			if err != nil {
				continue
			}
			for i, line := range strings.Split(string(text), "\n") {
				if at := lister.FindStringIndex(line); at != nil {
					places = append(places, fmt.Sprintf("%s:%d:%d", name, i+1, at[0]+1))
				}
			}
		}
	}
	for i := range list {
		if list[i].Order() && len(places) > 0 {
			list[i].Cause += " (" + strings.Join(places, ", ") + ")"
		}
	}
}
