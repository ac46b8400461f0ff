package explain

import (
	"fmt"
	"strings"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/suggest"
	"espalier.dev/espalier/internal/ui"
)

// PrintRules lists the rules.
func PrintRules(out *ui.UI) {
	t := ui.Table{Head: []string{"rule", "what happened"}}
	for _, r := range Rules() {
		out.Event("explanation", r.Event())
		t.Rows = append(t.Rows, []string{r.Name, r.Title})
	}
	out.Table(t)
}

// Print shows what a scanned log matches: the best rule in full and the others in
// one line each; without a rule the lines that say most.
func (s *Scanner) Print(out *ui.UI) {
	found := s.Result()
	for i, m := range found {
		if i == 0 {
			m.Rule.Print(out, &m.Line)
			continue
		}
		e := m.Rule.Event()
		e.Line = &m.Line
		out.Event("explanation", e)
		out.Printf("also: %s (line %d): %s", m.Rule.Name, m.Line.Number, m.Rule.Title)
	}
	if len(found) > 0 {
		return
	}
	out.Event("explanation", Event{Telling: s.Telling()})
	out.Printf("no rule matches %d lines", s.Lines())
	for _, l := range s.Telling() {
		out.Fields([2]string{fmt.Sprintf("line %d", l.Number), l.Text})
	}
}

// Print shows all that the rule says, and the line that it matched unless that
// is nil.
func (r Rule) Print(out *ui.UI, at *Line) {
	e := r.Event()
	e.Line = at
	out.Event("explanation", e)
	pairs := [][2]string{{"rule", r.Name}, {"what", r.Title}}
	if at != nil {
		pairs = append(pairs, [2]string{fmt.Sprintf("line %d", at.Number), at.Text})
	}
	pairs = append(pairs, [2]string{"cause", r.Cause}, [2]string{"cure", strings.Join(r.Cure, "; ")}, [2]string{"source", r.Source})
	out.Fields(pairs...)
}

// NotFound is the error of an argument that is neither a log nor the name of a
// rule; err is that of opening it.
func NotFound(name string, err error) error {
	hints := []string{"espalier explain --list   # the names of the rules"}
	var rules []string
	for _, r := range Rules() {
		rules = append(rules, r.Name)
	}
	if near := suggest.Nearest(name, rules); near != "" {
		hints = append([]string{"espalier explain " + near}, hints...)
	}
	return fault.Wrap(fault.Usage, fault.Opening(name, err), "", hints...)
}

// Explain adds the rule that matches a verb's output and error to the hints of the
// error, when the error is of a kind that a log explains.
func (t *Tail) Explain(err error) error {
	switch kind := fault.KindOf(err); kind {
	case fault.Build, fault.Program, fault.Port, fault.Chip:
		if r, ok := t.Best(err.Error()); ok {
			return fault.Wrap(kind, err, "", append(fault.Hints(err), "espalier explain "+r.Name+"   # "+r.Title)...)
		}
	}
	return err
}
