package obstacles

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite docs/obstacles.md")

const page = "../../docs/obstacles.md"

// TestTable: the numbers are complete, and each proof is a test that exists and
// has the number in its name.
func TestTable(t *testing.T) {
	if len(Table) != 43 {
		t.Errorf("%d entries", len(Table))
	}
	for i, o := range Table {
		if o.Number != i+1 {
			t.Errorf("entry %d has the number %d", i+1, o.Number)
		}
		for _, p := range o.Proofs {
			dir, test, _ := strings.Cut(p, " ")
			if !slices.Contains(numbers(test), o.Number) {
				t.Errorf("%d: %s does not have the number in its name", o.Number, p)
			}
			if err := find(dir, test); err != nil {
				t.Errorf("%d: %s: %v", o.Number, p, err)
			}
		}
	}
}

func numbers(test string) (out []int) {
	for _, s := range regexp.MustCompile(`\d\d`).FindAllString(test, -1) {
		n, _ := strconv.Atoi(s)
		out = append(out, n)
	}
	return out
}

// find looks for the function of a test, and for its subtest: a string of the
// package's tests, or a script.
func find(dir, test string) error {
	name, sub, _ := strings.Cut(test, "/")
	names, err := filepath.Glob(filepath.Join("..", "..", dir, "*_test.go"))
	if err != nil {
		return err
	}
	function, literal := false, false
	for _, file := range names {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				function = function || n.Name.Name == name && n.Recv == nil
			case *ast.BasicLit:
				literal = literal || n.Kind == token.STRING && strings.Trim(n.Value, "`\"") == sub
			}
			return true
		})
	}
	if !function {
		return fmt.Errorf("no function %s", name)
	}
	if sub == "" || literal {
		return nil
	}
	for _, scripts := range []string{"testdata/projects", dir + "/testdata", dir + "/testdata/toolchain"} {
		if _, err := os.Stat(filepath.Join("..", "..", scripts, sub+".txtar")); err == nil {
			return nil
		}
	}
	return fmt.Errorf("no subtest %s", sub)
}

// TestPage compares docs/obstacles.md with the table; -update rewrites it.
func TestPage(t *testing.T) {
	var b strings.Builder
	b.WriteString("# Obstacles\n\nWhat has stopped people from building a firmware of this chip again after a pause, and which test shows that it does\n" +
		"not happen here, or that espalier names cause and cure. A test has the number in its name. This page is generated:\n" +
		"`go test ./internal/obstacles -update`.\n")
	open := []string{}
	for _, o := range Table {
		fmt.Fprintf(&b, "\n%d. **%s**: %s.\n", o.Number, strings.ToUpper(o.Title[:1])+o.Title[1:], o.Answer)
		for _, p := range o.Proofs {
			fmt.Fprintf(&b, "   - `%s`\n", p)
		}
		if len(o.Proofs) == 0 {
			open = append(open, strconv.Itoa(o.Number))
			b.WriteString("   - open: no test of its own has this number\n")
		}
	}
	if len(open) > 0 {
		fmt.Fprintf(&b, "\nOpen: %s.\n", strings.Join(open, ", "))
	}
	if *update {
		if err := os.WriteFile(page, []byte(b.String()), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(page); err != nil || string(got) != b.String() {
		t.Errorf("docs/obstacles.md is not that of the table (%v): go test ./internal/obstacles -update", err)
	}
}
