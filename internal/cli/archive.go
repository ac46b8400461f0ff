package cli

import (
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"espalier.dev/espalier/internal/command"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/ui"
	"espalier.dev/espalier/internal/workspace"
)

func newArchive(a *app) *cobra.Command {
	var o workOptions
	var what workspace.ArchiveOptions
	cmd := &cobra.Command{
		Use:   "archive FILE",
		Short: "write everything that a build needs into one file",
		Long: `Build the firmware and write an archive: the project's files, espalier.lock, everything
that it names (compiler, crates, git commits, the chip's files, signed indexes), the
firmware and this program. The file is an OCI image layout in a tar; it can be checked
and unpacked with sha256sum and tar alone, as the README.md in it says. Equal contents
are equal bytes. Values of secrets are not in it.

espalier restore FILE is the way back.` + command.Exits(fault.Build, fault.Pins, fault.Sandbox, fault.Differ),
		Example: `  espalier archive product-1.4.oci
  espalier archive --program espalier-darwin-arm64.tar.gz product-1.4.oci`,
		Args: command.Args("FILE"),
		RunE: func(cmd *cobra.Command, names []string) error {
			w, err := a.open(cmd.Context(), o)
			if err != nil {
				return err
			}
			defer w.Close()
			made, err := w.Archive(cmd.Context(), names[0], what)
			if err != nil {
				return err
			}
			a.ui.Event("archive", made)
			for _, e := range made.Absent {
				a.ui.Note("not in the store any more, and left out: %s", e)
			}
			a.ui.Printf("%s", ui.Path(names[0]))
			a.ui.Note("%d files, %s, %s", made.Files, ui.Size(made.Bytes), made.Manifest)
			return nil
		},
	}
	o.addFlags(cmd.Flags())
	cmd.Flags().BoolVar(&what.NoFirmware, "no-firmware", false, "build nothing: leave the firmware out")
	cmd.Flags().StringArrayVar(&what.Programs, "program", nil, "add `FILE`, such as espalier for another platform or its source; may be repeated")
	return cmd
}

func newRestore(a *app) *cobra.Command {
	var check bool
	cmd := &cobra.Command{
		Use:   "restore FILE [DIR]",
		Short: "bring an archive back: the project into a directory, the rest into the store",
		Long: `Put what an archive has into the store, and its project into DIR (default: the
project's name), which must not exist or be empty. FILE may also be the directory of an
unpacked OCI image layout. Nothing is downloaded; every byte is compared with its digest.

With --check, nothing is written: everything is hashed, and what is damaged or missing is
named.` + command.Exits(fault.Pins),
		Example: `  espalier restore product-1.4.oci && cd product && espalier build --offline
  espalier restore --check product-1.4.oci`,
		Args: command.Args("FILE", "[DIR]"),
		RunE: func(cmd *cobra.Command, names []string) error {
			if check {
				if len(names) > 1 {
					return fault.New(fault.Usage, "restore --check writes nothing: "+names[1]+" has no meaning", "espalier restore --check "+names[0])
				}
				c, err := a.opener().CheckArchive(cmd.Context(), names[0])
				if c.Manifest != "" {
					a.ui.Event("archive-check", c)
				}
				if err == nil {
					a.ui.Printf("%s is complete: %d files, %s, %s", c.Project, c.Files, ui.Size(c.Bytes), c.Manifest)
				}
				return err
			}
			dir := append(names, "")[1]
			r, err := a.opener().Restore(cmd.Context(), names[0], dir)
			if err != nil {
				return err
			}
			a.ui.Event("restore", r)
			a.ui.Printf("%s", ui.Path(r.Dir))
			for _, name := range slices.Sorted(maps.Keys(r.Results)) {
				a.ui.Note("espalier build makes %s %s", name, r.Results[name])
			}
			a.ui.Hints(fmt.Sprintf("cd %s && espalier build --offline", ui.Path(r.Dir)))
			return nil
		},
	}
	cmd.Flags().BoolVar(&check, "check", false, "hash everything, write nothing")
	return cmd
}
