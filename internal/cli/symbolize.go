package cli

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"espalier.dev/espalier/esp/image"
	"espalier.dev/espalier/internal/build"
	"espalier.dev/espalier/internal/chipfiles"
	"espalier.dev/espalier/internal/command"
	"espalier.dev/espalier/internal/console"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/session"
)

type symbolizeOptions struct {
	ELF string
	ROM string
}

func newSymbolize(a *app) *cobra.Command {
	var o symbolizeOptions
	cmd := &cobra.Command{
		Use:   "symbolize [LOG | ADDRESS...]",
		Short: "functions and source lines for the addresses in a log, or in a list",
		Long: `Read the log of a board, from a file or standard input, and print the same lines,
each followed by the functions and source lines at the code addresses in it, with
every inlined call; defmt frames become lines; a crash gets its report. With
addresses instead (0x42001234 or 42001234), print the functions at them.

The firmware is the ELF that made the log: --elf, or the only one that espalier
build has left in target/espalier.` + command.Exits(),
		Example: `  espalier symbolize uart.log --elf target/espalier/blinky.elf
  ssh lab cat /dev/ttyACM0 | espalier symbolize --elf blinky.elf
  espalier symbolize 0x42001234 0x40380010 --elf blinky.elf`,
		Args: logOrAddresses,
		RunE: func(cmd *cobra.Command, names []string) error { return symbolize(cmd.Context(), a, names, o) },
	}
	cmd.Flags().StringVar(&o.ELF, "elf", "", "ELF `FILE` with the symbols")
	cmd.Flags().StringVar(&o.ROM, "rom", "", "mask ROM as an ELF `FILE` (default: the locked one)")
	return cmd
}

// logOrAddresses accepts one file, or any number of addresses.
func logOrAddresses(_ *cobra.Command, names []string) error {
	if len(names) < 2 {
		return nil
	}
	for _, n := range names {
		if _, ok := addressArgument(n); !ok {
			return fault.New(fault.Usage, fmt.Sprintf("symbolize: unexpected argument %s", n), "either one log or addresses such as 0x42001234")
		}
	}
	return nil
}

func symbolize(ctx context.Context, a *app, names []string, o symbolizeOptions) error {
	var addrs []uint32
	for _, n := range names {
		if v, ok := addressArgument(n); ok {
			addrs = append(addrs, v)
		}
	}
	elf, roms, err := a.symbolFiles(ctx, o.ELF, o.ROM, true)
	if err != nil {
		return err
	}
	syms := session.Symbols(elf, a.ui, roms...)
	if addrs != nil {
		for _, v := range addrs {
			console.ShowAddress(a.ui, v, syms.Frames(v))
		}
		return nil
	}
	in := a.stdin
	if len(names) == 1 && names[0] != "-" {
		f, err := os.Open(names[0])
		if err != nil {
			return fault.Opening(names[0], err)
		}
		defer f.Close()
		in = f
	} else {
		a.ui.Debugf("reading standard input")
	}
	return console.Annotate(ctx, a.ui, in, syms)
}

// addressArgument reads an argument that is an address and not the name of a file.
func addressArgument(s string) (uint32, bool) {
	if v, ok := console.ParseAddress(s); ok {
		if _, err := os.Stat(s); err != nil {
			return v, true
		}
	}
	return 0, false
}

// symbolFiles reads the ELF that names a firmware's addresses and, if they can be
// had, mask ROMs. Without a name it is the only one that a build has left;
// needed says that there must be one.
func (a *app) symbolFiles(ctx context.Context, name, rom string, needed bool) (elf []byte, roms [][]byte, err error) {
	if name == "" {
		if name, err = build.FindELF(a.projectDir()); err != nil && needed {
			return nil, nil, err
		}
	}
	if name != "" {
		if elf, err = a.readInput(ctx, name); err != nil {
			return nil, nil, err
		}
		if kind := image.Identify(elf); kind != image.ELF {
			return nil, nil, fault.New(fault.Usage, fmt.Sprintf("%s: not an ELF (%s)", name, kind), "the ELF of the same build has the symbols")
		}
		if err := image.CheckELF(elf); err != nil {
			return nil, nil, fault.InFile(name, err)
		}
		a.ui.Debugf("symbols: %s", name)
	}
	if roms, err = a.symbolROMs(ctx, rom); err != nil && rom != "" {
		return nil, nil, err
	}
	return elf, roms, nil
}

// symbolROMs reads mask ROMs for the names of their functions: that of the
// project's chip revision first, and the others, of which a log names one.
func (a *app) symbolROMs(ctx context.Context, file string) ([][]byte, error) {
	revision := uint16(chipfiles.EmulatedRevision)
	if p, err := a.settings(project.Flags{}); err == nil {
		revision = p.Espalier.Board.ChipRevision()
	}
	roms, err := a.chipFiles(chipfiles.Paths{ROM: file}).ROMs(ctx, revision)
	if err != nil {
		a.ui.Debugf("no names for addresses of the mask ROM: %v", err)
	}
	return roms, err
}
