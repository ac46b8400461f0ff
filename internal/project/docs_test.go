package project

import (
	"os"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/tomldoc"
)

// The example in the documentation shows every key that exists, and no other.
func TestDocumentedKeys(t *testing.T) {
	b, err := os.ReadFile("../../docs/project.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, ok := strings.Cut(string(b), "```toml\n")
	text, _, _ = strings.Cut(text, "```")
	if !ok {
		t.Fatal("no example")
	}
	n, err := tomldoc.Parse("docs/project.md", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := checkEspalier(n, false); err != nil {
		t.Error(err)
	}
	for _, table := range espalierTables {
		for _, key := range table.keys {
			if n.Get(table.name, key) == nil && key != "example" { // excludes bin
				t.Errorf("[%s] %s is not shown", table.name, key)
			}
		}
	}
}
