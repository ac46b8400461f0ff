package cli

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/store"
)

func newShell(a *app) *cobra.Command {
	var o workOptions
	cmd := &cobra.Command{
		Use:   "shell [-- COMMAND ARGUMENT...]",
		Short: "run a command inside the sandbox of the build",
		Long: `Run a command in the sandbox that the application is compiled in: the same files at
the same places, the same environment, no network. Nothing that it writes stays.
A name without a slash is a program of the toolchain; the exit status is the command's.
Without a command it is a shell, when the locked toolchain has one.` + exits(fault.Program, fault.Pins, fault.Sandbox),
		Example: `  espalier shell -- rustc -vV
  espalier shell -- cargo tree --offline --config /cargo/espalier.toml`,
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
			case fault.KindOf(err) != fault.Build: // a project that does not compile can be inspected, too
				return err
			}
			step.Outputs = nil
			step.Name = "shell"
			rootfs := step.Inputs[0].Tree
			switch {
			case len(command) > 0:
				step.Argv = command
				if program := "usr/bin/" + command[0]; !strings.Contains(command[0], "/") {
					if _, err := w.store.Lookup(ctx, rootfs, program); err != nil {
						return fault.New(fault.Usage, "shell: the locked toolchain has no program "+command[0])
					}
					step.Argv = append([]string{"/" + program}, command[1:]...)
				}
			default:
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
				// The exit status is the command's own, whatever it means to espalier.
				return fault.New(fault.Kind(code), fmt.Sprintf("%s: exit status %d", step.Argv[0], code))
			}
			return nil
		},
	}
	o.addFlags(cmd.Flags())
	return cmd
}
