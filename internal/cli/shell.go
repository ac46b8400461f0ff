package cli

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"espalier.dev/espalier/internal/command"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/store"
	"espalier.dev/espalier/internal/ui"
)

func newShell(a *app) *cobra.Command {
	var o workOptions
	cmd := &cobra.Command{
		Use:   "shell [-- COMMAND ARGUMENT...]",
		Short: "run a command inside the sandbox of the build",
		Long: `Run a command in the sandbox that the application is compiled in: the same files at
the same places, the same environment, no network. Nothing that it writes stays.
A name without a slash is a program of the toolchain; the exit status is the command's.
Without a command it is a small shell: commands, pipelines, && || ; redirections,
variables, patterns, ls and cat. Standard input that is not a terminal is its script.
Ctrl-C ends a command; there is no job control.` + command.Exits(fault.Program, fault.Pins, fault.Sandbox),
		Example: `  espalier shell -- rustc -vV
  echo 'rustc -V; ls /cargo/registry/src/v' | espalier shell
  espalier shell -- cargo tree --offline --config /cargo/espalier.toml`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, command []string) error {
			ctx := cmd.Context()
			w, err := a.open(ctx, o)
			if err != nil {
				return err
			}
			defer w.Close()
			plan, err := w.LockedPlan(ctx)
			if err != nil {
				return err
			}
			step := plan.Scratch()
			deps, err := w.Runner().Layer(ctx, plan)
			switch {
			case err == nil:
				step = plan.App(deps, store.Digest{})
			case fault.KindOf(err) != fault.Build: // a project that does not compile can be inspected, too
				return err
			}
			step.Outputs = nil
			step.Name = "shell"
			name := "shell"
			rootfs := step.Inputs[0].Tree
			switch {
			case len(command) > 0:
				step.Argv, name = command, command[0]
				if program := "usr/bin/" + command[0]; !strings.Contains(command[0], "/") {
					if _, err := w.Store.Lookup(ctx, rootfs, program); err != nil {
						return fault.New(fault.Usage, "shell: the locked toolchain has no program "+command[0])
					}
					step.Argv = append([]string{"/" + program}, command[1:]...)
				}
			default:
				step.Argv = nil // the sandbox's own shell
				if a.ui.Terminal(ui.Stdout) {
					a.ui.Note("inside the sandbox of the build: no network, and what is written does not stay; exit ends it")
				}
			}
			code, err := w.Box.Shell(ctx, w.Store, step, os.Stdin, os.Stdout)
			if err != nil {
				return err
			}
			if code != 0 {
				// The exit status is the command's own, whatever it means to espalier.
				return fault.New(fault.Kind(code), fmt.Sprintf("%s: exit status %d", name, code))
			}
			return nil
		},
	}
	o.addFlags(cmd.Flags())
	return cmd
}
