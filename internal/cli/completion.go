package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"espalier.dev/espalier/internal/command"
	"espalier.dev/espalier/internal/complete"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/ui"
	"espalier.dev/espalier/serial"
)

func newCompletion(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "completion SHELL",
		Short: "print a completion script for a shell",
		Long:  `Print a script that completes verbs, flags and arguments in bash, zsh, fish or powershell.` + command.Exits(),
		Example: `  source <(espalier completion bash)
  espalier completion zsh > "${fpath[1]}/_espalier"
  espalier completion fish > ~/.config/fish/completions/espalier.fish`,
		Args:      command.Args("SHELL"),
		ValidArgs: complete.Shells(),
		RunE: func(cmd *cobra.Command, names []string) error {
			if !slices.Contains(complete.Shells(), names[0]) {
				return command.UnknownValue("completion", names[0], complete.Shells())
			}
			return complete.Script(a.ui.Writer(ui.Stdout), cmd.Root(), names[0])
		},
	}
}

// completeFlags offers values for the flags of a verb.
func completeFlags(a *app, cmd *cobra.Command) {
	find := complete.Finder{Ports: serial.List, Open: func() (*project.Project, error) {
		if err := completeGlobals(&a.global, a.lookup); err != nil {
			return nil, err
		}
		o := a.opener().Options(project.Flags{})
		if f := cmd.Flags().Lookup("package"); f != nil {
			o.Package = f.Value.String()
		}
		return project.Open(a.projectDir(), o)
	}}
	for _, name := range complete.Flags() {
		if f := cmd.Flags().Lookup(name); f == nil || f.Value.Type() == "bool" {
			continue
		}
		_ = cmd.RegisterFlagCompletionFunc(name, func(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
			return find.Values(name, typed), cobra.ShellCompDirectiveNoFileComp
		})
	}
	for _, name := range []string{"project", "store", "out"} {
		_ = cmd.MarkFlagDirname(name)
	}
	if cmd.ValidArgsFunction == nil && len(cmd.ValidArgs) == 0 && !strings.Contains(cmd.Use, " ") {
		cmd.ValidArgsFunction = cobra.NoFileCompletions
	}
}
