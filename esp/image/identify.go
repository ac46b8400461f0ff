package image

import (
	"bytes"
	"debug/elf"
	"unicode/utf8"

	"espalier.dev/espalier/esp/chip"
	"espalier.dev/espalier/esp/partition"
)

// Kind is what a file is.
type Kind int

// Kinds of file.
const (
	Unknown     Kind = iota
	ELF              // any ELF, also for other machines
	Single           // one image: an application or a bootloader
	WholeFlash       // bootloader, partition table and more, merged
	Direct           // the content of a flash for direct boot, without bootloader and partition table
	TableBinary      // a partition table in its binary form
	TableCSV         // a partition table in its CSV form
)

// String names the kind for people.
func (k Kind) String() string {
	switch k {
	case ELF:
		return "ELF"
	case Single:
		return "image"
	case WholeFlash:
		return "flash image"
	case Direct:
		return "direct-boot image"
	case TableBinary:
		return "partition table"
	case TableCSV:
		return "partition table (CSV)"
	}
	return "unknown"
}

// Identify returns the kind of b according to its content. It says nothing about validity: a
// file is what it tries to be.
func Identify(b []byte) Kind {
	switch {
	case bytes.HasPrefix(b, []byte(elf.ELFMAG)):
		return ELF
	case bytes.HasPrefix(b, directMagic()):
		return Direct
	case partition.IsBinary(b):
		return TableBinary
	case tableInside(b):
		return WholeFlash
	case len(b) >= headerSize && b[0] == magic:
		return Single
	case looksLikeCSV(b):
		return TableCSV
	}
	return Unknown
}

// tableInside reports whether b is the content of a flash. An application
// image may by chance have the mark of a table at the table's place, so the
// image at the start of b must end before it, or b must not start with one.
func tableInside(b []byte) bool {
	usual := int(chip.ESP32C3().TableOffset)
	at, _, err := findTable(b)
	if err != nil {
		// A damaged table at its usual place, after a bootloader that fits
		// before it, is still a flash.
		if len(b) <= usual || !partition.IsBinary(b[usual:]) {
			return false
		}
		at = uint32(usual)
	}
	if b[0] != magic {
		return true
	}
	img, err := Parse(b)
	return err != nil || img.Size <= int(at)
}

// looksLikeCSV reports whether the first line that is not a comment has the
// fields of a partition.
func looksLikeCSV(b []byte) bool {
	if len(b) > 1<<16 || !utf8.Valid(b) || bytes.IndexByte(b, 0) >= 0 {
		return false
	}
	for line := range bytes.Lines(bytes.TrimPrefix(b, []byte("\ufeff"))) {
		line = bytes.TrimSpace(line)
		if len(line) > 0 && line[0] != '#' {
			return bytes.Count(line, []byte(",")) >= 3
		}
	}
	return false
}
