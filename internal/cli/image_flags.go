package cli

import (
	"context"

	"github.com/spf13/pflag"

	"espalier.dev/espalier/esp/image"
	"espalier.dev/espalier/internal/chipfiles"
	"espalier.dev/espalier/internal/flashimage"
)

// chipOptions name Espressif's files and how a firmware is placed in flash.
type chipOptions struct {
	flashimage.Options
	ROM        string
	Bootloader string
}

func (o *chipOptions) addFlags(f *pflag.FlagSet) {
	f.StringVar(&o.ROM, "rom", "", "mask ROM as an ELF `FILE` (default: the locked one)")
	o.addImageFlags(f)
}

// addImageFlags defines the flags for the content of the flash.
func (o *chipOptions) addImageFlags(f *pflag.FlagSet) {
	f.StringVar(&o.Bootloader, "bootloader", "", "second-stage bootloader `FILE` (default: the locked one)")
	f.StringVar(&o.Partitions, "partition-table", "", "partition table `FILE`, CSV or binary")
	f.StringVar(&o.App, "target-app-partition", "", "put the app into the partition `NAME`")
	f.StringVar(&o.FlashSize, "flash-size", "", "size of the flash: 1MB, 2MB, 4MB, 8MB or 16MB (default 4MB)")
	f.StringVar(&o.FlashMode, "flash-mode", "", "qio, qout, dio or dout (default: the bootloader's)")
	f.StringVar(&o.FlashFreq, "flash-freq", "", "20MHz, 26MHz, 40MHz or 80MHz (default 40MHz)")
}

// imageInputs turns flags into the inputs of package image.
func (a *app) imageInputs(ctx context.Context, o chipOptions) (image.Inputs, error) {
	return o.Inputs(func(name string) ([]byte, error) { return a.readInput(ctx, name) })
}

// paths are the files that the flags name.
func (o chipOptions) paths() chipfiles.Paths {
	return chipfiles.Paths{ROM: o.ROM, Bootloader: o.Bootloader}
}
