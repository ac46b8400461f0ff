package docs

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"espalier.dev/espalier/internal/cli"
)

var update = flag.Bool("update", false, "write the pages of the verbs from the help of the program")

// TestVerbPages compares docs/verbs, one page for each group of verbs, with the
// help of the program.
func TestVerbPages(t *testing.T) {
	want := verbPages(cli.Command())
	if *update {
		if err := os.RemoveAll("verbs"); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir("verbs", 0o777); err != nil {
			t.Fatal(err)
		}
		for name, text := range want {
			if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
				t.Fatal(err)
			}
		}
	}
	found, err := filepath.Glob("verbs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != len(want) {
		t.Errorf("pages %q, want %d", found, len(want))
	}
	for name, text := range want {
		if b, err := os.ReadFile(name); err != nil || string(b) != text {
			t.Errorf("%s is not what the program's help says: go test ./docs -run TestVerbPages -update", name)
		}
	}
}

// verbPages returns the pages by file name.
func verbPages(root *cobra.Command) map[string]string {
	pages := map[string]string{}
	var index strings.Builder
	index.WriteString("# Verbs\n\nMade from the help of the program, which has the same texts: `espalier help VERB`.\n")
	for _, g := range root.Groups() {
		title := strings.TrimSuffix(g.Title, ":")
		short, _, _ := strings.Cut(title, " (")
		fmt.Fprintf(&index, "\n## [%s](%s.md)\n\n| verb | what it does |\n|---|---|\n", short, g.ID)
		var page strings.Builder
		fmt.Fprintf(&page, "# %s\n", title)
		for _, c := range root.Commands() {
			if c.GroupID != g.ID || c.Hidden {
				continue
			}
			fmt.Fprintf(&index, "| `%s` | %s |\n", c.Name(), c.Short)
			verb(&page, c)
		}
		pages["verbs/"+g.ID+".md"] = page.String()
	}
	index.WriteString("\n## For every verb\n\n```\n")
	flags(&index, root.PersistentFlags())
	index.WriteString("```\n")
	pages["verbs/index.md"] = index.String()
	return pages
}

// verb writes one verb: use, explanation, flags, examples.
func verb(w *strings.Builder, c *cobra.Command) {
	fmt.Fprintf(w, "\n## %s\n\n```\n%s\n```\n\n```\n%s\n```\n", c.Name(), c.UseLine(), strings.TrimSpace(c.Long))
	if c.LocalFlags().HasAvailableFlags() {
		w.WriteString("\n```\n")
		flags(w, c.LocalFlags())
		w.WriteString("```\n")
	}
	if c.Example != "" {
		fmt.Fprintf(w, "\n```\n%s\n```\n", c.Example)
	}
}

// flags writes flags with their explanations, wrapped.
func flags(w *strings.Builder, set *pflag.FlagSet) {
	w.WriteString(set.FlagUsagesWrapped(100))
}

// TestReadmeVerbs compares the table of verbs in README.md with the program.
func TestReadmeVerbs(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	root := cli.Command()
	for _, g := range root.Groups() {
		var want []string
		for _, c := range root.Commands() {
			if c.GroupID == g.ID && !c.Hidden {
				want = append(want, "`"+c.Name()+"`")
			}
		}
		title, _, _ := strings.Cut(strings.TrimSuffix(g.Title, ":"), " (")
		_, row, _ := strings.Cut(string(readme), "\n| "+strings.ToLower(title)+" | ")
		row, _, _ = strings.Cut(row, " |\n")
		got := strings.Fields(row)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("README.md: the verbs of %s are %s, not %s", title, want, got)
		}
	}
}
