package cli

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/store"
)

func newShell(a *app) *cobra.Command {
	var o workOptions
	cmd := &cobra.Command{
		Use:   "shell [-- COMMAND ARGUMENT...]",
		Short: "a command inside the sandbox of the build",
		Long: `Run a command in the sandbox that the application is compiled in: the same files at
the same places, the same environment, no network. Nothing that it writes stays.
Without a command it is a shell, when the locked toolchain has one.` + exits(fault.Program, fault.Pins, fault.Sandbox),
		Example: `  espalier shell -- /usr/bin/rustc -vV
  espalier shell -- /usr/bin/cargo tree --offline --config /cargo/espalier.toml`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, command []string) error {
			ctx := cmd.Context()
			w, err := a.open(ctx, o)
			if err != nil {
				return err
			}
			defer w.close()
			plan, err := w.lockedPlan(ctx)
			if err != nil {
				return err
			}
			step := plan.Scratch()
			deps, err := w.runner().Layer(ctx, plan)
			switch {
			case err == nil:
				step = plan.App(deps, store.Digest{})
			case fault.KindOf(err) != fault.Build: // what does not compile is a reason to look around
				return err
			}
			step.Outputs = nil
			step.Name = "shell"
			switch {
			case len(command) > 0:
				step.Argv = command
			default:
				rootfs := step.Inputs[0].Tree
				if _, err := w.store.Lookup(ctx, rootfs, "usr/bin/sh"); err != nil {
					return fault.New(fault.Usage, "shell: the locked toolchain has no shell, only programs",
						"espalier shell -- /usr/bin/cargo build --locked --offline --config /cargo/espalier.toml --release",
						"espalier shell -- /usr/bin/rustc -vV")
				}
				step.Argv = []string{"/usr/bin/sh", "-i"}
			}
			code, err := w.box.Shell(ctx, w.store, step, os.Stdin, os.Stdout)
			if err != nil {
				return err
			}
			if code != 0 {
				return fault.New(fault.Program, fmt.Sprintf("%s: exit status %d", step.Argv[0], code))
			}
			return nil
		},
	}
	o.addFlags(cmd.Flags())
	return cmd
}
