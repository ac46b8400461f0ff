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
