package cli

import (
	"os"

	"github.com/spf13/cobra"

	"espalier.dev/espalier/internal/command"
	"espalier.dev/espalier/internal/explain"
	"espalier.dev/espalier/internal/fault"
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
				explain.PrintRules(a.ui)
				return nil
			}
			s := explain.NewScanner()
			in := a.stdin
			if len(names) > 0 && names[0] != "-" {
				f, err := os.Open(names[0])
				if r, ok := explain.Find(names[0]); ok && err != nil {
					r.Print(a.ui, nil)
					return nil
				}
				if err != nil {
					return explain.NotFound(names[0], err)
				}
				defer f.Close()
				in = f
			}
			if _, err := s.ReadFrom(in); err != nil {
				return fault.Wrap(fault.Usage, err, "reading the log")
			}
			s.Print(a.ui)
			return cmd.Context().Err()
		},
	}
	cmd.Flags().BoolVar(&list, "list", false, "list the rules")
	return cmd
}
