package flashimage

import (
	"bytes"
	"context"
	"fmt"

	"espalier.dev/espalier/esp/image"
	"espalier.dev/espalier/esp/partition"
	"espalier.dev/espalier/internal/chipfiles"
	"espalier.dev/espalier/internal/fault"
)

// Options say how a firmware is placed in flash, as the command line does.
type Options struct {
	Partitions string // file with a partition table, CSV or binary; "": the default one
	App        string // partition of the application; "": the first that can hold it
	FlashSize  string // see image.ParseSize
	FlashMode  string // see image.ParseMode
	FlashFreq  string // see image.ParseFreq
}

// Inputs turns options into the inputs of package image, except for the
// bootloader. read reads the partition table. Errors are faults of kind Usage.
func (o Options) Inputs(read func(name string) ([]byte, error)) (image.Inputs, error) {
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
	b, err := read(o.Partitions)
	if err != nil {
		return in, err
	}
	if in.Table, err = partition.Parse(b); err != nil {
		return in, fault.InFile(o.Partitions, err)
	}
	in.TableFile = o.Partitions
	return in, nil
}

// OfFile makes the flash image of a file of kind image.ELF or image.Single, with
// the bootloader that chips finds, or of kind image.Direct. name is the file in
// messages.
func OfFile(ctx context.Context, name string, kind image.Kind, b []byte, in image.Inputs, chips chipfiles.Finder) (*image.Flash, error) {
	if kind == image.ELF {
		if err := image.CheckELF(b); err != nil {
			return nil, fault.InFile(name, err)
		}
	}
	if kind == image.Direct {
		f, err := image.FromDirect(b, in)
		return f, fault.InFile(name, err)
	}
	var err error
	if in.Bootloader, err = chips.Bootloader(ctx, in.Params.Mode); err != nil {
		return nil, err
	}
	var f *image.Flash
	if kind == image.ELF {
		f, err = image.FromELF(b, in)
	} else {
		f, err = image.FromApp(b, in)
	}
	return f, fault.InFile(name, err)
}

// Bootable is a firmware that is ready to boot on the emulated board.
type Bootable struct {
	ROM   []byte // mask ROM, ELF
	Flash []byte // content of the whole flash
	ELF   []byte // for symbols; nil without
}

// Bootable is f with the ELF that it was made of.
func (f Firmware) Bootable(elf []byte) Bootable {
	return Bootable{ROM: f.ROM, Flash: f.Flash.Merged(), ELF: elf}
}

// Load makes a file of any kind ready to boot: an ELF, an application image, the
// image of a whole flash, or one for direct boot. name is the file in messages; the mask ROM is that of
// the emulated chip's revision.
func Load(ctx context.Context, name string, b []byte, in image.Inputs, chips chipfiles.Finder, revision uint16) (e Bootable, err error) {
	kind := image.Identify(b)
	switch kind {
	case image.ELF:
		if err := image.CheckELF(b); err != nil {
			return e, fault.InFile(name, err)
		}
		e.ELF = b
	case image.WholeFlash:
		if e.Flash, err = image.FullFlash(b); err != nil {
			return e, fault.InFile(name, err)
		}
	case image.Single, image.Direct:
	default:
		// A dump that was cut short is still recognised by its size.
		if _, err := image.FullFlash(b); err != nil && len(b) > 1<<16 {
			return e, fault.InFile(name, err)
		}
		return e, fault.New(fault.Usage, fmt.Sprintf("%s: neither an ELF nor an image (%s)", name, kind), "espalier inspect "+name)
	}
	if e.ROM, err = chips.ROM(ctx, revision); err != nil || e.Flash != nil {
		return e, err
	}
	flash, err := OfFile(ctx, name, kind, b, in, chips)
	if err != nil {
		return e, err
	}
	e.Flash = flash.Merged()
	return e, nil
}

// Blank is a board whose flash is erased.
func Blank(ctx context.Context, in image.Inputs, chips chipfiles.Finder, revision uint16) (e Bootable, err error) {
	e.Flash = bytes.Repeat([]byte{0xff}, int(in.Params.FlashSize()))
	e.ROM, err = chips.ROM(ctx, revision)
	return e, err
}
