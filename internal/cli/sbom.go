package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"espalier.dev/espalier/internal/command"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/sbom"
	"espalier.dev/espalier/internal/store"
	"espalier.dev/espalier/internal/ui"
)

// sbomEvent is the event "sbom".
type sbomEvent struct {
	File   string       `json:"file"`
	Format string       `json:"format"`
	Digest store.Digest `json:"digest"` // of the file
	Inside int          `json:"inside"` // components in the firmware
	Build  int          `json:"build"`  // what it was made with besides
}

func newSBOM(a *app) *cobra.Command {
	var o workOptions
	var format, file, supplier string
	formats := []string{"cyclonedx", "spdx"}
	cmd := &cobra.Command{
		Use:   "sbom",
		Short: "list what is in the firmware, as CycloneDX or SPDX",
		Long: `Build the firmware and write its bill of materials: the crates and static libraries
that own bytes of the program, bootloader, partition table, and the functions of the
mask ROM that it calls, each with version, licence, digest and package URL. What the
firmware was made with and what is not in it (compiler, macros, build scripts) is listed
apart: in CycloneDX as formulation, in SPDX as build dependencies.

The formats are CycloneDX 1.6 and SPDX 2.3, both as JSON. Equal firmware gives equal
bytes: the date is that of espalier.lock.` + command.Exits(fault.Build, fault.Pins, fault.Sandbox, fault.Differ),
		Example: `  espalier sbom > firmware.cdx.json
  espalier sbom --format spdx --supplier "Example Ltd" --out firmware.spdx.json`,
		Args: command.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			encode := map[string]func(sbom.Bill) ([]byte, error){"cyclonedx": sbom.CycloneDX, "spdx": sbom.SPDX}[format]
			switch {
			case encode == nil:
				return fault.New(fault.Usage, fmt.Sprintf("--format %s: want cyclonedx or spdx", format))
			case a.ui.JSON() && file == "":
				return fault.New(fault.Usage, "sbom --json writes events: the document needs a file", "espalier sbom --json --out firmware.cdx.json")
			}
			w, err := a.open(cmd.Context(), o)
			if err != nil {
				return err
			}
			defer w.Close()
			bill, err := w.Bill(cmd.Context(), supplier)
			if err != nil {
				return err
			}
			text, err := encode(bill)
			if err != nil {
				return err
			}
			if file == "" {
				_, err := a.ui.Writer(ui.Stdout).Write(text)
				return err
			}
			if err := writeFile(file, text); err != nil {
				return err
			}
			a.ui.Event("sbom", sbomEvent{file, format, store.DigestOf(text), len(bill.Inside), len(bill.Build)})
			a.ui.Printf("%s", ui.Path(file))
			a.ui.Note("%d components in the firmware, %d more to build it", len(bill.Inside), len(bill.Build))
			return nil
		},
	}
	o.addFlags(cmd.Flags())
	cmd.Flags().StringVar(&format, "format", "cyclonedx", "write `cyclonedx` or spdx")
	_ = cmd.RegisterFlagCompletionFunc("format", command.OneOf(formats))
	cmd.Flags().StringVarP(&file, "out", "o", "", "write to `FILE` instead of the standard output")
	cmd.Flags().StringVar(&supplier, "supplier", "", "who delivers the firmware (default: the first author of the package)")
	return cmd
}
