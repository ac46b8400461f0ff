package sbom

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"espalier.dev/espalier/internal/store"
)

// Kind is what a component is.
type Kind string

// Kinds of components.
const (
	Firmware   Kind = "firmware"   // the flash image
	Bootloader Kind = "bootloader" // a program of the chip's vendor in the image, or the mask ROM
	Program    Kind = "program"    // an ELF
	Data       Kind = "data"       // a part of the image that is not code
	Crate      Kind = "crate"      // of Rust
	Library    Kind = "library"    // a static library, of the chip's vendor
	Tool       Kind = "tool"       // a program or package that the build runs or reads
)

// Component is a part of a firmware, or of what it was made with.
type Component struct {
	ID          string // unique in the Bill; also its package URL where it has one
	Kind        Kind
	Name        string
	Version     string // empty: it has none
	Description string
	PURL        string       // package URL (ECMA-427); empty: the ecosystem has none
	Digest      store.Digest // of the file that it is distributed in; zero: it is not one file
	Commit      string       // of git, instead of a file
	Licence     string       // an SPDX expression; empty: not known
	Authors     []string
	Supplier    string // who distributes it
	Repository  string // address of its sources
	Notes       []Note
	Depends     []string // IDs
}

// Note is a property of a component, such as the bytes that it takes.
type Note struct{ Name, Value string }

// Step is an action of the build.
type Step struct {
	Name   string
	Action store.Digest
}

// Bill is a bill of materials.
type Bill struct {
	Firmware Component   // Depends: what is linked into it directly
	Inside   []Component // of the flash image, sorted by ID
	Build    []Component // what made it and is not in it, sorted by ID
	Steps    []Step
	Time     time.Time // the date of the project, not of the machine
	Tool     string    // version of espalier
	Notes    []Note    // about the bill itself
}

// sort orders the lists of a bill, which encoders need.
func (b *Bill) sort() {
	byID := func(a, c Component) int { return cmp.Or(strings.Compare(a.ID, c.ID)) }
	slices.SortFunc(b.Inside, byID)
	slices.SortFunc(b.Build, byID)
}

// isExpression reports whether a text has the form of an SPDX licence expression
// (SPDX 2.3, annex D), without comparing identifiers with the list of licences.
func isExpression(s string) bool {
	s = strings.NewReplacer("(", " ( ", ")", " ) ").Replace(s)
	words := strings.Fields(s)
	depth, operand := 0, true // an operand must follow
	for _, w := range words {
		switch w {
		case "(":
			if !operand {
				return false
			}
			depth++
		case ")":
			if operand || depth == 0 {
				return false
			}
			depth--
		case "AND", "OR", "WITH":
			if operand {
				return false
			}
			operand = true
		default:
			if !operand || strings.Trim(w, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-+:") != "" {
				return false
			}
			operand = false
		}
	}
	return len(words) > 0 && depth == 0 && !operand
}
