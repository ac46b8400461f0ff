package cli

import (
	"context"

	"github.com/spf13/pflag"

	"espalier.dev/espalier/esp/image"
	"espalier.dev/espalier/esp/partition"
	"espalier.dev/espalier/internal/chipfiles"
	"espalier.dev/espalier/internal/fault"
)

// chipOptions name Espressif's files and how a firmware is placed in flash.
type chipOptions struct {
	ROM        string
	Bootloader string
	Partitions string
	App        string
	FlashSize  string
	FlashMode  string
	FlashFreq  string
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

// imageInputs turns flags into the inputs of package image, except for the
// bootloader.
func (a *app) imageInputs(o chipOptions) (image.Inputs, error) {
	in := image.Inputs{App: o.App}
	var err error
	if in.Params.Mode, err = image.ParseMode(o.FlashMode); err != nil {
		return in, fault.Wrap(fault.Usage, err, "")
	}
	if in.Params.Freq, err = image.ParseFreq(o.FlashFreq); err != nil {
		return in, fault.Wrap(fault.Usage, err, "")
	}
	if in.Params.Size, err = image.ParseSize(o.FlashSize); err != nil {
		return in, fault.Wrap(fault.Usage, err, "")
	}
	if o.Partitions == "" {
		return in, nil
	}
	b, err := a.readInput(context.Background(), o.Partitions)
	if err != nil {
		return in, err
	}
	if in.Table, err = partition.Parse(b); err != nil {
		return in, fault.InFile(o.Partitions, err)
	}
	in.TableFile = o.Partitions
	return in, nil
}

// paths are the files that the flags name.
func (o chipOptions) paths() chipfiles.Paths {
	return chipfiles.Paths{ROM: o.ROM, Bootloader: o.Bootloader}
}
