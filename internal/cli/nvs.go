package cli

import (
	"context"

	"github.com/spf13/cobra"

	"espalier.dev/espalier/internal/command"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/flashing"
	"espalier.dev/espalier/internal/settings"
)

type nvsOptions struct {
	port                              portOptions
	File, Partition, Keys, Type, From string
}

func newNVS(a *app) *cobra.Command {
	var o nvsOptions
	cmd := &cobra.Command{
		Use:   "nvs list|read|set|erase [NAMESPACE [KEY [VALUE]]]",
		Short: "list, read and change values in an NVS partition of a board or a file",
		Long: `List, read, set or erase values of ESP-IDF's non-volatile storage, on a board or with --file in the image of a whole
flash or of one partition. Everything else in the partition stays, and an interruption leaves either the old or the new
value. An encrypted partition is read with the keys of the same flash, or with --keys.

A new value is a string unless --type says otherwise; one that is there keeps its type. Without VALUE, set reads it from
standard input up to the end of the first line, or with --from all bytes of a file. A blob is hexadecimal digits. What
a damaged partition has lost is named on standard error.` + command.Exits(fault.Port, fault.Chip),
		Example: `  espalier nvs list
  espalier nvs read wifi ssid
  espalier nvs set wifi password < password.txt
  espalier nvs set app id 7 --type u32 --port /dev/ttyACM0
  espalier nvs erase wifi --file board.bin`,
		Args: cobra.RangeArgs(1, 4),
		RunE: func(cmd *cobra.Command, names []string) error {
			act, err := settings.ParseAction(names, settings.ActionOptions{Type: o.Type, From: o.From, Stdin: a.stdin})
			if err != nil {
				return err
			}
			if o.File != "" {
				return o.inFile(cmd.Context(), a, act)
			}
			return o.onBoard(cmd.Context(), a, act)
		},
	}
	o.port.addFlags(cmd.Flags())
	o.port.addAfter(cmd.Flags())
	f := cmd.Flags()
	f.StringVar(&o.File, "file", "", "work on `FILE`, the image of a flash or of a partition")
	f.StringVar(&o.Partition, "partition", "", "the partition `NAME` (default nvs)")
	f.StringVar(&o.Keys, "keys", "", "`FILE` with the content of the keys partition")
	f.StringVar(&o.Type, "type", "", "`TYPE` of a new value: u8, u16, u32, u64, i8, i16, i32, i64, string, blob")
	f.StringVar(&o.From, "from", "", "set the content of `FILE`: a blob, or with --type string a string")
	cmd.MarkFlagsMutuallyExclusive("file", "port")
	return cmd
}

func (o nvsOptions) inFile(ctx context.Context, a *app, act settings.Action) error {
	b, err := a.readInput(ctx, o.File)
	if err != nil {
		return err
	}
	r, err := settings.InFile(ctx, o.File, b, o.Partition, o.Keys, act)
	if err == nil {
		r.Print(a.ui)
	}
	return err
}

func (o nvsOptions) onBoard(ctx context.Context, a *app, act settings.Action) error {
	b, err := connectBoard(ctx, a, o.port, nil)
	if err != nil {
		return err
	}
	table, _, err := flashing.ReadTable(ctx, b.Loader)
	if err != nil {
		return b.Close(ctx, err)
	}
	r, err := settings.InFlash(ctx, settings.Board{Loader: b.Loader}, table, o.Partition, o.Keys, act)
	if err = b.Close(ctx, err); err == nil {
		r.Print(a.ui)
	}
	return err
}
