package size

import (
	"strconv"
	"strings"

	"espalier.dev/espalier/internal/ui"
)

// Views are the tables that a report can be shown as.
var Views = []string{"crate", "function", "static", "section", "rom"}

// Table makes one of the Views, at most top rows of it; 0 is all.
func (r *Report) Table(view string, top int) ui.Table {
	n := func(v uint64) string { return strconv.FormatUint(v, 10) }
	var t ui.Table
	switch view {
	case "section":
		t = ui.Table{Head: []string{"section", "address", "size", "memory", "takes", "owners"}, Right: []int{2, 5}}
		for _, s := range r.Sections {
			t.Rows = append(t.Rows, []string{s.Name, s.Address.String(), n(s.Size), s.Region, string(s.Class), strconv.Itoa(len(s.Owners))})
		}
	case "function", "static":
		t = ui.Table{Head: []string{"size", "inlined", "owner", "section", view}, Right: []int{0, 1}}
		list := r.Functions
		if view == "static" {
			list = r.Statics
		}
		for _, s := range list {
			t.Rows = append(t.Rows, []string{n(s.Size), n(s.Inlined), s.Owner, s.Section, s.Name})
		}
	case "rom":
		t = ui.Table{Head: []string{"ROM function"}}
		for _, name := range r.ROM {
			t.Rows = append(t.Rows, []string{name})
		}
	default:
		t = ui.Table{Head: []string{"crate or library", "flash", "ram", "code", "inlined", "data", "constants", "other"}, Right: []int{1, 2, 3, 4, 5, 6, 7}}
		for _, o := range r.Owners {
			name := o.Name
			if len(o.Versions) > 0 {
				name += " " + strings.Join(o.Versions, ", ")
			}
			t.Rows = append(t.Rows, []string{name, n(o.Flash), n(o.RAM), n(o.Parts.Code), n(o.Parts.Inlined), n(o.Parts.Data), n(o.Parts.Constants), n(o.Parts.Other)})
		}
	}
	if top > 0 && len(t.Rows) > top {
		t.Rows = t.Rows[:top]
	}
	return t
}
