package doctor

import (
	"cmp"
	"fmt"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/ui"
)

// Print shows findings with their remedies; classify gives an error that has no
// kind its kind and hints. The error has the kind of the first check that failed.
func Print(out *ui.UI, findings []Finding, classify func(error) error) error {
	var first error
	failed := 0
	for _, f := range findings {
		if f.Err != nil {
			err := classify(f.Err)
			f.Text = cmp.Or(f.Text, err.Error())
			if f.Hints == nil {
				f.Hints = fault.Hints(err)
			}
			first = cmp.Or(first, err)
		}
		out.Event("check", f)
		mark := out.Paint(ui.Stdout, ui.Green, "ok  ")
		if !f.OK {
			mark = out.Paint(ui.Stdout, ui.Red, "no  ")
			failed++
		}
		out.Printf("%s%s: %s", mark, f.What, f.Text)
		for _, h := range f.Hints {
			out.Printf("      %s", h)
		}
	}
	if failed > 0 {
		return fault.New(fault.KindOf(first), fmt.Sprintf("%d of %d checks failed", failed, len(findings)))
	}
	return nil
}

// Setting is a value with its origin: the event "setting".
type Setting struct {
	Name   string `json:"name"`
	Env    string `json:"env,omitempty"` // the variable that sets it
	Value  string `json:"value"`
	Origin string `json:"origin"`
}

// PrintSettings shows settings as a table.
func PrintSettings(out *ui.UI, settings []Setting) {
	t := ui.Table{Head: []string{"setting", "value", "from", "variable"}}
	for _, s := range settings {
		out.Event("setting", s)
		t.Rows = append(t.Rows, []string{s.Name, s.Value, s.Origin, s.Env})
	}
	out.Table(t)
}
