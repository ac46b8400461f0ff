package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"espalier.dev/espalier/esp/chip"
	"espalier.dev/espalier/esp/loader"
	"espalier.dev/espalier/esp/partition"
	"espalier.dev/espalier/internal/chipfiles"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/progress"
	"espalier.dev/espalier/internal/ui"
)

type readFlashOptions struct {
	port      portOptions
	Partition string
	All       bool
}

func newReadFlash(a *app) *cobra.Command {
	var o readFlashOptions
	cmd := &cobra.Command{
		Use:   "read-flash [OFFSET SIZE] FILE",
		Short: "read a board's flash into a file",
		Long: `Read a range of a board's flash, a partition by the table that is on the board, or
all of it, into FILE. What is read is proven by digests that the chip computes, piece
by piece, before it is written; a FILE that exists is replaced when everything is
there. FILE - is standard output.` + exits(fault.Port, fault.Chip),
		Example: `  espalier read-flash 0x9000 0x6000 nvs.bin
  espalier read-flash --partition nvs nvs.bin
  espalier read-flash --all board.bin && espalier emulate board.bin`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, names []string) error {
			return a.readFlash(cmd.Context(), names, o)
		},
	}
	o.port.addFlags(cmd.Flags())
	o.port.addAfter(cmd.Flags())
	cmd.Flags().StringVar(&o.Partition, "partition", "", "read the partition `NAME`")
	cmd.Flags().BoolVar(&o.All, "all", false, "read the whole flash")
	cmd.MarkFlagsMutuallyExclusive("partition", "all")
	return cmd
}

// flashRange reads the arguments OFFSET and SIZE.
func flashRange(offset, size string) (at, n uint32, err error) {
	v, err := strconv.ParseUint(offset, 0, 32)
	if err != nil {
		return 0, 0, fault.New(fault.Usage, fmt.Sprintf("offset %s: want a number such as 0x9000", offset))
	}
	w, err := strconv.ParseUint(size, 0, 32)
	if err != nil || w == 0 {
		return 0, 0, fault.New(fault.Usage, fmt.Sprintf("size %s: want a number such as 0x6000", size))
	}
	return uint32(v), uint32(w), nil
}

// rangeOnBoard finds what a verb means: a range, a partition of the table on
// the board, or everything.
func (a *app) rangeOnBoard(ctx context.Context, l *loader.Loader, partitionName string, all bool, given []string) (at, n uint32, err error) {
	switch {
	case all:
		f, err := l.FlashID(ctx)
		if err == nil && f.Size == 0 {
			err = fault.New(fault.Chip, fmt.Sprintf("the flash chip (%s) does not say how large it is", f), "name OFFSET and SIZE")
		}
		return 0, f.Size, err
	case partitionName != "":
		t, err := readTable(ctx, l)
		if err != nil {
			return 0, 0, err
		}
		e, err := namedPartition(t, partitionName)
		return e.Offset, e.Size, err
	}
	return flashRange(given[0], given[1])
}

// readTable reads the partition table that is on a board.
func readTable(ctx context.Context, l *loader.Loader) (partition.Table, error) {
	at := chip.ESP32C3().TableOffset
	b, err := l.Read(ctx, at, partition.BinarySize, nil)
	if err != nil {
		return partition.Table{}, err
	}
	if !partition.IsBinary(b) {
		return partition.Table{}, fault.New(fault.Chip, fmt.Sprintf("no partition table at 0x%x of the board", at), "name OFFSET and SIZE")
	}
	return partition.ParseBinary(b)
}

func (a *app) readFlash(ctx context.Context, names []string, o readFlashOptions) error {
	named := o.All || o.Partition != ""
	if named && len(names) != 1 || !named && len(names) != 3 {
		return fault.New(fault.Usage, "read-flash: want OFFSET SIZE FILE, or FILE with --partition or --all", "espalier read-flash --help")
	}
	if !named {
		if _, _, err := flashRange(names[0], names[1]); err != nil {
			return err
		}
	}
	st, err := stub(ctx, a.ui, a.chipFiles(chipfiles.Paths{}), o.port)
	if err != nil {
		return err
	}
	p, l, err := a.connect(ctx, o.port, st)
	if err != nil {
		return err
	}
	return a.finish(ctx, p, l, o.port, a.readInto(ctx, l, o, names))
}

// readInto writes what is read where it belongs. A file is there in full or as
// it was before: what comes goes aside first.
func (a *app) readInto(ctx context.Context, l *loader.Loader, o readFlashOptions, names []string) error {
	at, n, err := a.rangeOnBoard(ctx, l, o.Partition, o.All, names)
	if err != nil {
		return err
	}
	file := names[len(names)-1]
	if file == "-" {
		return a.readRange(ctx, l, a.ui.Writer(ui.Stdout), at, n)
	}
	f, err := os.CreateTemp(filepath.Dir(file), ".espalier-*")
	if err != nil {
		return fault.Wrap(fault.Usage, err, "writing "+file)
	}
	defer os.Remove(f.Name()) // it is gone when all went well
	defer f.Close()
	if err := a.readRange(ctx, l, namedFile{f, file}, at, n); err != nil {
		return err
	}
	if err := errors.Join(f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return fault.Wrap(fault.Usage, err, "writing "+file)
	}
	return fault.Wrap(fault.Usage, os.Rename(f.Name(), file), "writing "+file)
}

// namedFile is a file whose errors say which one is meant.
type namedFile struct {
	f    *os.File
	name string
}

func (n namedFile) Write(b []byte) (int, error) {
	done, err := n.f.Write(b)
	return done, fault.Wrap(fault.Usage, err, "writing "+n.name)
}

func (a *app) readRange(ctx context.Context, l *loader.Loader, to io.Writer, at, n uint32) error {
	t := a.ui.Start("read", progress.Bytes, int64(n))
	last := 0
	err := l.ReadTo(ctx, to, at, n, func(done int) { t.Add(int64(done - last)); last = done })
	t.Done(err)
	return err
}
