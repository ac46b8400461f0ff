package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"espalier.dev/espalier/internal/command"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/updating"
)

func newUpdate(a *app) *cobra.Command {
	var o workOptions
	var req updating.Request
	var dry, try, bisect bool
	cmd := &cobra.Command{
		Use:   "update [NAME]...",
		Short: "move pins to newer versions: crates, compiler, chip files",
		Long: `Move pins: of crates by their names, of the compiler (toolchain), of bootloader and mask ROM (chip-files); without a
NAME, of everything but the compiler. The pinned cargo chooses versions, in the sandbox, as far as the requirements in
Cargo.toml and the compiler allow it. Crates of one family, such as esp-hal and its siblings, move together.

What moves is printed with the lowest compiler that it accepts, its size and why; then what stays and which line or
crate keeps it, and known incompatible combinations with their source. Cargo.lock and espalier.lock are written;
Cargo.toml and rust-toolchain.toml only with --edit, which changes the requirements that are in the way.

With --try nothing is written: the project is built and run on the emulated board with the old pins and with the new
ones, with [run] expect of espalier.toml and its tests for the chip. What breaks is reported with its first cause, the
crate that is responsible and the lines of the project that need a change; else what grows. --bisect finds the version.` +
			command.Exits(fault.Program, fault.Build, fault.Pins, fault.Sandbox),
		Example: `  espalier update                        everything, within the requirements
  espalier update esp-hal --dry-run      what would move
  espalier update esp-hal --to 1.2.2 --edit
  espalier update --try --edit           what would break with the newest versions?
  espalier update toolchain --to 1.97`,
		Args: cobra.ArbitraryArgs, // names
		RunE: func(cmd *cobra.Command, names []string) error {
			req.Names = names
			if try || bisect {
				o.forRun(true)
			}
			w, err := a.open(cmd.Context(), o)
			if err != nil {
				return err
			}
			defer w.Close()
			pl, err := w.PlanUpdate(cmd.Context(), req)
			if err != nil {
				return err
			}
			defer pl.Discard()
			a.ui.Event("update", pl)
			if len(pl.Moves) > 0 {
				a.ui.Table(pl.Table())
			}
			for _, l := range pl.Lines() {
				a.ui.Printf("%s", l)
			}
			switch {
			case pl.Empty():
				a.ui.Note("nothing moves")
				return nil
			case try || bisect:
				return a.tryUpdate(cmd.Context(), w, pl, bisect, req.Edit)
			case dry:
				a.ui.Note("nothing was written; without --dry-run: espalier update %s", strings.Join(names, " "))
				return nil
			}
			if _, err := pl.Apply(cmd.Context()); err != nil {
				return err
			}
			a.ui.Note("wrote %s; next: espalier run", strings.Join(append(pl.Written(), lock.FileName), ", "))
			return nil
		},
	}
	cmd.Flags().StringVar(&req.To, "to", "", "move the only NAME to `VERSION`, newer or older")
	cmd.Flags().BoolVar(&req.Edit, "edit", false, "change requirements in Cargo.toml, or the channel, that are in the way")
	cmd.Flags().BoolVar(&try, "try", false, "build and run old and new, say what breaks and why; write nothing")
	cmd.Flags().BoolVar(&bisect, "bisect", false, "with --try: find the crate and the version that break it")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "write nothing to the project")
	o.addSelectionFlags(cmd.Flags())
	o.addSandboxFlag(cmd.Flags())
	return cmd
}
