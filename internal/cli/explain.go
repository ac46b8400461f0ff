package cli

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"espalier.dev/espalier/internal/command"
	"espalier.dev/espalier/internal/explain"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/suggest"
	"espalier.dev/espalier/internal/ui"
)

func newExplain(a *app) *cobra.Command {
	var list bool
	cmd := &cobra.Command{
		Use:   "explain [LOG | RULE]",
		Short: "cause and cure of a failure, from the log of any tool",
		Long: `Read a log, from a file or standard input, and print the cause, the cure and the source
of the failure in it, best match first: of a build, a link, a flash, a boot or a test,
by espalier, cargo, rustup, Nix, espflash, esptool or ESP-IDF. A log that no rule
matches gets "no rule" and the three lines that say most.

With the name of a rule, print all that it says; --list lists the rules. A verb that
fails names the rule that matches its own output.` + command.Exits(),
		Example: `  espalier explain build.log
  cargo build 2>&1 | espalier explain
  espalier explain linker-flavour`,
		Args: command.Args("[LOG | RULE]"),
		RunE: func(cmd *cobra.Command, names []string) error {
			if list {
				t := ui.Table{Head: []string{"rule", "what happened"}}
				for _, r := range explain.Rules() {
					a.ui.Event("explanation", r.Event())
					t.Rows = append(t.Rows, []string{r.Name, r.Title})
				}
				a.ui.Table(t)
				return nil
			}
			s := explain.NewScanner()
			in := a.stdin
			if len(names) > 0 && names[0] != "-" {
				f, err := os.Open(names[0])
				if r, ok := explain.Find(names[0]); ok && err != nil {
					showRule(a.ui, r, nil)
					return nil
				}
				if err != nil {
					return noLog(names[0], err)
				}
				defer f.Close()
				in = f
			}
			if _, err := s.ReadFrom(in); err != nil {
				return fault.Wrap(fault.Usage, err, "reading the log")
			}
			showMatches(a.ui, s)
			return cmd.Context().Err()
		},
	}
	cmd.Flags().BoolVar(&list, "list", false, "list the rules")
	return cmd
}

// noLog is the error of an argument that is neither a log nor the name of a rule.
func noLog(name string, err error) error {
	hints := []string{"espalier explain --list   # the names of the rules"}
	var rules []string
	for _, r := range explain.Rules() {
		rules = append(rules, r.Name)
	}
	if near := suggest.Nearest(name, rules); near != "" {
		hints = append([]string{"espalier explain " + near}, hints...)
	}
	return fault.Wrap(fault.Usage, fault.Opening(name, err), "", hints...)
}

// showMatches prints the best rule in full and the others in one line each.
func showMatches(out *ui.UI, s *explain.Scanner) {
	found := s.Result()
	for i, m := range found {
		if i == 0 {
			showRule(out, m.Rule, &m.Line)
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
	out.Event("explanation", explain.Event{Telling: s.Telling()})
	out.Printf("no rule matches %d lines", s.Lines())
	for _, l := range s.Telling() {
		out.Fields([2]string{fmt.Sprintf("line %d", l.Number), l.Text})
	}
}

func showRule(out *ui.UI, r explain.Rule, at *explain.Line) {
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

// explained adds the rule that matches the verb's output to its error.
func (a *app) explained(err error) error {
	switch kind := fault.KindOf(err); kind {
	case fault.Build, fault.Program, fault.Port, fault.Chip:
		if r, ok := a.output.Best(err.Error()); ok {
			return fault.Wrap(kind, err, "", append(fault.Hints(err), "espalier explain "+r.Name+"   # "+r.Title)...)
		}
	}
	return err
}
