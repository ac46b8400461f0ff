package image

import (
	"bytes"
	"fmt"

	"espalier.dev/espalier/esp/chip"
	"espalier.dev/espalier/esp/partition"
)

// Contents is the parsed content of a flash chip.
type Contents struct {
	Size          int    // bytes that were read
	FlashSize     uint32 // of the chip, as the bootloader's header says
	Bootloader    *Image // nil when there is none; BootloaderErr says why
	BootloaderErr error
	Table         partition.Table
	TableOffset   uint32
	Apps          []AppSlot // one for each partition of type app, in the table's order
}

// AppSlot is the content of an app partition.
type AppSlot struct {
	Partition partition.Entry
	Image     *Image // nil when the partition is blank or holds no image
	Blank     bool
	Err       error // why there is no Image, for a partition that is not blank
}

// ParseFlash reads the content of a whole flash, or a merged image without its
// padding. It looks for the partition table at its usual place and then at
// every sector of the first 128 KiB. Errors: *FormatError when there is no
// table, *partition.DigestError and the table's own rules when there is a
// broken one at the usual place.
func ParseFlash(b []byte) (*Contents, error) {
	c := &Contents{Size: len(b)}
	at, table, err := findTable(b)
	if err != nil {
		return nil, err
	}
	c.Table, c.TableOffset = table, at
	c.Bootloader, c.BootloaderErr = Parse(b[:at])
	if len(bytes.TrimLeft(b[:at], "\xff\x00")) == 0 || c.Bootloader == nil && len(bytes.TrimLeft(b[:min(at, headerSize)], "\xff\x00")) == 0 {
		c.Bootloader, c.BootloaderErr = nil, &FormatError{0, fmt.Sprintf("nothing at 0x%x, where the ESP32-C3's bootloader belongs", chip.ESP32C3().BootloaderOffset)}
	}
	if c.Bootloader != nil {
		c.FlashSize = c.Bootloader.Header.Size
	}
	for _, e := range table.Entries {
		if e.Type == partition.App {
			c.Apps = append(c.Apps, readSlot(b, e))
		}
	}
	return c, nil
}

func findTable(b []byte) (uint32, partition.Table, error) {
	usual := chip.ESP32C3().TableOffset
	if int(usual) < len(b) && partition.IsBinary(b[usual:]) {
		t, err := partition.ParseBinary(b[usual:])
		if err != nil {
			return 0, t, fmt.Errorf("at 0x%x: %w", usual, err)
		}
		return usual, t, nil
	}
	for at := uint32(partition.SectorSize); at < 0x2_0000 && int(at) < len(b); at += partition.SectorSize {
		if !partition.IsBinary(b[at:]) {
			continue
		}
		if t, err := partition.ParseBinary(b[at:]); err == nil {
			return at, t, nil
		}
	}
	return 0, partition.Table{}, &FormatError{0, fmt.Sprintf("no partition table at 0x%x or nearby", usual)}
}

func readSlot(b []byte, e partition.Entry) AppSlot {
	s := AppSlot{Partition: e}
	if uint64(e.Offset) >= uint64(len(b)) {
		s.Blank = true
		return s
	}
	data := b[e.Offset:min(e.End(), uint64(len(b)))]
	if len(bytes.TrimLeft(data[:min(len(data), headerSize)], "\xff")) == 0 {
		s.Blank = true
		return s
	}
	s.Image, s.Err = Parse(data)
	return s
}

// end returns where the last thing that was recognised ends.
func (c *Contents) end() int {
	end := int(c.TableOffset) + partition.BinarySize
	for _, a := range c.Apps {
		if a.Image != nil {
			end = max(end, int(a.Partition.Offset)+a.Image.Size)
		}
	}
	return end
}

// FullFlash returns the content of a flash chip as long as the chip is: b
// itself when it has a chip's size, b filled with 0xff when it is a merged
// image that ends with its last part (espflash --skip-padding). Any other
// length is a *FlashSizeError: something is missing, or something is too many.
func FullFlash(b []byte) ([]byte, error) {
	for _, size := range sizes() {
		if len(b) == int(size) {
			return b, nil
		}
	}
	c, err := ParseFlash(b)
	if err != nil || c.end() != len(b) {
		return nil, &FlashSizeError{Size: int64(len(b))}
	}
	size := max(c.FlashSize, 1<<20)
	for _, s := range sizes() {
		if len(b) <= int(s) && s >= size {
			out := make([]byte, s)
			blank(out[copy(out, b):])
			return out, nil
		}
	}
	return nil, &FlashSizeError{Size: int64(len(b))}
}
