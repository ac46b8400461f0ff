package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"espalier.dev/espalier/internal/fault"
)

// setHelp gives the tree one form of help: what it is, how it is called,
// examples, flags, exit statuses. The last ones are part of Long.
func setHelp(root *cobra.Command, a *app) {
	root.SetHelpCommand(&cobra.Command{
		Use:   "help [VERB]",
		Short: "explain a verb",
		Args:  args("[VERB]"),
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
		cmd.OutOrStdout().Write([]byte(helpText(cmd)))
	})
	root.SetUsageFunc(func(cmd *cobra.Command) error {
		_, err := cmd.OutOrStderr().Write([]byte(helpText(cmd)))
		return err
	})
}

func helpText(cmd *cobra.Command) string {
	var b strings.Builder
	long := cmd.Long
	if long == "" {
		long = cmd.Short
	}
	// The exit statuses are the end of Long, so that no verb forgets them, but
	// they read best at the end of everything.
	body, statuses, ok := strings.Cut(long, "\n\nExit status:")
	b.WriteString(strings.TrimSpace(body) + "\n")
	b.WriteString("\nUsage:\n")
	if cmd.HasAvailableSubCommands() {
		b.WriteString("  " + cmd.CommandPath() + " VERB [flags]\n")
	} else {
		b.WriteString("  " + cmd.UseLine() + "\n")
	}
	if cmd.HasExample() {
		b.WriteString("\nExamples:\n" + strings.TrimRight(cmd.Example, "\n") + "\n")
	}
	if cmd.HasAvailableSubCommands() {
		for _, g := range cmd.Groups() {
			var lines []string
			for _, c := range cmd.Commands() {
				if c.GroupID == g.ID && c.IsAvailableCommand() {
					lines = append(lines, "  "+pad(c.Name(), 12)+c.Short)
				}
			}
			if lines != nil {
				b.WriteString("\n" + g.Title + "\n" + strings.Join(lines, "\n") + "\n")
			}
		}
	}
	if cmd.HasAvailableLocalFlags() && cmd.HasParent() {
		b.WriteString("\nFlags:\n" + strings.TrimRight(cmd.LocalFlags().FlagUsagesWrapped(100), "\n") + "\n")
	}
	if cmd.HasParent() {
		b.WriteString("\nFlags of every verb:\n" + strings.TrimRight(cmd.InheritedFlags().FlagUsagesWrapped(100), "\n") + "\n")
	} else {
		b.WriteString("\nFlags of every verb:\n" + strings.TrimRight(cmd.PersistentFlags().FlagUsagesWrapped(100), "\n") + "\n")
		b.WriteString("\nespalier help VERB explains a verb.\n")
		var all []fault.Kind
		for _, s := range exitStatuses() {
			all = append(all, s.kind)
		}
		_, statuses, ok = strings.Cut(exits(all...), "\n\nExit status:")
	}
	if ok {
		b.WriteString("\nExit status:" + strings.TrimRight(statuses, "\n") + "\n")
	}
	return b.String()
}

func pad(s string, n int) string {
	if len(s) >= n {
		return s + " "
	}
	return s + strings.Repeat(" ", n-len(s))
}
