package cli

import (
	"bytes"
	"strings"
	"testing"
)

// Words of other tools are no verbs of ours, and lead to one that exists.
func TestOtherWords(t *testing.T) {
	a := newApp(nil, strings.NewReader(""), new(bytes.Buffer), new(bytes.Buffer), lookupIn(nil))
	root := newRoot(a)
	for word, command := range otherWords() {
		if cmd, _, err := root.Find([]string{word}); err == nil && cmd != root {
			t.Errorf("%s is a verb", word)
		}
		verb := strings.Fields(command)
		if cmd, _, err := root.Find(verb[1:]); err != nil || cmd == root {
			t.Errorf("%s: %q is not a command: %v", word, command, err)
			continue
		} else if len(verb) > 2 && strings.HasPrefix(verb[2], "--") && cmd.Flags().Lookup(verb[2][2:]) == nil {
			t.Errorf("%s: %q has an unknown flag", word, command)
		}
	}
	for _, args := range [][]string{{"board-info"}, {"write_flash"}, {"erase-flash"}} {
		var errs bytes.Buffer
		if code := Run(t.Context(), args, strings.NewReader(""), new(bytes.Buffer), &errs, lookupIn(nil)); code != 2 || !strings.Contains(errs.String(), "hint: espalier ") {
			t.Errorf("%v: exit %d, %s", args, code, errs.String())
		}
	}
	if cmd, _, err := root.Find([]string{"list-ports"}); err != nil || cmd.Name() != "ports" {
		t.Errorf("list-ports: %v", err)
	}
}
