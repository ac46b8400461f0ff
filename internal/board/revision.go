package board

import (
	"fmt"
	"strings"
)

// DefaultRevision is the revision of a chip that no description names: v0.4, which
// most boards have.
const DefaultRevision = 4

// revisions are the revisions of the chip that are emulated, as major*100 + minor.
var revisions = []uint16{3, 4, 101}

// ParseRevision reads a revision of the chip such as "v0.4" or "1.1", and returns
// major*100 + minor. The error lists those that are emulated.
func ParseRevision(text string) (uint16, error) {
	var known []string
	for _, r := range revisions {
		name := fmt.Sprintf("%d.%d", r/100, r%100)
		if strings.TrimPrefix(text, "v") == name {
			return r, nil
		}
		known = append(known, "v"+name)
	}
	return 0, fmt.Errorf("chip revision %q is not emulated; there are %s", text, strings.Join(known, ", "))
}

// ChipRevision returns the revision of the chip on the board; b may be nil.
func (b *Board) ChipRevision() uint16 {
	if b == nil || b.Revision == 0 {
		return DefaultRevision
	}
	return b.Revision
}
