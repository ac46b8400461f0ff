// Package complete makes the completion scripts of shells, and finds the values that
// a shell offers for a flag: names from the project, serial ports, and words that
// are always the same. Input: the
// name of a flag and what is typed of its value. It changes nothing and reports
// no errors: a broken project has no completions.
package complete

import (
	"slices"
	"strings"

	"espalier.dev/espalier/internal/cargo"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/serial"
)

// Finder finds values.
type Finder struct {
	// Open opens the project around the working directory with the package that
	// the command line names, or none.
	Open func() (*project.Project, error)

	// Ports lists the machine's serial ports.
	Ports func() ([]serial.Info, error)
}

// constant are the values that are always the same, by flag.
var constant = map[string][]string{
	"after":      {"hard-reset", "watchdog-reset", "no-reset"},
	"before":     {"default-reset", "usb-reset", "no-reset"},
	"flash-freq": {"80MHz", "40MHz", "26MHz", "20MHz"},
	"flash-mode": {"dio", "qio", "dout", "qout"},
	"flash-size": {"4MB", "2MB", "8MB", "16MB"},
	"net":        {"isolated", "host", "none"},
	"speed":      {"1", "max"},
	"target":     {cargo.DefaultTarget, "riscv32imac-unknown-none-elf"},
	"toolchain":  {"debian", "rust"},
}

// Flags lists the flags that Values completes, sorted.
func Flags() []string {
	names := []string{"bin", "example", "features", "package", "port", "profile", "use"}
	for name := range constant {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Values returns the values of a flag that begin with typed. Of a list that is
// separated by commas it completes the last element.
func (f Finder) Values(flag, typed string) []string {
	switch flag {
	case "port", "use":
		return Matching(f.ports(), typed)
	case "bin", "example", "features", "package", "profile":
		p, err := f.Open()
		if err != nil {
			return nil
		}
		if flag != "features" {
			return Matching(names(p, flag), typed)
		}
		return features(p, typed)
	}
	return Matching(constant[flag], typed)
}

// Matching returns the values that begin with typed, without repetitions.
func Matching(all []string, typed string) []string {
	var out []string
	for _, v := range all {
		if strings.HasPrefix(v, typed) && !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

func (f Finder) ports() []string {
	list, _ := f.Ports()
	var out []string
	for _, i := range list {
		if i.Likely() { // boards before other ports
			out = append(out, i.Name)
		}
	}
	for _, i := range list {
		if !i.Likely() {
			out = append(out, i.Name)
		}
	}
	return append(out, "rfc2217://", "tcp://")
}

// names lists what a flag can name in a project.
func names(p *project.Project, flag string) []string {
	if flag == "profile" {
		return p.Profiles
	}
	var out []string
	for _, own := range p.Firmware() {
		if flag == "package" {
			out = append(out, own.Name)
			continue
		}
		for _, t := range own.TargetsOf(flag) { // flag is the kind
			out = append(out, t.Name)
		}
	}
	if flag == "package" && len(out) < 2 {
		for _, own := range p.Own {
			if own.Member {
				out = append(out, own.Name)
			}
		}
	}
	return out
}

func features(p *project.Project, typed string) []string {
	before, last := "", typed
	if i := strings.LastIndexByte(typed, ','); i >= 0 {
		before, last = typed[:i+1], typed[i+1:]
	}
	given := strings.Split(before, ",")
	var out []string
	for _, own := range p.Firmware() {
		for _, name := range Matching(project.FeatureNames(own), last) {
			if !slices.Contains(given, name) && !slices.Contains(out, before+name) {
				out = append(out, before+name)
			}
		}
	}
	return out
}
