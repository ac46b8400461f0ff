package partition

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"unicode"
)

// Check applies every rule that does not depend on the bootloader: names,
// alignment, sizes, at most one factory and one otadata partition, at least
// one app, no overlap, and, for a flashSize other than 0, that everything ends
// inside a flash of that many bytes. The first violation is returned as
// *RuleError, *OverlapError, *FitError or *NoPartitionError.
func (t Table) Check(flashSize uint32) error {
	seen := map[string]Entry{}
	var factory, otadata *Entry
	apps := 0
	for i := range t.Entries {
		e := &t.Entries[i]
		if err := e.check(); err != nil {
			return err
		}
		if other, dup := seen[e.Name]; dup {
			return &RuleError{Entry: *e, Text: fmt.Sprintf("the name is taken by the partition at 0x%x", other.Offset), Hint: "names are unique within a table"}
		}
		seen[e.Name] = *e
		switch {
		case e.Type == App:
			apps++
			if e.Subtype != AppFactory {
				break
			}
			if factory != nil {
				return &RuleError{Entry: *e, Text: fmt.Sprintf("a second factory app besides %s", factory.Name), Hint: "further apps are ota_0 to ota_15 or test"}
			}
			factory = e
		case e.Type == Data && e.Subtype == DataOTA:
			if otadata != nil {
				return &RuleError{Entry: *e, Text: fmt.Sprintf("a second otadata partition besides %s", otadata.Name), Hint: "remove one: the bootloader reads only one"}
			}
			otadata = e
		}
	}
	if len(t.Entries) > MaxEntries {
		return &RuleError{Entry: t.Entries[MaxEntries], Text: fmt.Sprintf("is number %d; a table holds %d", MaxEntries+1, MaxEntries)}
	}
	if apps == 0 {
		return &NoPartitionError{Have: t.names()}
	}
	if err := t.checkOverlap(); err != nil {
		return err
	}
	if flashSize != 0 {
		for _, e := range t.Entries {
			if e.End() > uint64(flashSize) {
				return &FitError{Entry: e, FlashSize: flashSize, TableEnd: t.end()}
			}
		}
	}
	return nil
}

func (e *Entry) check() error {
	switch {
	case e.Name == "":
		return &RuleError{Entry: *e, Text: "has no name"}
	case len(e.Name) > MaxName:
		return &RuleError{Entry: *e, Text: fmt.Sprintf("the name has %d bytes; %d are kept", len(e.Name), MaxName), Hint: "shorten it to " + e.Name[:MaxName]}
	case !csvSafe(e.Name):
		return &RuleError{Entry: *e, Text: fmt.Sprintf("the name %q cannot be written in a CSV", e.Name), Hint: "use letters, digits, - and _"}
	case e.Type == 0xff:
		return &RuleError{Entry: *e, Text: "type 0xff marks the end of the table", Hint: "types of your own are 0x40 to 0xfe"}
	case e.Size == 0:
		return &RuleError{Entry: *e, Text: "has size 0"}
	case e.End() > 1<<32:
		return &RuleError{Entry: *e, Text: fmt.Sprintf("offset 0x%x and size 0x%x pass the end of the address space", e.Offset, e.Size)}
	}
	align := uint32(DataAlign)
	if e.Type == App {
		align = AppAlign
	}
	if e.Offset%align != 0 {
		up := (uint64(e.Offset) + uint64(align)) &^ uint64(align-1)
		return &RuleError{Entry: *e, Text: fmt.Sprintf("offset 0x%x is not a multiple of 0x%x", e.Offset, align),
			Hint: fmt.Sprintf("0x%x is the next offset that fits type %s; an empty field chooses it", up, e.Type)}
	}
	switch {
	case e.Type == App && e.Size > MaxAppSize:
		return &RuleError{Entry: *e, Text: fmt.Sprintf("size 0x%x is more than the bootloader's limit of 0x%x for an app", e.Size, MaxAppSize)}
	case e.Type == Data && e.Subtype == DataOTA && e.Size != OTADataSize:
		return &RuleError{Entry: *e, Text: fmt.Sprintf("otadata has size 0x%x", e.Size), Hint: fmt.Sprintf("its size is always 0x%x: two sectors", OTADataSize)}
	case e.Flags&ReadOnly != 0 && (e.Type != Data || e.Subtype == DataOTA || e.Subtype == DataCoredump):
		return &RuleError{Entry: *e, Text: fmt.Sprintf("readonly is not possible for %s %s", e.Type, SubtypeName(e.Type, e.Subtype))}
	}
	return nil
}

// csvSafe reports whether a name survives being written to a CSV and read back.
func csvSafe(name string) bool {
	return strings.TrimSpace(name) == name && name[0] != '#' && !strings.ContainsAny(name, ",\"") &&
		!strings.ContainsFunc(name, unicode.IsControl)
}

// checkOverlap compares neighbours in the order of their offsets; the
// partition that reaches furthest is kept, so that a long one that swallows
// several short ones is named with each of them.
func (t Table) checkOverlap() error {
	sorted := slices.Clone(t.Entries)
	sort.SliceStable(sorted, func(i, j int) bool { return sorted[i].Offset < sorted[j].Offset })
	for i := 1; i < len(sorted); i++ {
		if uint64(sorted[i].Offset) < sorted[i-1].End() {
			return &OverlapError{A: sorted[i-1], B: sorted[i]}
		}
	}
	return nil
}

// Warnings returns what is legal and most likely a mistake, one line each.
func (t Table) Warnings() []string {
	var out []string
	if end := t.end(); end > LargestFlash {
		out = append(out, fmt.Sprintf("the partitions end at 0x%x; no flash of an ESP32-C3 is larger than 0x%x (16 MiB)", end, LargestFlash))
	}
	for _, e := range t.Entries {
		if e.Size%SectorSize != 0 {
			out = append(out, fmt.Sprintf("partition %s: size 0x%x is not a multiple of the flash sector, 0x%x", e.Name, e.Size, SectorSize))
		}
		if e.Type == Data && e.Subtype == DataNVS && e.Size < 0x3000 && e.Flags&ReadOnly == 0 {
			out = append(out, fmt.Sprintf("partition %s: nvs needs 0x3000 bytes to be written; smaller ones only work as readonly", e.Name))
		}
		for _, n := range typeNames() {
			if n.name == e.Name && n.t != e.Type {
				out = append(out, fmt.Sprintf("partition %s: is named like a type but has type %s", e.Name, e.Type))
			}
		}
		named, matches := false, false
		for _, n := range subtypeNames() {
			if n.name == e.Name {
				named = true
				matches = matches || n.t == e.Type && n.s == e.Subtype
			}
		}
		if named && !matches {
			out = append(out, fmt.Sprintf("partition %s: is named like a subtype but is %s %s", e.Name, e.Type, SubtypeName(e.Type, e.Subtype)))
		}
	}
	return out
}
