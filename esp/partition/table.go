package partition

import (
	"fmt"
	"strings"
)

// Sizes in bytes of things in a partition table.
const (
	SectorSize   = 0x1000    // erase unit of the flash; the table has one to itself
	AppAlign     = 0x1_0000  // offsets of app partitions: one page of the flash MMU
	DataAlign    = 0x1000    // offsets of all others
	OTADataSize  = 0x2000    // the only size that otadata may have
	MaxAppSize   = 16 << 20  // the bootloader's limit for one image
	LargestFlash = 16 << 20  // of any flash chip that an ESP32-C3 can address
	MaxName      = 16        // bytes; a name of 16 has no terminating NUL
	DefaultTable = 0x8000    // where the table is unless configured otherwise
	defaultCap   = 16384_000 // the default table's app partition never exceeds this (16 * 1000 KiB)
)

// Entry is one partition.
type Entry struct {
	Name    string
	Type    Type
	Subtype Subtype
	Offset  uint32 // bytes from the start of flash
	Size    uint32 // bytes
	Flags   Flags
	Line    int // in the CSV that it came from; 0 otherwise
}

// End returns the offset of the first byte after the partition.
func (e Entry) End() uint64 { return uint64(e.Offset) + uint64(e.Size) }

func (e Entry) String() string {
	return fmt.Sprintf("%s (0x%x-0x%x)", e.Name, e.Offset, e.End())
}

// Table is a partition table. Entries are in the order of the file.
type Table struct {
	Entries []Entry
}

// Default returns the table that espflash and ESP-IDF call "single factory
// app, no OTA": nvs, phy_init and one app partition that takes the rest of a
// flash of flashSize bytes (0 means 4 MiB). A flash too small for any app
// (64 KiB or less) gives an app partition of size 0, which Check refuses.
func Default(flashSize uint32) Table {
	if flashSize == 0 {
		flashSize = 4 << 20
	}
	var app uint32
	if flashSize > AppAlign {
		app = min(flashSize-AppAlign, defaultCap)
	}
	return Table{[]Entry{
		{Name: "nvs", Type: Data, Subtype: DataNVS, Offset: 0x9000, Size: 0x6000},
		{Name: "phy_init", Type: Data, Subtype: DataPHY, Offset: 0xf000, Size: 0x1000},
		{Name: "factory", Type: App, Subtype: AppFactory, Offset: AppAlign, Size: app},
	}}
}

// Find returns the partition called name.
func (t Table) Find(name string) (Entry, bool) {
	for _, e := range t.Entries {
		if e.Name == name {
			return e, true
		}
	}
	return Entry{}, false
}

// App returns the partition that an application is written to: the one called
// name, or without a name "factory", else the first of type app.
func (t Table) App(name string) (Entry, error) {
	if name != "" {
		e, ok := t.Find(name)
		switch {
		case !ok:
			return Entry{}, &NoPartitionError{Name: name, Have: t.names()}
		case e.Type != App:
			return Entry{}, &RuleError{Entry: e, Text: fmt.Sprintf("has type %s; an application needs type app", e.Type)}
		}
		return e, nil
	}
	if e, ok := t.Find("factory"); ok && e.Type == App {
		return e, nil
	}
	for _, e := range t.Entries {
		if e.Type == App {
			return e, nil
		}
	}
	return Entry{}, &NoPartitionError{Have: t.names()}
}

// Offset returns where the table itself is: where its own entry says (a
// table may list itself and the bootloader), else one sector before the first
// partition.
func (t Table) Offset() uint32 {
	if e, ok := t.self(); ok {
		return e.Offset
	}
	var first uint32
	found := false
	for _, e := range t.Entries {
		if e.Type != Bootloader && (!found || e.Offset < first) {
			first, found = e.Offset, true
		}
	}
	switch {
	case !found:
		return DefaultTable
	case first < SectorSize:
		return 0
	}
	return first - SectorSize
}

// self returns the entry that describes the table itself, if it has one.
func (t Table) self() (Entry, bool) {
	for _, e := range t.Entries {
		if e.Type == PartitionTable && e.Subtype == 0 {
			return e, true
		}
	}
	return Entry{}, false
}

// end returns the offset after the last partition.
func (t Table) end() (end uint64) {
	for _, e := range t.Entries {
		end = max(end, e.End())
	}
	return end
}

func (t Table) names() []string {
	var out []string
	for _, e := range t.Entries {
		out = append(out, e.Name)
	}
	return out
}

func list(names []string) string { return strings.Join(names, ", ") }
