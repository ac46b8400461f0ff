package cli

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"espalier.dev/espalier/internal/build"
	"espalier.dev/espalier/internal/command"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/size"
)

func newSize(a *app) *cobra.Command {
	var by, page string
	var record bool
	var top int
	cmd := &cobra.Command{
		Use:   "size [ELF]",
		Short: "flash and RAM by crate, function and static library",
		Long: `Show what takes the flash and the RAM of a firmware: by crate and static library, or
with --by function, static, section or rom (the functions of the mask ROM that it
calls). Every byte has one owner, so the columns add up to the sizes of the sections.
Inlined code counts for the crate that it was written in, an instance of a generic
function for the crate that defines it, a constant without a name for the crate whose
code refers to it. docs/size.md has the rules.

With --record, the sizes are written to espalier.size beside espalier.lock, under the
name of the ELF: limits in [budget] of espalier.toml that are a growth, such as
http-client = "+2%", compare with them.

ELF is a file, or the only one that espalier build has left in target/espalier. The
crates of the espalier.lock here or above say which static library a symbol is of.` + command.Exits(fault.Pins),
		Example: `  espalier size
  espalier size --by function --top 20 firmware.elf
  espalier size --html size.html           a treemap
  espalier size --json`,
		Args: command.Args("[ELF]"),
		RunE: func(cmd *cobra.Command, names []string) error {
			if !slices.Contains(size.Views, by) {
				return fault.New(fault.Usage, fmt.Sprintf("--by %s: want %s", by, strings.Join(size.Views, ", ")))
			}
			name, err := elfArgument(a, names)
			if err != nil {
				return err
			}
			b, err := a.readInput(cmd.Context(), name)
			if err != nil {
				return err
			}
			r, err := a.opener().Size(cmd.Context(), b)
			if err != nil {
				return fault.InFile(name, err)
			}
			if page != "" {
				return writeFile(page, r.Page(filepath.Base(name)))
			}
			if record {
				return a.opener().RecordSize(name, r)
			}
			r.File = name
			a.ui.Event("size", r)
			a.ui.Table(r.Table(by, top))
			a.ui.Fields([2]string{"flash", strconv.FormatUint(r.Flash, 10)}, [2]string{"ram", strconv.FormatUint(r.RAM, 10)},
				[2]string{"left to the stack", strconv.FormatUint(r.Stack, 10)})
			if r.DebugUnits == 0 {
				a.ui.Note("no debug information: inlined code counts for the function around it")
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&by, "by", "crate", "what a row is: "+strings.Join(size.Views, ", "))
	_ = cmd.RegisterFlagCompletionFunc("by", command.OneOf(size.Views))
	cmd.Flags().IntVar(&top, "top", 0, "show only the `N` largest rows")
	cmd.Flags().BoolVar(&record, "record", false, "record the sizes in espalier.size, for [budget], instead")
	cmd.Flags().StringVar(&page, "html", "", "write a treemap to `FILE` instead")
	return cmd
}

// elfArgument is the ELF that a verb was given, or the only one that a build
// has left.
func elfArgument(a *app, names []string) (string, error) {
	if len(names) > 0 {
		return names[0], nil
	}
	return build.FindELF(a.projectDir())
}
