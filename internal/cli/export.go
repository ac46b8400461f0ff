package cli

import (
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"espalier.dev/espalier/internal/command"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/ui"
)

func newExport(a *app) *cobra.Command {
	var o workOptions
	kinds := []string{"docker", "nix", "script"}
	cmd := &cobra.Command{
		Use:   "export {script|docker|nix} DIR",
		Short: "write a recipe that makes the same bytes without espalier",
		Long: `Build the firmware, and write to DIR an archive of everything that the build needs
and build.sh, a shell script that makes the same ELF and flash image from it, with tar,
sha256sum and unshare of a Linux. Inputs and results are compared with their digests.

docker adds a Containerfile, with which podman or docker compiles in a container that
has the locked files only; nix adds default.nix. A compiler of the Rust distribution
and secrets that are compiled in are refused.` + command.Exits(fault.Build, fault.Pins, fault.Sandbox, fault.Differ),
		Example: `  espalier export script target/recipe && sh target/recipe/build.sh
  espalier export docker ../recipe`,
		Args: command.Args("{script|docker|nix}", "DIR"),
		RunE: func(cmd *cobra.Command, names []string) error {
			if !slices.Contains(kinds, names[0]) {
				return command.UnknownValue("export", names[0], kinds)
			}
			w, err := a.open(cmd.Context(), o)
			if err != nil {
				return err
			}
			defer w.Close()
			made, err := w.Export(cmd.Context(), names[0], a.inProject(names[1]))
			if err != nil {
				return err
			}
			a.ui.Event("export", made)
			for _, name := range made.Files {
				a.ui.Printf("%s", ui.Path(filepath.Join(made.Dir, name)))
			}
			return nil
		},
	}
	o.addFlags(cmd.Flags())
	return cmd
}
