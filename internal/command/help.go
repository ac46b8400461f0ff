package command

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/ui"
)

// SetHelp gives all commands one form of help: description, usage, examples,
// flags, exit codes, wrapped to the width that width returns.
func SetHelp(root *cobra.Command, width func() int) {
	root.SetHelpCommand(&cobra.Command{
		Use:   "help [VERB]",
		Short: "explain a verb",
		Args:  Args("[VERB]"),
		RunE: func(cmd *cobra.Command, names []string) error {
			target, _, err := root.Find(names)
			if err != nil {
				return err
			}
			target.InitDefaultHelpFlag()
			return target.Help()
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			var out []string
			for _, c := range root.Commands() {
				out = append(out, c.Name())
			}
			return out, cobra.ShellCompDirectiveNoFileComp
		},
	})
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) {
		cmd.OutOrStdout().Write([]byte(helpText(cmd, width())))
	})
	root.SetUsageFunc(func(cmd *cobra.Command) error {
		_, err := cmd.OutOrStderr().Write([]byte(helpText(cmd, width())))
		return err
	})
}

// exitCodes begins the exit codes at the end of a Long text, see Exits.
const exitCodes = "\n\nExit codes:\n"

// helpText is the help of a command in lines of at most width columns, except
// for examples and words that are longer.
func helpText(cmd *cobra.Command, width int) string {
	var b strings.Builder
	long := cmd.Long
	if long == "" {
		long = cmd.Short
	}
	description, codes, ok := strings.Cut(long, exitCodes)
	b.WriteString(ui.Wrap(strings.TrimSpace(description), width) + "\n\nUsage:\n")
	if cmd.HasAvailableSubCommands() {
		b.WriteString("  " + cmd.CommandPath() + " VERB [flags]\n")
	} else {
		b.WriteString("  " + cmd.UseLine() + "\n")
	}
	if cmd.HasExample() {
		b.WriteString("\nExamples:\n" + strings.TrimRight(cmd.Example, "\n") + "\n")
	}
	section := func(title, text string) { b.WriteString("\n" + title + "\n" + strings.TrimRight(text, "\n") + "\n") }
	for _, g := range cmd.Groups() {
		var list strings.Builder
		for _, c := range cmd.Commands() {
			if c.GroupID == g.ID && c.IsAvailableCommand() {
				list.WriteString(entry("  "+c.Name(), 14, c.Short, width))
			}
		}
		if list.Len() > 0 {
			section(g.Title, list.String())
		}
	}
	if !cmd.HasParent() {
		section("Flags of every verb:", flagUsages(cmd.PersistentFlags(), width))
		b.WriteString("\n" + cmd.Name() + " help VERB explains a verb.\n")
		codes, ok = strings.CutPrefix(Exits(allKinds()...), exitCodes)
	} else {
		if cmd.HasAvailableLocalFlags() {
			section("Flags:", flagUsages(cmd.LocalFlags(), width))
		}
		section("Flags of every verb:", flagUsages(cmd.InheritedFlags(), width))
	}
	if ok {
		var list strings.Builder
		for line := range strings.Lines(codes) {
			code, meaning, _ := strings.Cut(strings.TrimSpace(line), "  ")
			list.WriteString(entry(strings.Repeat(" ", max(0, 5-len(code)))+code, 7, meaning, width))
		}
		section(strings.Trim(exitCodes, "\n"), list.String())
	}
	return b.String()
}

func allKinds() []fault.Kind {
	var all []fault.Kind
	for _, c := range ExitCodes() {
		all = append(all, c.Kind)
	}
	return all
}

// entry is a line of a list: a head, and from column indent on a text that is
// wrapped.
func entry(head string, indent int, text string, width int) string {
	if len(head) >= indent {
		head += " "
	}
	head += strings.Repeat(" ", max(0, indent-len(head)))
	lines := strings.Split(ui.Wrap(text, max(20, width-indent)), "\n")
	return head + strings.Join(lines, "\n"+strings.Repeat(" ", indent)) + "\n"
}

// flagUsages lists flags. Where the names take more than half of the width, the
// text of a flag is below its name.
func flagUsages(f *pflag.FlagSet, width int) string {
	const narrow = 60
	if width < narrow {
		var b strings.Builder
		f.VisitAll(func(f *pflag.Flag) {
			if f.Hidden {
				return
			}
			name, usage := pflag.UnquoteUsage(f)
			b.WriteString("  --" + strings.TrimSpace(f.Name+" "+name) + "\n" + entry("", 6, usage, width))
		})
		return b.String()
	}
	return f.FlagUsagesWrapped(width)
}
