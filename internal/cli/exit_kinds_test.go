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

// noImports is an importer without packages: the call graph within this package
// needs no others.
type noImports struct{}

func (noImports) Import(path string) (*types.Package, error) {
	p := types.NewPackage(path, filepath.Base(path))
	p.MarkComplete()
	return p, nil
}

// readCallees reads the source of this package.
func readCallees(t *testing.T) callees {
	t.Helper()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(fset, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	info := &types.Info{Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{}}
	conf := types.Config{Importer: noImports{}, Error: func(error) {}} // what is imported is unknown, which is an error each
	_, _ = conf.Check("cli", fset, files, info)
	c := callees{map[types.Object][]types.Object{}, map[types.Object][]string{}, map[types.Object][]string{}}
	for _, f := range files {
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
			if id, ok := n.Fun.(*ast.Ident); ok && id.Name == "exits" {
				c.exits[self] = []string{}
				for _, a := range n.Args {
					if s, ok := a.(*ast.SelectorExpr); ok {
						c.exits[self] = append(c.exits[self], s.Sel.Name)
					}
				}
				return false
			}
			if s, ok := n.Fun.(*ast.SelectorExpr); ok && len(n.Args) > 0 {
				pkg, isIdent := s.X.(*ast.Ident)
				kind, isKind := n.Args[0].(*ast.SelectorExpr)
				if isIdent && isKind && pkg.Name == "fault" && fn.Name.Name != "classify" { // it gives others' errors a kind
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
// this package make.
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
// code of this package makes an error on the way to it.
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
	if len(reached) < 3 {
		t.Errorf("only the kinds %v are reached: the call graph has a gap", slices.Sorted(maps.Keys(reached)))
	}
}
