package build

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"espalier.dev/espalier/internal/cargo"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/project"
)

// TestSelection chooses test targets of the selected package. The zero value is
// all that cargo test would build and that have a harness of their own.
type TestSelection struct {
	Tests   []string // [[test]] targets by name
	Lib     bool     // the library's own tests
	Bin     string   // those of a binary
	Example string
}

// TestTargets returns the test targets of a selection, in the order of kind and
// name. A target with cargo's harness (libtest), which needs std, is an error when
// it is named and is left out otherwise.
func TestTargets(p *project.Project, s TestSelection) ([]cargo.Target, error) {
	own, err := p.Selected()
	if err != nil {
		return nil, err
	}
	named := len(s.Tests) > 0 || s.Lib || s.Bin != "" || s.Example != ""
	active := activeFeatures(p, own)
	var out []cargo.Target
	found := map[string]bool{}
	var libtest []string
	for _, t := range own.Targets {
		wanted := !named && t.Test
		switch t.Kind {
		case cargo.KindTest:
			wanted = wanted || slices.Contains(s.Tests, t.Name)
			found[t.Name] = true
		case cargo.KindLib:
			wanted = wanted || s.Lib
		case cargo.KindBin:
			wanted = wanted || s.Bin == t.Name
		case cargo.KindExample:
			wanted = wanted || s.Example == t.Name
		default:
			continue
		}
		switch {
		case !wanted:
		case t.Harness && named:
			return nil, fault.New(fault.Usage, fmt.Sprintf("%s %q uses cargo's test harness, which needs std", t.Kind, t.Name),
				fmt.Sprintf("in %s: [%s] with harness = false", own.Manifest, table(t.Kind)), "cargo test   # for tests that run on this machine")
		case t.Harness:
			libtest = append(libtest, t.Kind+" "+t.Name)
		case !named && !active.all(t.RequiredFeatures):
		default:
			out = append(out, t)
		}
	}
	for _, name := range s.Tests {
		if !found[name] {
			return nil, fault.New(fault.Usage, fmt.Sprintf("package %s has no test %q", own.Name, name))
		}
	}
	if s.Lib && len(own.TargetsOf(cargo.KindLib)) == 0 {
		return nil, fault.New(fault.Usage, fmt.Sprintf("package %s has no library", own.Name))
	}
	if len(out) == 0 {
		text := fmt.Sprintf("package %s has no tests for the chip: no target with harness = false", own.Name)
		if len(libtest) > 0 {
			text += "; " + strings.Join(libtest, ", ") + " use cargo's test harness, which needs std"
		}
		return nil, fault.New(fault.Usage, text, "docs/testing.md shows how to add some", "cargo test   # for tests that run on this machine")
	}
	return out, nil
}

// table is the name of a target's table in a manifest.
func table(kind string) string {
	if kind == cargo.KindLib {
		return kind
	}
	return "[" + kind + "]"
}

// features is a set of active features.
type features map[string]bool

func (f features) all(names []string) bool {
	return f["*"] || !slices.ContainsFunc(names, func(n string) bool { return !f[n] })
}

// activeFeatures are the features of a package that the configuration activates.
func activeFeatures(p *project.Project, own cargo.Package) features {
	b := p.Espalier.Build
	f := features{"*": b.AllFeatures.V}
	var add func(name string)
	add = func(name string) {
		name = strings.TrimPrefix(name, own.Name+"/")
		if !f[name] {
			f[name] = true
			for _, n := range own.Features[name] {
				add(n)
			}
		}
	}
	for _, name := range b.Features.V {
		add(name)
	}
	if !b.NoDefaultFeatures.V {
		add("default")
	}
	return f
}

// HostTests returns the members of the workspace whose tests cargo runs on this
// machine: those besides the firmware that contain #[test] and have a target with
// cargo's harness.
func HostTests(p *project.Project) []string {
	var out []string
	for _, own := range p.Own {
		harness := slices.ContainsFunc(own.Targets, func(t cargo.Target) bool { return t.Test && t.Harness })
		if own.Member && harness && own.Name != p.Package && containsTests(p, own) {
			out = append(out, own.Name)
		}
	}
	return out
}

func containsTests(p *project.Project, own cargo.Package) bool {
	for _, f := range p.Files {
		if f.Target != "" || filepath.Ext(f.Path) != ".rs" || own.Dir != "." && !strings.HasPrefix(f.Path, own.Dir+"/") {
			continue
		}
		b, err := os.ReadFile(filepath.Join(p.Root, filepath.FromSlash(f.Path)))
		if err == nil && strings.Contains(string(b), "#[test]") {
			return true
		}
	}
	return false
}
