package deptest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// module is the module whose sources are checked.
const module = "espalier.dev/espalier"

// source is one Go file that becomes part of a program, on some system.
type source struct {
	pkg     string // directory relative to the module's root
	file    string // base name
	ast     *ast.File
	imports []string
	here    bool // part of the build on linux/amd64
}

// scan parses all sources below root but tests, generated-by-hand tools
// ("//go:build ignore") and testdata.
func scan(root string, fset *token.FileSet) ([]source, error) {
	ctx := build.Default
	ctx.GOOS, ctx.GOARCH, ctx.CgoEnabled = "linux", "amd64", false
	var all []source
	err := filepath.WalkDir(root, func(host string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := e.Name()
		if e.IsDir() {
			if host != root && (strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") || name == "testdata" || isModule(host)) {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		b, err := os.ReadFile(host)
		if err != nil {
			return err
		}
		if isIgnored(b) {
			return nil
		}
		f, err := parser.ParseFile(fset, host, b, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		dir, err := filepath.Rel(root, filepath.Dir(host))
		if err != nil {
			return err
		}
		s := source{pkg: filepath.ToSlash(dir), file: name, ast: f}
		for _, spec := range f.Imports {
			p, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			s.imports = append(s.imports, p)
		}
		s.here, err = ctx.MatchFile(filepath.Dir(host), name)
		all = append(all, s)
		return err
	})
	if err == nil && len(all) == 0 {
		err = errors.New("no sources below " + root)
	}
	return all, err
}

func isModule(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}

func isIgnored(b []byte) bool {
	lines := bufio.NewScanner(bytes.NewReader(b))
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line == "//go:build ignore" {
			return true
		}
		if strings.HasPrefix(line, "package ") {
			return false
		}
	}
	return false
}

// under reports whether a path matches a pattern: itself, or "x/..." for x and
// all below, or "..." for everything. "*.*/..." is every import path outside of
// the standard library.
func under(pattern, p string) bool {
	switch {
	case pattern == "...":
		return true
	case pattern == "*.*/...":
		first, _, _ := strings.Cut(p, "/")
		return strings.Contains(first, ".")
	}
	if base, ok := strings.CutSuffix(pattern, "/..."); ok {
		return p == base || strings.HasPrefix(p, base+"/")
	}
	return p == pattern
}

func anyUnder(patterns []string, p string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool { return under(pattern, p) })
}

// exempt reports whether a source is an exception: its package, or its file as
// "package:pattern".
func exempt(except []string, s source) bool {
	return slices.ContainsFunc(except, func(e string) bool {
		pkg, glob, isFile := strings.Cut(e, ":")
		if !isFile {
			return under(e, s.pkg)
		}
		ok, _ := path.Match(glob, s.file)
		return ok && pkg == s.pkg
	})
}

// uses lists the qualified identifiers of other packages and the builtins
// print and println that a file uses, each at its first place.
func uses(s source) map[string]token.Pos {
	names := map[string]string{} // as the file calls it -> last element of the import path
	for i, spec := range s.ast.Imports {
		base := path.Base(s.imports[i])
		if strings.HasPrefix(base, "v") && len(base) == 2 {
			base = path.Base(path.Dir(s.imports[i]))
		}
		local := base
		if spec.Name != nil {
			local = spec.Name.Name
		}
		names[local] = base
	}
	found := map[string]token.Pos{}
	note := func(name string, pos token.Pos) {
		if _, there := found[name]; !there {
			found[name] = pos
		}
	}
	ast.Inspect(s.ast, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && names[x.Name] != "" {
				note(names[x.Name]+"."+n.Sel.Name, n.Pos())
			}
		case *ast.CallExpr:
			if f, ok := n.Fun.(*ast.Ident); ok && (f.Name == "print" || f.Name == "println") {
				note(f.Name, n.Pos())
			}
		}
		return true
	})
	return found
}

// state finds init functions and package variables that code changes. It
// resolves names with go/types but without the imported packages, which is
// enough for the package's own variables.
func state(fset *token.FileSet, pkgPath string, files []*ast.File) []string {
	var found []string
	at := func(pos token.Pos) string {
		p := fset.Position(pos)
		return fmt.Sprintf("%s/%s:%d", pkgPath, filepath.Base(p.Filename), p.Line)
	}
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{}}
	conf := types.Config{Importer: noImports{}, Error: func(error) {}, FakeImportC: true}
	pkg, _ := conf.Check(pkgPath, fset, files, info)
	packageVar := func(e ast.Expr) *types.Var {
		for {
			switch x := e.(type) {
			case *ast.ParenExpr:
				e = x.X
			case *ast.SelectorExpr:
				e = x.X
			case *ast.IndexExpr:
				e = x.X
			case *ast.SliceExpr:
				e = x.X
			case *ast.StarExpr:
				e = x.X
			case *ast.Ident:
				v, ok := info.Uses[x].(*types.Var)
				if ok && pkg != nil && v.Parent() == pkg.Scope() {
					return v
				}
				return nil
			default:
				return nil
			}
		}
	}
	changed := func(e ast.Expr) {
		if v := packageVar(e); v != nil {
			found = append(found, at(e.Pos())+": changes the package variable "+v.Name())
		}
	}
	for _, f := range files {
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil && d.Name.Name == "init" {
					found = append(found, at(d.Pos())+": func init")
				}
			case *ast.GenDecl:
				if d.Tok != token.VAR {
					continue
				}
				for _, spec := range d.Specs {
					v := spec.(*ast.ValueSpec)
					if sel, ok := v.Type.(*ast.SelectorExpr); ok {
						if x, ok := sel.X.(*ast.Ident); ok && (x.Name == "sync" || x.Name == "atomic") {
							found = append(found, at(v.Pos())+": the package variable "+v.Names[0].Name+" is a "+x.Name+"."+sel.Sel.Name)
						}
					}
				}
			}
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.AssignStmt:
				if n.Tok != token.DEFINE {
					for _, e := range n.Lhs {
						changed(e)
					}
				}
			case *ast.IncDecStmt:
				changed(n.X)
			case *ast.RangeStmt:
				if n.Tok == token.ASSIGN {
					changed(n.Key)
					changed(n.Value)
				}
			case *ast.CallExpr:
				if f, ok := n.Fun.(*ast.Ident); ok && len(n.Args) > 0 && (f.Name == "delete" || f.Name == "clear" || f.Name == "copy") {
					changed(n.Args[0])
				}
			}
			return true
		})
	}
	return found
}

type noImports struct{}

func (noImports) Import(string) (*types.Package, error) { return nil, errors.New("not needed") }
