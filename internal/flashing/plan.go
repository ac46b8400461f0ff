package flashing

import (
	"bytes"
	"fmt"

	"espalier.dev/espalier/esp/image"
	"espalier.dev/espalier/esp/loader"
	"espalier.dev/espalier/esp/partition"
	"espalier.dev/espalier/internal/fault"
)

// Plan is what is to be in flash.
type Plan struct {
	Parts []loader.Part
	Table partition.Table // for the names of partitions; without entries the board's counts
	Raw   *Raw            // a file whose place needs the board's table; then there are no Parts
}

// OfFlash returns the plan for bootloader, partition table and application.
func OfFlash(f *image.Flash) Plan {
	p := Plan{Table: f.Table}
	for _, part := range f.Parts {
		p.Parts = append(p.Parts, loader.Part{Name: part.Name, Offset: part.Offset, Bytes: part.Bytes})
	}
	return p
}

// OfWholeFlash returns the plan for the image of a whole flash: the parts that
// are recognised, and every other stretch that is not blank. With exact it is one
// part, blank stretches included. An image without a bootloader, which no chip
// would boot, is refused unless force is set.
func OfWholeFlash(b []byte, exact, force bool) (Plan, error) {
	if _, err := image.FullFlash(b); err != nil {
		return Plan{}, err
	}
	c, err := image.ParseFlash(b)
	if err != nil {
		return Plan{}, err
	}
	if c.Bootloader == nil && !force {
		return Plan{}, fault.Wrap(fault.Usage, c.BootloaderErr, "bootloader", noBootloaderHints(b)...)
	}
	if exact {
		return Plan{Table: c.Table, Parts: []loader.Part{{Name: "flash", Offset: 0, Bytes: b}}}, nil
	}
	return Plan{Table: c.Table, Parts: stretches(b, c)}, nil
}

func noBootloaderHints(b []byte) []string {
	hints := []string{"--force writes the image all the same"}
	if at := 0x1000; len(b) > at {
		if img, err := image.Parse(b[at:]); err == nil {
			hints = append([]string{fmt.Sprintf("an image for %s is at 0x%x, where other chips have their bootloader: merge it at 0x0", img.Header.ChipName(), at)}, hints...)
		}
	}
	return hints
}

// stretches cuts a flash into parts. A part is a run of sectors with one name.
func stretches(b []byte, c *image.Contents) []loader.Part {
	const sector = partition.SectorSize
	names := make([]string, (len(b)+sector-1)/sector) // of each sector; "" is not written
	mark := func(from, size uint32, name string) {
		for at := from / sector; uint64(at) < (uint64(from)+uint64(size)+sector-1)/sector && int(at) < len(names); at++ {
			names[at] = name
		}
	}
	for at := range names {
		piece := b[at*sector : min((at+1)*sector, len(b))]
		if len(bytes.TrimLeft(piece, "\xff")) > 0 {
			names[at] = fmt.Sprintf("0x%x", at*sector)
			for _, e := range c.Table.Entries {
				if uint64(at*sector) >= uint64(e.Offset) && uint64(at*sector) < e.End() {
					names[at] = e.Name
				}
			}
		}
	}
	if c.Bootloader != nil {
		mark(0, uint32(c.Bootloader.Size), "bootloader")
	}
	mark(c.TableOffset, partition.BinarySize, "partition-table")
	for _, s := range c.Apps {
		if s.Image != nil {
			mark(s.Partition.Offset, uint32(s.Image.Size), s.Partition.Name)
		}
	}
	var out []loader.Part
	for at := 0; at < len(names); {
		end := at + 1
		for end < len(names) && names[end] == names[at] {
			end++
		}
		if names[at] != "" {
			out = append(out, loader.Part{Name: names[at], Offset: uint32(at * sector), Bytes: b[at*sector : min(end*sector, len(b))]})
		}
		at = end
	}
	return out
}
