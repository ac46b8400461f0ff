package cli

import (
	"github.com/spf13/cobra"

	"espalier.dev/espalier/internal/atomicfile"
	"espalier.dev/espalier/internal/command"
	"espalier.dev/espalier/internal/fault"
)

func newBuild(a *app) *cobra.Command {
	var o workOptions
	var dir string
	cmd := &cobra.Command{
		Use:   "build",
		Short: "compile the project: ELF and flash image",
		Long: `Compile the project as espalier.lock says, in the sandbox, and write the ELF and the
image of the flash (bootloader, partition table and application). Their paths are
printed. What was built before is not built again; an edit of the project's own
sources compiles only those.

What the lock names and the store lacks is fetched first, unless --offline. No pin is
changed: without a lock, or with one that no longer matches the project, the exit
status is 6. A firmware that takes more than [budget] of espalier.toml allows is
written, and the exit status is 3. Golden results of the lock are compared (espalier lock
--golden).` + command.Exits(fault.Build, fault.Pins, fault.Sandbox, fault.Differ),
		Example: `  espalier build
  espalier build --bin blinky --features wifi --out dist`,
		Args: command.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			w, err := a.open(cmd.Context(), o)
			if err != nil {
				return err
			}
			defer w.Close()
			f, err := w.Firmware(cmd.Context())
			if err != nil {
				return err
			}
			var hints []string
			if dir == "" {
				dir, hints = w.OutDir(), []string{"espalier build --out DIR   # writes nothing to the project"}
			}
			if err := f.Deliver(a.ui, dir, hints...); err != nil {
				return err
			}
			return w.CheckBudget(cmd.Context(), f)
		},
	}
	o.addFlags(cmd.Flags())
	cmd.Flags().StringVarP(&dir, "out", "o", "", "write to `DIR` instead of target/espalier")
	return cmd
}

// writeFile replaces a file in one step.
func writeFile(path string, b []byte) error {
	return fault.Wrap(fault.Usage, atomicfile.Write(path, b, 0o644), "writing "+path)
}
