package git

import (
	"crypto/sha256"
	"fmt"
	"strings"

	"espalier.dev/espalier/internal/lock"
)

// CheckoutDir is the place of a pin's tree below cargo's git/checkouts, in the
// shape that cargo gives its own checkouts, so that path trimming and the rule
// that such files never go stale apply to it. Two repositories of one name, and
// two references to one commit, each with its own members, stay apart.
func CheckoutDir(g lock.Git) string {
	id := sha256.Sum256([]byte(sourceID(g)))
	return fmt.Sprintf("%s-%x/%s", shortURL(g.URL), id[:8], g.Commit)
}

// sourceID is how cargo writes a git source, without the commit.
func sourceID(g lock.Git) string {
	if g.Ref == "" {
		return "git+" + g.URL
	}
	return "git+" + g.URL + "?" + g.Ref
}

// Sources returns the cargo configuration that replaces each git source by the
// link directory of its tree. root is where the checkouts are mounted, as in
// "/cargo/git/checkouts".
func Sources(gits []lock.Git, root string) string {
	var b strings.Builder
	for i, g := range gits {
		fmt.Fprintf(&b, "[source.espalier-git-%d]\ndirectory = %q\n\n", i+1, root+"/"+CheckoutDir(g)+"/"+LinkDir)
		fmt.Fprintf(&b, "[source.%q]\ngit = %q\n", sourceID(g), g.URL)
		if kind, value, ok := strings.Cut(g.Ref, "="); ok {
			fmt.Fprintf(&b, "%s = %q\n", kind, value)
		}
		fmt.Fprintf(&b, "replace-with = \"espalier-git-%d\"\n\n", i+1)
	}
	return b.String()
}
