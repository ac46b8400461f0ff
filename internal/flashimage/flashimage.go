// Package flashimage makes the flash image of a project's firmware: the ELF,
// the bootloader and partition table that the project names or its lock pins,
// and the flash parameters of the configuration. It also makes files of any kind (ELF,
// application image, whole flash) ready to flash or to boot. It writes nothing.
package flashimage

import (
	"context"
	"os"
	"path/filepath"

	"espalier.dev/espalier/esp/image"
	"espalier.dev/espalier/esp/partition"
	"espalier.dev/espalier/internal/chipfiles"
	"espalier.dev/espalier/internal/config"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/store"
)

// Firmware is what a board needs of a build.
type Firmware struct {
	Flash *image.Flash
	ROM   []byte // mask ROM of the emulated chip, ELF
}

// Make makes the flash image of elf, the firmware of p; name is the ELF in
// messages. Errors are faults: Usage for a configured value or file that does
// not fit, with its place; Pins for a chip file that is not in the store.
func Make(ctx context.Context, st *store.Store, p *project.Project, pins *lock.File, name string, elf []byte) (Firmware, error) {
	c := p.Espalier.Image
	in := image.Inputs{App: c.TargetAppPartition.V, TableOffset: uint32(c.PartitionTableOffset.V), MinChipRev: uint16(c.MinChipRev.V)}
	if err := params(&in, c); err != nil {
		return Firmware{}, err
	}
	if c.PartitionTable.V != "" {
		b, err := read(p, c.PartitionTable)
		if err != nil {
			return Firmware{}, err
		}
		if in.Table, err = partition.Parse(b); err != nil {
			return Firmware{}, fault.InFile(c.PartitionTable.V, err)
		}
		in.TableFile = c.PartitionTable.V
	}
	chips := chipfiles.OfLock(pins, filepath.Join(p.Workspace, lock.FileName))
	rom, err := chips.ROM(ctx, st, p.Espalier.Board.ChipRevision())
	if err != nil {
		return Firmware{}, err
	}
	if c.Bootloader.V != "" {
		in.Bootloader, err = read(p, c.Bootloader)
	} else {
		in.Bootloader, err = chips.Bootloader(ctx, st, in.Params.Mode)
	}
	if err != nil {
		return Firmware{}, err
	}
	flash, err := image.FromELF(elf, in)
	if err != nil {
		return Firmware{}, fault.InFile(name, err)
	}
	return Firmware{Flash: flash, ROM: rom}, nil
}

// params reads the flash parameters.
func params(in *image.Inputs, c project.ImageConfig) (err error) {
	at := func(v config.Value[string], err error) error {
		return fault.Wrap(fault.Usage, err, v.Origin.String())
	}
	if in.Params.Mode, err = image.ParseMode(c.FlashMode.V); err != nil {
		return at(c.FlashMode, err)
	}
	if in.Params.Freq, err = image.ParseFreq(c.FlashFreq.V); err != nil {
		return at(c.FlashFreq, err)
	}
	if in.Params.Size, err = image.ParseSize(c.FlashSize.V); err != nil {
		return at(c.FlashSize, err)
	}
	return nil
}

// read reads a file that the configuration names.
func read(p *project.Project, v config.Value[string]) ([]byte, error) {
	b, err := os.ReadFile(filepath.Join(p.Root, filepath.FromSlash(v.V)))
	if err != nil {
		return nil, fault.Wrap(fault.Usage, config.Pathless(err), v.Origin.String()+": reading "+v.V)
	}
	return b, nil
}
