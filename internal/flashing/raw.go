package flashing

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"espalier.dev/espalier/esp/chip"
	"espalier.dev/espalier/esp/loader"
	"espalier.dev/espalier/esp/partition"
	"espalier.dev/espalier/internal/fault"
)

// Raw is a file that is written as it is, at an offset or into a partition.
type Raw struct {
	Name  string // of the file, for messages
	Bytes []byte
	At    string // "0x9000", "36864", or the name of a partition
}

// offset returns At as a number; ok is false for the name of a partition.
func (r Raw) offset() (at uint32, ok bool) {
	v, err := strconv.ParseUint(r.At, 0, 32)
	return uint32(v), err == nil
}

// Place decides where the file goes by a partition table. It refuses a file that
// would overwrite anything besides the partition (or the bootloader, or the
// table) that it begins in, unless force is set; table may be empty for a board
// without one, and then only an offset is possible.
func (r Raw) Place(table partition.Table, tableOffset uint32, force bool) (loader.Part, error) {
	at, numeric := r.offset()
	if !numeric {
		e, err := Named(table, r.At)
		if err != nil {
			return loader.Part{}, err
		}
		at = e.Offset
	}
	part := loader.Part{Name: r.Name, Offset: at, Bytes: r.Bytes}
	if hit := regionsIn(part, table, tableOffset); len(hit) > 1 && !force || len(hit) == 1 && !hit[0].contains(part) && !force {
		return part, r.tooLong(part, hit)
	}
	return part, nil
}

// region is a named range of flash.
type region struct {
	name       string
	start, end uint64
}

func (r region) contains(p loader.Part) bool {
	return r.start <= uint64(p.Offset) && uint64(p.Offset)+uint64(len(p.Bytes)) <= r.end
}

// regionsIn returns what of the flash a part touches, in the order of offsets.
func regionsIn(p loader.Part, table partition.Table, tableOffset uint32) []region {
	var all []region
	if len(table.Entries) > 0 {
		all = append(all, region{"the bootloader", uint64(chip.ESP32C3().BootloaderOffset), uint64(tableOffset)},
			region{"the partition table", uint64(tableOffset), uint64(tableOffset) + partition.SectorSize})
	}
	for _, e := range table.Entries {
		if e.Type != partition.Bootloader && e.Type != partition.PartitionTable {
			all = append(all, region{"partition " + e.Name, uint64(e.Offset), e.End()})
		}
	}
	// Whole sectors are erased.
	const sector = partition.SectorSize
	from := uint64(p.Offset) &^ (sector - 1)
	to := (uint64(p.Offset) + uint64(len(p.Bytes)) + sector - 1) &^ (sector - 1)
	var hit []region
	for _, r := range all {
		if r.start < to && from < r.end {
			hit = append(hit, r)
		}
	}
	return hit
}

func (r Raw) tooLong(p loader.Part, hit []region) error {
	var names []string
	for _, h := range hit {
		names = append(names, h.name)
	}
	end := uint64(p.Offset) + uint64(len(p.Bytes))
	if hit[0].start <= uint64(p.Offset) && uint64(p.Offset) < hit[0].end {
		text := fmt.Sprintf("%s does not fit %s: %d bytes from 0x%x, %d too many", r.Name, names[0], len(p.Bytes), p.Offset, end-hit[0].end)
		if len(names) > 1 {
			text += "; it would overwrite " + strings.Join(names[1:], " and ")
		}
		return fault.New(fault.Usage, text, "--force writes it all the same; nothing was written")
	}
	return fault.New(fault.Usage, fmt.Sprintf("%s, %d bytes from 0x%x, would overwrite %s", r.Name, len(p.Bytes), p.Offset, strings.Join(names, " and ")),
		"--force writes it all the same; nothing was written")
}

// Named finds a partition. The error lists those that there are.
func Named(t partition.Table, name string) (partition.Entry, error) {
	if e, ok := t.Find(name); ok {
		return e, nil
	}
	if len(t.Entries) == 0 {
		return partition.Entry{}, fault.New(fault.Chip, fmt.Sprintf("partition %s: the board has no partition table", name),
			"name an offset, or --partition-table FILE")
	}
	var have []string
	for _, e := range t.Entries {
		have = append(have, e.Name)
	}
	return partition.Entry{}, fault.New(fault.Usage, "no partition called "+name, "there are "+strings.Join(have, ", "))
}

// ReadTable reads the partition table of a board: from its usual place, or the
// first sector below 128 KiB that has one. A board without a table returns an
// empty one.
func ReadTable(ctx context.Context, l *loader.Loader) (t partition.Table, offset uint32, err error) {
	usual := chip.ESP32C3().TableOffset
	offsets := []uint32{usual}
	for at := uint32(partition.SectorSize); at < 0x2_0000; at += partition.SectorSize {
		if at != usual {
			offsets = append(offsets, at)
		}
	}
	for _, at := range offsets {
		head, err := l.Read(ctx, at, 32, nil)
		if err != nil {
			return t, 0, err
		}
		if !partition.IsBinary(head) {
			continue
		}
		b, err := l.Read(ctx, at, partition.BinarySize, nil)
		if err != nil {
			return t, 0, err
		}
		if t, err := partition.ParseBinary(b); err == nil {
			return t, at, nil
		} else if at == usual {
			return t, 0, fault.Wrap(fault.Chip, err, fmt.Sprintf("the board, at 0x%x", at))
		}
	}
	return partition.Table{}, 0, nil
}
