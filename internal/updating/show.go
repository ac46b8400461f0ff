package updating

import (
	"cmp"
	"fmt"
	"strings"

	"espalier.dev/espalier/internal/ui"
)

// Table has a row for each move.
func (pl *Plan) Table() ui.Table {
	t := ui.Table{Head: []string{"", "from", "to", "rustc", "size", "why"}, Right: []int{4}}
	others := 0
	for _, m := range pl.Moves {
		if m.Kind == KindCrate && !m.Direct && m.Why != "requested" && !strings.HasPrefix(m.Why, "moves with") {
			if others++; others > maxOthers {
				continue
			}
		}
		size := ""
		if m.ToBytes > 0 {
			size = ui.Size(m.ToBytes)
		}
		t.Rows = append(t.Rows, []string{m.Name, cmp.Or(m.From, "-"), cmp.Or(m.To, "-"), cmp.Or(m.RustVersion, "-"), size, m.Why})
	}
	if others > maxOthers {
		t.Rows = append(t.Rows, []string{fmt.Sprintf("and %d more", others-maxOthers), "", "", "", "", "dependencies of these; --json lists them"})
	}
	return t
}

// maxOthers bounds the rows of crates that only other crates name.
const maxOthers = 12

// Lines says what else is to be known: edits, what stays behind and why, broken
// rules.
func (pl *Plan) Lines() []string {
	var out []string
	for _, e := range pl.Edits {
		out = append(out, "edit  "+e.String())
	}
	for _, h := range pl.Held {
		out = append(out, "kept  "+h.String())
	}
	for _, r := range pl.Rules {
		out = append(out, r.Lines()...)
	}
	return out
}

// Lines are what happens, what to do, and the source.
func (b Broken) Lines() []string {
	return []string{
		"rule  " + b.Rule + ", " + strings.Join(b.Versions, ", ") + ": " + b.Title,
		"      cure: " + b.Cure,
		"      source: " + b.Source,
	}
}

// String is "smoltcp 0.12.0 (newest 0.13.0): Cargo.toml:20 asks for 0.12".
func (h Held) String() string {
	s := h.Name + " " + h.Have
	if h.Newest != "" && h.Kind == KindCrate {
		s += " (newest " + h.Newest + ")"
	}
	if len(h.Reasons) == 0 {
		return s + ": cargo found no versions of all crates that fit together with it"
	}
	return s + ": " + strings.Join(h.Reasons, "; ")
}
