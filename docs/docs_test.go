package docs

import (
	"bufio"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// pages returns the Markdown files of the project, relative to this directory.
func pages(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, pattern := range []string{"*.md", "*/*.md", "../*.md"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, names...)
	}
	if len(all) < 20 {
		t.Fatalf("only %d pages", len(all))
	}
	return all
}

// maxLine is the number of characters that a line of a page may have. Rows of
// tables and boxes of diagrams, which Markdown cannot wrap, may have maxRow.
const (
	maxLine = 120
	maxRow  = 320
)

func TestLineLength(t *testing.T) {
	for _, page := range pages(t) {
		f, err := os.Open(page)
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(f)
		diagram := false
		for n := 1; lines.Scan(); n++ {
			limit := maxLine
			if strings.HasPrefix(lines.Text(), "```") {
				diagram = lines.Text() == "```mermaid"
			}
			if diagram || strings.HasPrefix(lines.Text(), "|") {
				limit = maxRow
			}
			if k := len([]rune(lines.Text())); k > limit {
				t.Errorf("%s:%d: %d characters, more than %d", page, n, k, limit)
			}
		}
		if err := lines.Err(); err != nil {
			t.Error(err)
		}
		f.Close()
	}
}

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// TestLinks follows the links between pages and files of the project.
func TestLinks(t *testing.T) {
	followed := 0
	for _, page := range pages(t) {
		b, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(b), -1) {
			target, _, _ := strings.Cut(m[1], "#")
			if target == "" || strings.Contains(target, "://") {
				continue
			}
			followed++
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), target)); err != nil {
				t.Errorf("%s: the link to %s: %v", page, m[1], err)
			}
		}
	}
	if followed < 20 {
		t.Errorf("only %d links followed", followed)
	}
}

// TestIndex: each page is in the index.
func TestIndex(t *testing.T) {
	b, err := os.ReadFile("index.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages(t) {
		if page != "index.md" && filepath.Dir(page) != "verbs" && !strings.Contains(string(b), "("+page+")") && !strings.HasPrefix(page, "../") {
			t.Errorf("index.md has no link to %s", page)
		}
	}
}
