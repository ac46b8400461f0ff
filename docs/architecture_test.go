package docs

import (
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "espalier.dev/espalier/"

// imports returns the packages of the module with what each imports of it, test
// files and packages that only tests use left out.
func imports(t *testing.T) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	err := filepath.WalkDir("..", func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() {
			base := e.Name()
			if base == "testdata" || base == "devtest" || base == "elftest" || base == "deptest" || strings.HasPrefix(base, ".") && base != ".." {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly|parser.ParseComments)
		if err != nil {
			return err
		}
		for _, c := range f.Comments {
			if strings.HasPrefix(c.List[0].Text, "//go:build ignore") {
				return nil
			}
		}
		pkg := filepath.ToSlash(filepath.Dir(name))[len("../"):]
		found[pkg] = append(found[pkg], nil...)
		for _, spec := range f.Imports {
			p, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if local, ok := strings.CutPrefix(p, module); ok {
				found[pkg] = append(found[pkg], local)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

var (
	diagramNode = regexp.MustCompile(`^\s+(\w+)\["([^"]+)"\]$`)
	diagramEdge = regexp.MustCompile(`^\s+(\w+) --> (\w+)$`)
)

// TestArchitecture compares the diagram of architecture.md with the imports:
// every package is in one box, every arrow is an import, and every import
// between boxes follows arrows.
func TestArchitecture(t *testing.T) {
	b, err := os.ReadFile("architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, ok := strings.Cut(string(b), "```mermaid\n")
	if !ok {
		t.Fatal("architecture.md has no diagram")
	}
	text, _, _ = strings.Cut(text, "```")
	boxOf := map[string]string{}
	arrows := map[string]map[string]bool{}
	for _, line := range strings.Split(text, "\n") {
		if m := diagramNode.FindStringSubmatch(line); m != nil {
			for _, pkg := range strings.Fields(strings.ReplaceAll(m[2], "<br>", " ")) {
				if boxOf[pkg] != "" {
					t.Errorf("%s is in two boxes", pkg)
				}
				boxOf[pkg] = m[1]
			}
			arrows[m[1]] = map[string]bool{}
		} else if m := diagramEdge.FindStringSubmatch(line); m != nil {
			if arrows[m[1]] == nil || arrows[m[2]] == nil {
				t.Fatalf("arrow %s --> %s before its boxes", m[1], m[2])
			}
			arrows[m[1]][m[2]] = true
		}
	}
	graph := imports(t)
	for pkg := range boxOf {
		if _, ok := graph[pkg]; !ok {
			t.Errorf("the diagram has %s, which does not exist", pkg)
		}
	}
	drawn := map[string]bool{}
	for _, pkg := range slices.Sorted(maps.Keys(graph)) {
		from := boxOf[pkg]
		if from == "" {
			t.Errorf("the diagram has no box for %s", pkg)
			continue
		}
		for _, dep := range graph[pkg] {
			to := boxOf[dep]
			if to == "" || to == from {
				continue
			}
			drawn[from+" --> "+to] = true
			if !reaches(arrows, from, to) {
				t.Errorf("%s imports %s: the diagram needs the arrow %s --> %s", pkg, dep, from, to)
			}
		}
	}
	for from, list := range arrows {
		for to := range list {
			if !drawn[from+" --> "+to] {
				t.Errorf("no import is behind the arrow %s --> %s: remove it", from, to)
			}
		}
	}
}

// reaches reports whether a path of arrows leads from one box to another.
func reaches(arrows map[string]map[string]bool, from, to string) bool {
	seen := map[string]bool{}
	var visit func(string) bool
	visit = func(at string) bool {
		if at == to {
			return true
		}
		if seen[at] {
			return false
		}
		seen[at] = true
		for next := range arrows[at] {
			if visit(next) {
				return true
			}
		}
		return false
	}
	return visit(from)
}
