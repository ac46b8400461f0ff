package tomldoc

import (
	"errors"
	"strings"
	"testing"
)

func TestPositions(t *testing.T) {
	src := "# comment\r\nname = \"a\" # x\n\n[package]\nversion = '1'\nedition.workspace = true\n[[bin]]\nname = \"b1\"\n[[bin]]\npath = 'é' \nünder = 1\n" +
		"[dependencies.foo]\nversion = \"1\"\n[deps]\nlist = [ 1, 'two',\n  { a = true, b.c = 2.5 } ]\n[deps.sub]\nwhen = 1979-05-27\n"
	src = strings.Replace(src, "ünder", "\"ünder\"", 1)
	root, err := Parse("x.toml", []byte("\xef\xbb\xbf"+src))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		node *Node
		kind Kind
		pos  Pos
	}{
		{"string", root.Get("name"), String, Pos{2, 8}},
		{"header", root.Get("package"), Table, Pos{4, 2}},
		{"dotted key's table", root.Get("package", "edition"), Table, Pos{6, 1}},
		{"dotted value", root.Get("package", "edition", "workspace"), Bool, Pos{6, 21}},
		{"second array table", root.Get("bin").Elem[1], Table, Pos{9, 3}},
		{"after non-ASCII", root.Get("bin").Elem[1].Get("ünder"), Integer, Pos{11, 11}},
		{"implicit table", root.Get("dependencies"), Table, Pos{12, 2}},
		{"named subtable", root.Get("dependencies", "foo"), Table, Pos{12, 15}},
		{"array element", root.Get("deps", "list").Elem[1], String, Pos{15, 13}},
		{"inline", root.Get("deps", "list").Elem[2].Get("b", "c"), Float, Pos{16, 21}},
		{"date", root.Get("deps", "sub", "when"), Date, Pos{18, 8}},
	} {
		if c.node == nil {
			t.Errorf("%s: missing", c.name)
			continue
		}
		if c.node.Kind != c.kind || c.node.Pos != c.pos {
			t.Errorf("%s: %v at %v, want %v at %v", c.name, c.node.Kind, c.node.Pos, c.kind, c.pos)
		}
	}
	if got := root.KeyPos("deps"); got != (Pos{14, 2}) {
		t.Errorf("KeyPos = %v", got)
	}
	if root.Get("nothing", "below") != nil {
		t.Error("Get of a missing key is not nil")
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct{ name, src, want string }{
		{"no value", "[package]\nname = \n", "f:2:8: "},
		{"twice", "a = 1\nb = 2\na = 3\n", "f:3:1: "},
		{"table reopens value", "a = 1\n[a]\nb = 1\n", "f:2:2: "},
		{"not UTF-8", "a = 1\nb = \"\xff\"\n", "f:2:6: not UTF-8"},
		{"unclosed", "a = \"x\n", "f:1:"},
	} {
		_, err := Parse("f", []byte(c.src))
		var e *Error
		if !errors.As(err, &e) || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s…", c.name, err, c.want)
		}
	}
}

func TestReader(t *testing.T) {
	root, err := Parse("f", []byte("s = 'x'\ni = 3\nl = ['a', 1]\n[run]\ntimeot = 3\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		read func(r *Reader)
		want string
	}{
		{"right", func(r *Reader) { r.String(root, "s"); r.Int(root, "i"); r.String(root, "missing") }, ""},
		{"wrong type", func(r *Reader) { r.Bool(root, "s", false) }, "f:1:5: s: want a boolean, found a string"},
		{"element", func(r *Reader) { r.Strings(root, "l") }, "f:3:11: l[1]: want a string, found an integer"},
		{"near miss", func(r *Reader) { r.Known(root.Get("run"), "run", "timeout", "expect") }, `f:5:1: unknown key "timeot" in [run]; did you mean "timeout"?`},
		{"far", func(r *Reader) { r.Known(root.Get("run"), "run", "a", "b") }, `f:5:1: unknown key "timeot" in [run]; known: a, b`},
		{"first error stays", func(r *Reader) { r.Bool(root, "i", true); r.Strings(root, "l") }, "f:2:5: i: want a boolean, found an integer"},
	} {
		r := &Reader{}
		c.read(r)
		got := ""
		if r.Err() != nil {
			got = r.Err().Error()
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "a = 1", "[a]\nb.c = [1, {d = 'x'}]\n[[e]]\n[[e]]\n[e.f]\n", "a = \"\"\"\nx\"\"\"\n", "\xff", "a = 0x1F\nb = 1_000\nc = inf\n", "[[a.b]]\n[a.b.c]\n[[a.b]]"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		root, err := Parse("f", b)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("%T is no *Error: %v", err, err)
			}
			return
		}
		var walk func(n *Node)
		walk = func(n *Node) {
			if n.Pos.Line < 1 || n.Pos.Col < 1 {
				t.Fatalf("no place: %+v", n)
			}
			for _, e := range n.Elem {
				walk(e)
			}
			for _, k := range n.Keys {
				if n.Get(k.Name) != k.Value {
					t.Fatalf("key %q is not found again", k.Name)
				}
				walk(k.Value)
			}
		}
		walk(root)
	})
}
