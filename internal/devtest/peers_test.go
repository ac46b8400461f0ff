package devtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestPeersAreListed reads the sources of all tests and of what they share: each program that one asks
// for by name, and each directory, is in peers.txt.
func TestPeersAreListed(t *testing.T) {
	all, err := peers()
	if err != nil {
		t.Fatal(err)
	}
	asked := map[string]bool{}
	root := filepath.Join("..", "..")
	err = filepath.WalkDir(root, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() && (e.Name() == "testdata" || strings.HasPrefix(e.Name(), ".") && name != root) {
			return fs.SkipDir
		}
		if !strings.HasSuffix(name, "_test.go") && (!strings.HasSuffix(name, ".go") || !strings.HasPrefix(name, filepath.Join(root, "internal", "devtest"))) {
			return nil
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, a := range askedFor(f) {
			asked[a.name] = true
			if _, ok := all[a.name]; !ok {
				t.Errorf("%s: %s is not in peers.txt", fset.Position(a.pos), a.name)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(asked) < 20 {
		t.Errorf("only %d names found: %v", len(asked), asked)
	}
	for name := range all {
		if !asked[name] && !forPeers[name] {
			t.Errorf("nothing asks for %s: remove it from peers.txt", name)
		}
	}
}

// forPeers are what scripts/peers itself needs, a directory that tests find below
// devtest.Peers, and programs of shell scripts that tests run.
var forPeers = map[string]bool{"cargo": true, "cc": true, "python3": true, "espflash/": true, "hostname": true, "xz": true}

type request struct {
	name string
	pos  token.Pos
}

// askedFor returns the names in calls such as devtest.Tool(t, "git") and
// exec.Command("git"). A path is of a program that the test made.
func askedFor(f *ast.File) []request {
	var out []request
	ast.Inspect(f, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		sel, ok := call.Fun.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		x, ok := sel.X.(*ast.Ident)
		if !ok {
			return true
		}
		arg, suffix := -1, ""
		switch x.Name + "." + sel.Sel.Name {
		case "devtest.Tool", "exec.CommandContext":
			arg = 1
		case "devtest.Data":
			arg, suffix = 1, "/"
		case "exec.Command", "exec.LookPath":
			arg = 0
		}
		if arg < 0 || arg >= len(call.Args) {
			return true
		}
		lit, ok := call.Args[arg].(*ast.BasicLit)
		if !ok || lit.Kind != token.STRING {
			return true
		}
		name, err := strconv.Unquote(lit.Value)
		if err == nil && !strings.Contains(name, "/") {
			out = append(out, request{name + suffix, lit.Pos()})
		}
		return true
	})
	return out
}

func TestAskedFor(t *testing.T) {
	const source = `package p
func f() {
	devtest.Tool(t, "a"); devtest.Data(b, "d"); exec.Command("b", "x"); exec.CommandContext(ctx, "c")
	exec.LookPath("e"); exec.Command("/proc/self/exe"); exec.Command(variable); other.Tool(t, "no")
}`
	f, err := parser.ParseFile(token.NewFileSet(), "p.go", source, 0)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range askedFor(f) {
		got = append(got, r.name)
	}
	if want := "a d/ b c e"; strings.Join(got, " ") != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
