package git

import (
	"fmt"
	"strings"

	"espalier.dev/espalier/internal/lock"
)

// CheckoutDir is the place of a pin's tree below cargo's git/checkouts. The
// shape is the one that cargo gives its own checkouts, so that path trimming
// and the rule that such files never go stale apply to it.
func CheckoutDir(g lock.Git) string { return shortURL(g.URL) + "/" + g.Commit }

// Sources returns the cargo configuration that replaces each git source by the
// link folder of its tree. root is where the checkouts are mounted, as in
// "/cargo/git/checkouts". One commit may be named by several references: each
// is a source of its own, and they share the directory.
func Sources(gits []lock.Git, root string) string {
	var b strings.Builder
	dirs := map[string]string{}
	for _, g := range gits {
		dir := root + "/" + CheckoutDir(g) + "/" + LinkDir
		name, ok := dirs[dir]
		if !ok {
			name = fmt.Sprintf("espalier-git-%d", len(dirs)+1)
			dirs[dir] = name
			fmt.Fprintf(&b, "[source.%s]\ndirectory = %q\n\n", name, dir)
		}
		id := "git+" + g.URL
		if g.Ref != "" {
			id += "?" + g.Ref
		}
		fmt.Fprintf(&b, "[source.%q]\ngit = %q\n", id, g.URL)
		if kind, value, ok := strings.Cut(g.Ref, "="); ok {
			fmt.Fprintf(&b, "%s = %q\n", kind, value)
		}
		fmt.Fprintf(&b, "replace-with = %q\n\n", name)
	}
	return b.String()
}
