package cli

import (
	"io"
	"strings"

	"github.com/spf13/cobra"

	"espalier.dev/espalier/internal/command"
	"espalier.dev/espalier/internal/complete"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/ui"
	"espalier.dev/espalier/serial"
)

func shells() []string { return []string{"bash", "zsh", "fish", "powershell"} }

func newCompletion(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "completion SHELL",
		Short: "print a completion script for a shell",
		Long:  `Print a script that completes verbs, flags and arguments in bash, zsh, fish or powershell.` + command.Exits(),
		Example: `  source <(espalier completion bash)
  espalier completion zsh > "${fpath[1]}/_espalier"
  espalier completion fish > ~/.config/fish/completions/espalier.fish`,
		Args:      command.Args("SHELL"),
		ValidArgs: shells(),
		RunE: func(cmd *cobra.Command, names []string) error {
			root, w := cmd.Root(), a.ui.Writer(ui.Stdout)
			switch names[0] {
			case "bash":
				var script strings.Builder
				if err := root.GenBashCompletionV2(&script, true); err != nil {
					return err
				}
				text, err := complete.Bash(script.String(), root.Name())
				if err != nil {
					return err
				}
				_, err = io.WriteString(w, text)
				return err
			case "zsh":
				return root.GenZshCompletion(w)
			case "fish":
				return root.GenFishCompletion(w, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(w)
			}
			return command.UnknownValue("completion", names[0], shells())
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
