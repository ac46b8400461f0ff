package deptest

import (
	"go/ast"
	"path"
	"strings"
)

// checkSurface finds types of internal packages in the exported declarations of
// public packages: other modules could not name them.
func (c *checker) checkSurface() {
	for _, s := range c.sources {
		if !anyUnder(public, s.pkg) {
			continue
		}
		internal := map[string]string{} // name in the file -> import path in the module
		for i, spec := range s.ast.Imports {
			local, ok := strings.CutPrefix(s.imports[i], module+"/")
			if !ok || !under("internal/...", local) {
				continue
			}
			name := path.Base(local)
			if spec.Name != nil {
				name = spec.Name.Name
			}
			internal[name] = local
		}
		if len(internal) == 0 {
			continue
		}
		for _, d := range s.ast.Decls {
			c.checkDecl(s, internal, d)
		}
	}
}

func (c *checker) checkDecl(s source, internal map[string]string, d ast.Decl) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && (d.Recv == nil || exportedReceiver(d.Recv)) {
			c.checkExposed(s, internal, d.Name.Name, d.Type)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				if spec.Name.IsExported() {
					c.checkExposed(s, internal, spec.Name.Name, spec.Type)
				}
			case *ast.ValueSpec:
				for i, name := range spec.Names {
					if !name.IsExported() {
						continue
					}
					if spec.Type != nil {
						c.checkExposed(s, internal, name.Name, spec.Type)
					} else if i < len(spec.Values) {
						c.checkExposed(s, internal, name.Name, spec.Values[i])
					}
				}
			}
		}
	}
}

// checkExposed looks for internal types in what a declaration shows: not in
// unexported fields or methods, and not in function bodies.
func (c *checker) checkExposed(s source, internal map[string]string, decl string, n ast.Node) {
	ast.Inspect(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			return false
		case *ast.StructType:
			for _, f := range n.Fields.List {
				if len(f.Names) == 0 || anyExported(f.Names) {
					c.checkExposed(s, internal, decl, f.Type)
				}
			}
			return false
		case *ast.InterfaceType:
			for _, f := range n.Methods.List {
				if len(f.Names) == 0 || anyExported(f.Names) {
					c.checkExposed(s, internal, decl, f.Type)
				}
			}
			return false
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && internal[x.Name] != "" {
				c.violation("%s/%s:%d: %s exposes %s.%s of %s: other modules cannot name it",
					s.pkg, s.file, c.fset.Position(n.Pos()).Line, decl, x.Name, n.Sel.Name, internal[x.Name])
			}
		}
		return true
	})
}

func anyExported(names []*ast.Ident) bool {
	for _, n := range names {
		if n.IsExported() {
			return true
		}
	}
	return false
}

func exportedReceiver(recv *ast.FieldList) bool {
	t := recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return true
		}
	}
}
