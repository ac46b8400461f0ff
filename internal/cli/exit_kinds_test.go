package cli

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// callees are what the functions of this package use.
type callees struct {
	calls map[types.Object][]types.Object // function -> functions that it mentions
	kinds map[types.Object][]string       // function -> kinds of the errors that it makes
	exits map[types.Object][]string       // constructor of a verb -> kinds in its help
}

// analysed are the packages to which verbs give their work: the errors that these
// make for a verb are those of the verb.
var analysed = map[string]string{
	"espalier.dev/espalier/internal/workspace":  "../workspace",
	"espalier.dev/espalier/internal/flashimage": "../flashimage",
}

// reader type-checks the sources of this package and of the analysed ones. Other
// packages are empty: the call graph needs none of them.
type reader struct {
	t    *testing.T
	fset *token.FileSet
	info *types.Info
	done map[string]*types.Package
	all  []*ast.File
}

func (r *reader) Import(path string) (*types.Package, error) {
	if r.done[path] == nil {
		if dir, ok := analysed[path]; ok {
			r.done[path] = r.check(path, dir)
		} else {
			r.done[path] = types.NewPackage(path, filepath.Base(path))
			r.done[path].MarkComplete()
		}
	}
	return r.done[path], nil
}

func (r *reader) check(path, dir string) *types.Package {
	r.t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(names) == 0 {
		r.t.Fatalf("no sources in %s: %v", dir, err)
	}
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(r.fset, name, nil, 0)
		if err != nil {
			r.t.Fatal(err)
		}
		files = append(files, f)
	}
	conf := types.Config{Importer: r, Error: func(error) {}} // what is imported is unknown, which is an error each
	pkg, _ := conf.Check(path, r.fset, files, r.info)
	r.all = append(r.all, files...)
	return pkg
}

// readCallees reads the sources.
func readCallees(t *testing.T) callees {
	t.Helper()
	info := &types.Info{Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{}}
	r := &reader{t: t, fset: token.NewFileSet(), info: info, done: map[string]*types.Package{}}
	r.check("cli", ".")
	c := callees{map[types.Object][]types.Object{}, map[types.Object][]string{}, map[types.Object][]string{}}
	for _, f := range r.all {
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Body != nil {
				c.read(info, fn)
			}
		}
	}
	return c
}

func (c callees) read(info *types.Info, fn *ast.FuncDecl) {
	self := info.Defs[fn.Name]
	ast.Inspect(fn.Body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			if s, ok := n.Fun.(*ast.SelectorExpr); ok && s.Sel.Name == "Exits" {
				c.exits[self] = []string{}
				for _, a := range n.Args {
					if s, ok := a.(*ast.SelectorExpr); ok {
						c.exits[self] = append(c.exits[self], s.Sel.Name)
					}
				}
				return false
			}
			if s, ok := n.Fun.(*ast.SelectorExpr); ok && len(n.Args) > 0 {
				pkg, _ := s.X.(*ast.Ident)
				kind, isKind := n.Args[0].(*ast.SelectorExpr)
				if isKind && pkg != nil && pkg.Name == "fault" && types.ExprString(kind.X) == "fault" {
					c.kinds[self] = append(c.kinds[self], kind.Sel.Name)
				}
			}
		case *ast.Ident:
			if used, ok := info.Uses[n].(*types.Func); ok {
				c.calls[self] = append(c.calls[self], used)
			}
		}
		return true
	})
}

// made returns the kinds of the errors that a function and all that it calls in
// the packages that were read make.
func (c callees) made(from types.Object) []string {
	var out []string
	seen := map[types.Object]bool{}
	var visit func(name types.Object)
	visit = func(name types.Object) {
		if seen[name] {
			return
		}
		seen[name] = true
		out = append(out, c.kinds[name]...)
		for _, next := range c.calls[name] {
			visit(next)
		}
	}
	visit(from)
	slices.Sort(out)
	return slices.Compact(out)
}

// TestExitCodesOfVerbs: the help of a verb lists each exit code for which the
// code of this package, or of an analysed one, makes an error on the way to it.
func TestExitCodesOfVerbs(t *testing.T) {
	c := readCallees(t)
	if len(c.exits) < 15 {
		t.Fatalf("only %d verbs have exit codes", len(c.exits))
	}
	reached := map[string]bool{}
	everywhere := []string{"OK", "Usage", "Bug", "Interrupted"}
	for verb, listed := range c.exits {
		for _, kind := range c.made(verb) {
			reached[kind] = true
			if !slices.Contains(listed, kind) && !slices.Contains(everywhere, kind) {
				t.Errorf("%s can end with fault.%s, which its help does not list", verb.Name(), kind)
			}
		}
	}
	if len(reached) < 5 || !reached["Build"] || !reached["Differ"] { // the last two are of package workspace
		t.Errorf("only the kinds %v are reached: the call graph has a gap", slices.Sorted(maps.Keys(reached)))
	}
}
