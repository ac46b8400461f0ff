package image

import (
	"encoding/binary"
	"fmt"

	"espalier.dev/espalier/esp/chip"
	"espalier.dev/espalier/esp/partition"
)

// Inputs are what a flash image needs besides the ELF.
type Inputs struct {
	Bootloader       []byte          // the second-stage bootloader's image
	Table            partition.Table // without entries: partition.Default for the flash size
	TableFile        string          // name of the file that Table came from, for errors
	TableOffset      uint32          // 0: Table.Offset, one sector before the first partition
	App              string          // name of the partition for the app; "": factory, else the first app
	Params           Params
	MinChipRev       uint16 // raises the lowest chip revision that the ELF declares; major*100 + minor
	IgnoreDescriptor bool   // FromApp: allow an application image without application descriptor
}

// Part is the content of a range of flash.
type Part struct {
	Name   string // "bootloader", "partition-table", "app"
	Offset uint32
	Bytes  []byte
}

// Flash is everything that a firmware puts into flash. Parts are in the order
// of their offsets and do not overlap.
type Flash struct {
	Parts     []Part
	Size      uint32 // of the flash chip in bytes
	Table     partition.Table
	Partition partition.Entry // that holds the app
}

// FromELF makes a flash image from a linked program. The result is byte for
// byte what espflash save-image makes of the same inputs. A program of before
// application descriptors, which espflash 4 refuses, gets one. A program for
// direct boot gets neither bootloader nor partition table. Errors: those of
// CheckELF, *NoDescriptorError, *TooLargeError, *SegmentsError, *OverlapError,
// *FlashSizeError, *FormatError for the bootloader, and those of the partition
// package.
func FromELF(elf []byte, in Inputs) (*Flash, error) {
	if direct, err := directFlash(elf, in); direct != nil || err != nil {
		return direct, err
	}
	return assemble(in, func(header [headerSize]byte) ([]byte, string, error) {
		return appFromELF(elf, header, in.MinChipRev)
	})
}

// directFlash makes the flash of a program for direct boot; nil for others.
func directFlash(elf []byte, in Inputs) (*Flash, error) {
	_, f, err := openELF(elf)
	if err != nil {
		return nil, err
	}
	app, err := directBoot(elf, f)
	if app == nil || err != nil {
		return nil, err
	}
	size := in.Params.FlashSize()
	if len(app) > int(size) {
		return nil, &TooLargeError{What: "program", Size: len(app), Place: "the flash", Room: size}
	}
	return &Flash{Parts: []Part{{"app", 0, app}}, Size: size}, nil
}

// FromApp makes a flash image around an application image that exists already;
// the image itself is not changed, so of in.Params only the size matters to
// it. Errors are those of Parse and FromELF.
func FromApp(app []byte, in Inputs) (*Flash, error) {
	img, err := Parse(app)
	if err != nil {
		return nil, err
	}
	if c := chip.ESP32C3(); img.Header.ChipID != c.ID {
		return nil, &ChipError{Found: img.Header.ChipName(), Evidence: "so says its image header"}
	}
	if img.Descriptor == nil && !in.IgnoreDescriptor {
		return nil, &NoDescriptorError{}
	}
	return assemble(in, func([headerSize]byte) ([]byte, string, error) { return app[:img.Size:img.Size], "", nil })
}

// assemble puts bootloader, table and the application that makeApp makes from
// the bootloader's header in their places. makeApp also says what of the
// application is a large gap, "" for nothing.
func assemble(in Inputs, makeApp func(header [headerSize]byte) (app []byte, gap string, err error)) (*Flash, error) {
	size := in.Params.FlashSize()
	table := in.Table
	if len(table.Entries) == 0 {
		table = partition.Default(in.Params.Size)
	}
	if err := table.Check(size); err != nil {
		return nil, tableError(in, err)
	}
	target, err := table.App(in.App)
	if err != nil {
		return nil, tableError(in, err)
	}
	boot, header, err := PatchBootloader(in.Bootloader, in.Params)
	if err != nil {
		return nil, fmt.Errorf("bootloader: %w", err)
	}
	app, gap, err := makeApp(header)
	if err != nil {
		return nil, err
	}
	if len(app) > int(target.Size) {
		return nil, &TooLargeError{What: "application image", Size: len(app), Place: "partition " + target.Name, Room: target.Size, Gap: gap}
	}
	at := in.TableOffset
	if at == 0 {
		at = table.Offset()
	}
	if err := checkPlaces(boot, at, table); err != nil {
		return nil, tableError(in, err)
	}
	return &Flash{
		Parts: []Part{
			{"bootloader", chip.ESP32C3().BootloaderOffset, boot},
			{"partition-table", at, table.Binary()},
			{"app", target.Offset, app},
		},
		Size:      size,
		Table:     table,
		Partition: target,
	}, nil
}

func appFromELF(elf []byte, header [headerSize]byte, minRev uint16) (app []byte, gap string, err error) {
	prog, err := readELF(elf)
	if err != nil {
		return nil, "", err
	}
	if !prog.hasDesc && !prog.addsDesc() {
		return nil, "", &NoDescriptorError{EspHal: prog.espHal}
	}
	if size, before, after := largestGap(prog.flash); size >= uint64(chip.ESP32C3().PageSize) {
		gap = fmt.Sprintf("%d bytes of it are the gap between the sections %s and %s", size, before, after)
	}
	app, err = buildApp(prog, header, max(minRev, prog.minRev))
	if err != nil {
		return nil, "", err
	}
	if binary.LittleEndian.Uint32(app[descOffset:]) != descMagic {
		return nil, "", &NoDescriptorError{EspHal: prog.espHal, Misplaced: true}
	}
	return app, gap, nil
}

// checkPlaces refuses a table that would be written over the bootloader or
// over a partition.
func checkPlaces(boot []byte, at uint32, table partition.Table) error {
	if at%partition.SectorSize != 0 {
		return &FormatError{0, fmt.Sprintf("partition table offset 0x%x is not a multiple of 0x%x", at, partition.SectorSize)}
	}
	if room := at - chip.ESP32C3().BootloaderOffset; len(boot) > int(room) {
		return &TooLargeError{What: "bootloader", Size: len(boot), Place: fmt.Sprintf("the space before the partition table at 0x%x", at), Room: room}
	}
	for _, e := range table.Entries {
		if e.Type == partition.Bootloader || e.Type == partition.PartitionTable {
			continue
		}
		if uint64(e.Offset) < uint64(at)+partition.SectorSize && e.End() > uint64(chip.ESP32C3().BootloaderOffset) {
			return &partition.RuleError{Entry: e,
				Text: fmt.Sprintf("starts at 0x%x, but bootloader and partition table take everything below 0x%x", e.Offset, at+partition.SectorSize)}
		}
	}
	return nil
}

// App returns the application image alone: espflash save-image without
// --merge.
func (f *Flash) App() []byte { return f.Parts[len(f.Parts)-1].Bytes }

// Trimmed returns everything up to the last byte of the app, gaps filled with
// 0xff: espflash save-image --merge --skip-padding.
func (f *Flash) Trimmed() []byte {
	last := f.Parts[len(f.Parts)-1]
	return f.fill(int(last.Offset) + len(last.Bytes))
}

// Merged returns the whole flash chip's content, filled with 0xff: espflash
// save-image --merge.
func (f *Flash) Merged() []byte { return f.fill(int(f.Size)) }

func (f *Flash) fill(size int) []byte {
	b := make([]byte, size)
	end := 0
	for _, p := range f.Parts {
		blank(b[end:p.Offset])
		end = int(p.Offset) + copy(b[p.Offset:], p.Bytes)
	}
	blank(b[end:])
	return b
}

func blank(b []byte) {
	for i := range b {
		b[i] = 0xff
	}
}
