package deptest

import (
	"bytes"
	"fmt"
	"go/ast"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// limit bounds the size of a package, test files left out.
type limit struct {
	pkg     string
	lines   int // of all files together
	file    int // of the longest file
	methods int // of one type
	why     string
}

var limits = []limit{
	{"internal/cli", 4499, 250, 30, "verbs turn flags into values and give them to packages; their logic is in the packages of its subject"},
}

// tooLarge returns what is over a limit, one line each, sorted.
func tooLarge(root string, l limit, sources []source) ([]string, error) {
	var out []string
	total := 0
	methods := map[string]int{}
	for _, s := range sources {
		if s.pkg != l.pkg {
			continue
		}
		b, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(s.pkg), s.file))
		if err != nil {
			return nil, err
		}
		n := bytes.Count(b, []byte("\n"))
		total += n
		if n > l.file {
			out = append(out, fmt.Sprintf("%s/%s has %d lines, and at most %d are allowed: %s", s.pkg, s.file, n, l.file, l.why))
		}
		for _, d := range s.ast.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv != nil {
				name := receiver(fn.Recv.List[0].Type)
				if methods[name]++; methods[name] == l.methods+1 {
					out = append(out, fmt.Sprintf("%s: %s has more than %d methods: %s", s.pkg, name, l.methods, l.why))
				}
			}
		}
	}
	if total == 0 {
		out = append(out, l.pkg+" has no sources")
	}
	if total > l.lines {
		out = append(out, fmt.Sprintf("%s has %d lines, and at most %d are allowed: %s", l.pkg, total, l.lines, l.why))
	}
	slices.Sort(out)
	return out, nil
}

// receiver is the name of the type of a method.
func receiver(e ast.Expr) string {
	for {
		switch t := e.(type) {
		case *ast.StarExpr:
			e = t.X
		case *ast.IndexExpr:
			e = t.X
		case *ast.Ident:
			return t.Name
		default:
			return strings.TrimSpace(fmt.Sprint(e))
		}
	}
}
