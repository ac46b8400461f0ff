package lock

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"espalier.dev/espalier/internal/tomldoc"
)

// keysOf lists "table.key" of a document.
func keysOf(t *testing.T, text string) []string {
	t.Helper()
	n, err := tomldoc.Parse("example", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	var walk func(prefix string, n *tomldoc.Node)
	walk = func(prefix string, n *tomldoc.Node) {
		for _, e := range n.Elem {
			if e.Kind == tomldoc.Table {
				walk(prefix, e)
			}
		}
		for _, k := range n.Keys {
			out = append(out, prefix+k.Name)
			walk(prefix+k.Name+".", k.Value)
		}
	}
	walk("", n)
	slices.Sort(out)
	return slices.Compact(out)
}

// The example in the documentation has the keys that the encoder writes.
func TestDocumentedKeys(t *testing.T) {
	b, err := os.ReadFile("../../docs/lock.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(b), "```toml\n")
	text, _, _ = strings.Cut(text, "```")
	enc, err := Encode(sample())
	if err != nil {
		t.Fatal(err)
	}
	want := keysOf(t, string(enc))
	want = slices.DeleteFunc(want, func(s string) bool { return s == "crate.source" }) // named in a comment
	if d := cmp.Diff(want, keysOf(t, text)); d != "" {
		t.Errorf("encoder (-) and docs/lock.md (+):\n%s", d)
	}
}
