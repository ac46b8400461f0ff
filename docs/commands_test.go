package docs

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"espalier.dev/espalier/internal/cli"
)

var (
	inlineCode = regexp.MustCompile("`([^`]+)`")
	// In a code block a command is at the beginning of a line, or of a step of a CI
	// workflow, after environment variables.
	blockCommand = regexp.MustCompile(`^\s*(?:- )?(?:run: )?(?:\$ )?(?:hint: )?(?:[A-Z_]+=\S+ )*(?:go run \./cmd/)?espalier ([a-z-].*)$`)
	comment      = regexp.MustCompile(`\s+#.*$`)
	quoted       = regexp.MustCompile(`"[^"]*"|'[^']*'`)
	flagName     = regexp.MustCompile(`^--[a-z][a-z0-9-]*`)
)

// TestCommands compares the espalier commands in all pages with the verbs and
// flags of the program: in code blocks, in inline code that begins with
// "espalier" or with a verb and a flag, and inline code that is a single flag.
func TestCommands(t *testing.T) {
	root := cli.Command()
	verbs, flags := map[string]*cobra.Command{}, map[string]bool{"--help": true}
	for _, c := range append(root.Commands(), root) {
		verbs[c.Name()] = c
		c.InitDefaultHelpFlag()
		for _, line := range strings.Fields(c.Flags().FlagUsages() + c.PersistentFlags().FlagUsages()) {
			flags[flagName.FindString(line)] = true
		}
	}
	checked := 0
	for _, page := range pages(t) {
		if strings.HasSuffix(page, "CHANGELOG.md") {
			continue // has the flags of earlier versions
		}
		b, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		check := func(n int, words string) {
			checked++
			if err := checkCommand(root, words); err != nil {
				t.Errorf("%s:%d: espalier %s: %v", page, n+1, words, err)
			}
		}
		fenced := false
		for n, line := range strings.Split(string(b), "\n") {
			if strings.HasPrefix(line, "```") {
				fenced = !fenced
				continue
			}
			if fenced || strings.HasPrefix(line, "    ") {
				if m := blockCommand.FindStringSubmatch(line); m != nil {
					check(n, m[1])
				}
				continue
			}
			for _, m := range inlineCode.FindAllStringSubmatch(line, -1) {
				words := strings.Fields(m[1])
				switch {
				case len(words) > 1 && words[0] == "espalier":
					check(n, strings.Join(words[1:], " "))
				case len(words) > 1 && verbs[words[0]] != nil && strings.HasPrefix(words[1], "-"):
					check(n, m[1])
				case len(words) > 0 && flagName.MatchString(words[0]):
					checked++
					name := flagName.FindString(words[0])
					if !flags[name] {
						t.Errorf("%s:%d: no verb has the flag %s", page, n+1, name)
					}
				}
			}
		}
	}
	if checked < 100 {
		t.Errorf("only %d commands found", checked)
	}
}

// checkCommand checks the verb and the flags of a command line without the
// program's name. Other arguments are placeholders.
func checkCommand(root *cobra.Command, line string) error {
	line = quoted.ReplaceAllString(comment.ReplaceAllString(line, ""), "TEXT")
	for _, end := range []string{" && ", " | ", "; ", " > ", " < ", " 2>"} {
		line, _, _ = strings.Cut(line, end)
	}
	words := strings.Fields(line)
	c := root
	for i := 0; i < len(words); i++ {
		word := strings.Trim(words[i], "[]")
		if word == "--" {
			break
		}
		switch {
		case strings.HasPrefix(word, "--"):
			if name := flagName.FindString(word); name != "--help" && c.Flag(strings.TrimPrefix(name, "--")) == nil {
				return fmt.Errorf("%s has no flag %s", c.Name(), name)
			}
		case len(word) > 1 && word[0] == '-':
			if word != "-h" && c.Flags().ShorthandLookup(word[1:2]) == nil && c.InheritedFlags().ShorthandLookup(word[1:2]) == nil &&
				c.PersistentFlags().ShorthandLookup(word[1:2]) == nil {
				return fmt.Errorf("%s has no flag %s", c.Name(), word)
			}
			if c == root && len(word) == 2 {
				i++ // the value of -C
			}
		case c == root && word != "help" && word != "VERB":
			found, _, err := root.Find([]string{word})
			if err != nil || found == root {
				return fmt.Errorf("no verb %s", word)
			}
			c = found
		}
	}
	return nil
}

// TestCheckCommand: wrong verbs and flags are detected.
func TestCheckCommand(t *testing.T) {
	root := cli.Command()
	for line, want := range map[string]string{
		"run --port /dev/ttyACM0   # comment --with-a-flag": "",
		"-C DIR lock --check":                               "",
		"--offline build --out dist && x --y":               "",
		`run --expect "200 --no-flag"`:                      "",
		"help VERB":                                         "",
		"run -- --not-ours":                                 "",
		"flush":                                             "no verb flush",
		"run --net-mode host":                               "run has no flag --net-mode",
		"lock --pcap FILE":                                  "lock has no flag --pcap",
		"build -Z":                                          "build has no flag -Z",
		"--no-such-flag build":                              "espalier has no flag --no-such-flag",
	} {
		got := ""
		if err := checkCommand(root, line); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}
