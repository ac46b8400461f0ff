package cli

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"espalier.dev/espalier/internal/build"
	"espalier.dev/espalier/internal/command"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/sandbox"
)

// newMacroServer is started by rust-analyzer, by way of the script that check
// --rust-project writes, and is not for people.
func newMacroServer(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "macro-server STEP [-- ARGUMENT...]",
		Short: "run procedural macros in the sandbox, for rust-analyzer",
		Long: `Run the compiler's server of procedural macros with the inputs of STEP, a digest that
check --rust-project writes into the script which an editor starts.` + command.Exits(fault.Program, fault.Sandbox),
		Hidden: true,
		Args:   cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			p, err := a.settings(project.Flags{})
			if err != nil {
				return err
			}
			st, err := a.opener().OpenStore(ctx, p.Espalier)
			if err != nil {
				return err
			}
			defer st.Close()
			step, err := build.MacroServer(ctx, st, args[0], args[1:])
			if err != nil {
				return err
			}
			code, err := sandbox.Local{}.Shell(ctx, st, step, os.Stdin, os.Stdout)
			if err == nil && code != 0 {
				err = fault.New(fault.Program, fmt.Sprintf("macro server: exit status %d", code))
			}
			return err
		},
	}
}
