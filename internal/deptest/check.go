package deptest

import (
	"fmt"
	"go/ast"
	"go/token"
	"maps"
	"slices"
	"strings"
)

// Check returns every violation of the rules below a module's root, sorted, one
// line each: the package, what it does, and the reason of the rule.
func Check(root string) ([]string, error) { return check(root, accepted) }

func check(root string, accepted map[string]string) ([]string, error) {
	fset := token.NewFileSet()
	sources, err := scan(root, fset)
	if err != nil {
		return nil, err
	}
	c := &checker{fset: fset, sources: sources, accepted: accepted, graph: map[string]map[string]bool{}, found: map[string]bool{}, stillViolated: map[string]bool{}}
	for _, s := range sources {
		if c.graph[s.pkg] == nil {
			c.graph[s.pkg] = map[string]bool{}
		}
		for _, p := range s.imports {
			if local, ok := strings.CutPrefix(p, module+"/"); ok {
				c.graph[s.pkg][local] = true
			}
		}
	}
	c.checkImports()
	for _, b := range bans {
		c.checkBan(b)
	}
	c.checkState()
	c.checkSurface()
	for entry := range c.accepted {
		if from, _, _ := strings.Cut(entry, " "); c.graph[from] != nil && !c.stillViolated[entry] {
			c.violation("accepted violation %q does not exist any more: remove it from the table", entry)
		}
	}
	return slices.Sorted(maps.Keys(c.found)), nil
}

type checker struct {
	fset          *token.FileSet
	sources       []source
	accepted      map[string]string
	graph         map[string]map[string]bool // package -> packages that it imports
	found         map[string]bool
	stillViolated map[string]bool // accepted entries that are still violations
}

func (c *checker) violation(format string, args ...any) { c.found[fmt.Sprintf(format, args...)] = true }

// checkImports compares the imports within the module with the table.
func (c *checker) checkImports() {
	for from, imports := range c.graph {
		r := ruleOf(from)
		if r == nil {
			c.violation("%s is not in the table of packages: add what it may import, and the reason", from)
			continue
		}
		for to := range imports {
			c.checkEdge(r, from, to)
		}
	}
}

func (c *checker) checkEdge(r *packageRule, from, to string) {
	var why string
	switch {
	case anyUnder(testOnly, to):
		if !anyUnder(testOnly, from) {
			why = "it is for tests"
		}
	case under("internal/cli/...", to):
		if from != "cmd/espalier" && from != "internal/release" && !under("internal/cli/...", from) {
			why = "no package depends on the cli"
		}
	case anyUnder(public, from) && under("internal/...", to) && !slices.Contains(r.may, to):
		why = "other modules import " + from + ", so that each internal package that it uses must be in the table by name"
	case anyUnder(r.may, to) || strings.HasPrefix(from, "internal/") && slices.Contains(leaves, to):
	default:
		why = r.why
	}
	if why == "" {
		return
	}
	entry := from + " -> " + to
	if _, known := c.accepted[entry]; known {
		c.stillViolated[entry] = true
		return
	}
	c.violation("%s imports %s: %s", from, to, why)
}

func ruleOf(path string) *packageRule {
	i := slices.IndexFunc(packages, func(r packageRule) bool { return under(r.path, path) })
	if i < 0 {
		return nil
	}
	return &packages[i]
}

func (c *checker) checkBan(b ban) {
	for _, s := range c.sources {
		if b.in != nil && !anyUnder(b.in, s.pkg) || exempt(b.except, s) {
			continue
		}
		for _, p := range s.imports {
			if anyUnder(b.imports, p) {
				c.violation("%s/%s imports %s: %s (%s)", s.pkg, s.file, p, b.name, b.why)
			}
		}
		if b.deep {
			c.checkDeep(b, s.pkg)
		}
		if len(b.uses) > 0 {
			for name, pos := range uses(s) {
				if slices.Contains(b.uses, name) {
					c.violation("%s/%s:%d uses %s: %s (%s)", s.pkg, s.file, c.fset.Position(pos).Line, name, b.name, b.why)
				}
			}
		}
	}
}

// checkDeep applies a ban on imports to all packages of the module that a
// package imports, directly or not.
func (c *checker) checkDeep(b ban, pkg string) {
	seen := map[string]bool{}
	var visit func(at, path string)
	visit = func(at, path string) {
		if seen[at] {
			return
		}
		seen[at] = true
		for _, s := range c.sources {
			if s.pkg != at || at == pkg {
				continue
			}
			for _, p := range s.imports {
				if anyUnder(b.imports, p) {
					c.violation("%s imports %s through %s: %s (%s)", pkg, p, path, b.name, b.why)
				}
			}
		}
		for to := range c.graph[at] {
			visit(to, strings.TrimPrefix(path+" -> "+to, " -> "))
		}
	}
	visit(pkg, "")
}

// checkState: constructors take what they need, so that two boards, two stores
// or two tests in one process are independent.
func (c *checker) checkState() {
	files := map[string][]*ast.File{}
	for _, s := range c.sources {
		if s.here {
			files[s.pkg] = append(files[s.pkg], s.ast)
		}
	}
	for pkg, list := range files {
		for _, line := range state(c.fset, pkg, list) {
			c.violation("%s: no package-level mutable state, no init side effects", line)
		}
	}
}
