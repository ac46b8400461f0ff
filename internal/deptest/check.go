package deptest

import (
	"fmt"
	"go/ast"
	"go/token"
	"maps"
	"slices"
	"strings"
)

// Check returns every breach of the rules below a module's root, sorted, one
// line each: who, what, and why it is a rule.
func Check(root string) ([]string, error) { return check(root, debts) }

func check(root string, debts map[string]string) ([]string, error) {
	fset := token.NewFileSet()
	sources, err := scan(root, fset)
	if err != nil {
		return nil, err
	}
	c := &checker{fset: fset, sources: sources, debts: debts, graph: map[string]map[string]bool{}, found: map[string]bool{}, owed: map[string]bool{}}
	for _, s := range sources {
		if c.graph[s.room] == nil {
			c.graph[s.room] = map[string]bool{}
		}
		for _, p := range s.imports {
			if local, ok := strings.CutPrefix(p, module+"/"); ok {
				c.graph[s.room][local] = true
			}
		}
	}
	c.checkRooms()
	for _, b := range bans {
		c.checkBan(b)
	}
	c.checkState()
	for debt := range c.debts {
		if from, _, _ := strings.Cut(debt, " "); c.graph[from] != nil && !c.owed[debt] {
			c.breach("debt %q is paid: remove it from the table", debt)
		}
	}
	return slices.Sorted(maps.Keys(c.found)), nil
}

type checker struct {
	fset    *token.FileSet
	sources []source
	debts   map[string]string
	graph   map[string]map[string]bool // room -> rooms that it imports
	found   map[string]bool
	owed    map[string]bool // debts that are breaches
}

func (c *checker) breach(format string, args ...any) { c.found[fmt.Sprintf(format, args...)] = true }

// checkRooms compares the imports within the module with the table.
func (c *checker) checkRooms() {
	for from, imports := range c.graph {
		r := roomOf(from)
		if r == nil {
			c.breach("%s is not in the table of rooms: who may it know, and why?", from)
			continue
		}
		for to := range imports {
			c.checkEdge(r, from, to)
		}
	}
}

func (c *checker) checkEdge(r *room, from, to string) {
	var why string
	switch {
	case anyUnder(testOnly, to):
		if !anyUnder(testOnly, from) {
			why = "it is for tests"
		}
	case under("internal/cli/...", to):
		if from != "cmd/espalier" && !under("internal/cli/...", from) {
			why = "nobody knows the cli"
		}
	case anyUnder(public, from) && under("internal/...", to):
		why = "other modules import " + from + " and cannot import internal/"
	case anyUnder(r.may, to) || strings.HasPrefix(from, "internal/") && slices.Contains(leaves, to):
	default:
		why = r.why
	}
	if why == "" {
		return
	}
	debt := from + " -> " + to
	if _, known := c.debts[debt]; known {
		c.owed[debt] = true
		return
	}
	c.breach("%s imports %s: %s", from, to, why)
}

func roomOf(path string) *room {
	i := slices.IndexFunc(rooms, func(r room) bool { return under(r.path, path) })
	if i < 0 {
		return nil
	}
	return &rooms[i]
}

func (c *checker) checkBan(b ban) {
	for _, s := range c.sources {
		if b.rooms != nil && !anyUnder(b.rooms, s.room) || spared(b.except, s) {
			continue
		}
		for _, p := range s.imports {
			if anyUnder(b.imports, p) {
				c.breach("%s/%s imports %s: %s (%s)", s.room, s.file, p, b.name, b.why)
			}
		}
		if b.deep {
			c.checkDeep(b, s.room)
		}
		if len(b.uses) > 0 {
			for name, pos := range uses(s) {
				if slices.Contains(b.uses, name) {
					c.breach("%s/%s:%d uses %s: %s (%s)", s.room, s.file, c.fset.Position(pos).Line, name, b.name, b.why)
				}
			}
		}
	}
}

// checkDeep applies a ban on imports to everything of the module that a room
// pulls in.
func (c *checker) checkDeep(b ban, room string) {
	seen := map[string]bool{}
	var visit func(at, way string)
	visit = func(at, way string) {
		if seen[at] {
			return
		}
		seen[at] = true
		for _, s := range c.sources {
			if s.room != at || at == room {
				continue
			}
			for _, p := range s.imports {
				if anyUnder(b.imports, p) {
					c.breach("%s imports %s through %s: %s (%s)", room, p, way, b.name, b.why)
				}
			}
		}
		for to := range c.graph[at] {
			visit(to, strings.TrimPrefix(way+" -> "+to, " -> "))
		}
	}
	visit(room, "")
}

// checkState: constructors take what they need, so that two boards, two stores
// or two tests in one process never meet.
func (c *checker) checkState() {
	files := map[string][]*ast.File{}
	for _, s := range c.sources {
		if s.here {
			files[s.room] = append(files[s.room], s.ast)
		}
	}
	for room, list := range files {
		for _, line := range state(c.fset, room, list) {
			c.breach("%s: no package-level mutable state, no init side effects", line)
		}
	}
}
