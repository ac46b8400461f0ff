package adopt

import "github.com/rogpeppe/go-internal/diff"

// Event is the event "adoption": what a project has that espalier does not need.
type Event struct {
	Directory string    `json:"directory"`
	Findings  []Finding `json:"findings"`
	Patch     string    `json:"patch,omitempty"` // unified; what --fix changes
	Fixed     bool      `json:"fixed"`
}

// Patch is the edits as one unified diff that git apply and patch -p1 take.
func Patch(edits []Edit) string {
	out := ""
	for _, e := range edits {
		out += string(diff.Diff("a/"+e.Name, []byte(e.Old), "b/"+e.Name, []byte(e.New)))
	}
	return out
}

// Fields are the lines of a list of findings: each rule with its reason, what is
// deleted or kept, and why.
func Fields(found []Finding) (lines [][2]string) {
	for i, f := range found {
		what := "delete"
		if f.Keep != "" {
			what = "keep"
		}
		if i == 0 || found[i-1].Rule != f.Rule {
			lines = append(lines, [2]string{"rule", f.Rule + ": " + f.Why})
		}
		lines = append(lines, [2]string{what, f.String()})
		if f.Keep != "" && (i+1 == len(found) || found[i+1].Keep != f.Keep) {
			lines = append(lines, [2]string{"because", f.Keep})
		}
	}
	return lines
}
