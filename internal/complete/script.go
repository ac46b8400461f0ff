package complete

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// Shells are the shells that Script knows.
func Shells() []string { return []string{"bash", "zsh", "fish", "powershell"} }

// Script writes the script that completes a command line in a shell.
func Script(w io.Writer, root *cobra.Command, shell string) error {
	switch shell {
	case "bash":
		var script strings.Builder
		if err := root.GenBashCompletionV2(&script, true); err != nil {
			return err
		}
		text, err := Bash(script.String(), root.Name())
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
	return fmt.Errorf("no completion script for the shell %q", shell)
}
