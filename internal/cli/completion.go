package cli

import (
	"github.com/spf13/cobra"

	"espalier.dev/espalier/internal/ui"
)

func shells() []string { return []string{"bash", "zsh", "fish", "powershell"} }

func newCompletion(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "completion SHELL",
		Short: "print a completion script for a shell",
		Long:  `Print a script that completes verbs, flags and arguments in bash, zsh, fish or powershell.` + exits(),
		Example: `  source <(espalier completion bash)
  espalier completion zsh > "${fpath[1]}/_espalier"
  espalier completion fish > ~/.config/fish/completions/espalier.fish`,
		Args:      args("SHELL"),
		ValidArgs: shells(),
		RunE: func(cmd *cobra.Command, names []string) error {
			root, w := cmd.Root(), a.ui.Writer(ui.Stdout)
			switch names[0] {
			case "bash":
				return root.GenBashCompletionV2(w, true)
			case "zsh":
				return root.GenZshCompletion(w)
			case "fish":
				return root.GenFishCompletion(w, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(w)
			}
			return unknownValue("completion", names[0], shells())
		},
	}
}
