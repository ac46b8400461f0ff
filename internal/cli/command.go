package cli

import (
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// Command returns the tree of all commands with their flags and texts, from
// which manual pages and completions are made. Its commands are not executed.
func Command() *cobra.Command {
	none := func(string) (string, bool) { return "", false }
	a := newApp(nil, strings.NewReader(""), io.Discard, io.Discard, none)
	a.verbs = verbs()
	return newRoot(a)
}
