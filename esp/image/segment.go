package image

import (
	"fmt"
	"slices"
	"sort"

	"espalier.dev/espalier/esp/chip"
)

// Segment is a run of bytes at an address.
type Segment struct {
	Addr   uint32 // load address; 0 in an image means padding, not loaded
	Data   []byte
	Offset int // of Data in the image it was parsed from
}

// piece is a segment on its way from ELF to image.
type piece struct {
	addr     uint32
	data     []byte
	sections []section // that it was made of, by address
}

// section is the place of one section of the ELF, for messages.
type section struct {
	name string
	addr uint32
	size int
}

func (p piece) end() uint64 { return uint64(p.addr) + uint64(len(p.data)) }

// joinRAM sorts pieces and joins those with fewer than 4 bytes between them: the
// bootloader loads whole words. Larger gaps cost a segment each, and nothing is
// written there.
func joinRAM(in []piece) ([]piece, error) {
	return join(in, func(last, next piece) bool { return uint64(next.addr) <= (last.end()+3)&^3 })
}

// joinFlash joins all pieces of DROM into one and all of IROM into another, with
// zeros in the gaps, which exist for alignment (and where a linker script forgot
// to join sections). The second stage maps one segment of each kind: of several
// it takes the last, and constants in the others would read as something else.
// See ESP-IDF, bootloader_support/src/bootloader_utility.c, unpack_load_app.
func joinFlash(in []piece) ([]piece, error) {
	c := chip.ESP32C3()
	return join(in, func(last, next piece) bool { return c.DROM.Contains(last.addr) == c.DROM.Contains(next.addr) })
}

// join sorts pieces by address, joins neighbours where together says so, and pads
// each result to a multiple of 4 bytes.
func join(in []piece, together func(last, next piece) bool) ([]piece, error) {
	sort.SliceStable(in, func(i, j int) bool { return in[i].addr < in[j].addr })
	var out []piece
	for _, p := range in {
		n := len(out)
		if n > 0 && uint64(p.addr) < out[n-1].end() {
			last := out[n-1].sections
			return nil, &OverlapError{A: last[len(last)-1].name, B: p.sections[0].name, Addr: p.addr}
		}
		if n == 0 || !together(out[n-1], p) {
			p.data = slices.Clip(p.data) // it belongs to the input: growing it makes a copy
			out = append(out, p)
			continue
		}
		last := &out[n-1]
		last.data = append(last.data, make([]byte, uint64(p.addr)-last.end())...)
		last.data = append(last.data, p.data...)
		last.sections = append(last.sections, p.sections...)
	}
	for i := range out {
		p := &out[i]
		if p.addr%4 != 0 {
			return nil, &FormatError{0, fmt.Sprintf("section %s: the address 0x%08x is not a multiple of 4", p.sections[0].name, p.addr)}
		}
		p.data = append(p.data, make([]byte, -len(p.data)&3)...)
	}
	return out, nil
}

// checkSRAM refuses sections that are the same bytes of the internal SRAM, which both
// buses show: from 0x40380000 on for instructions, from 0x3fc80000 on for data. A
// linker script that derives the place of .data from the size of .rwtext alone, as
// esp-hal's does, makes them overlap when something in .rwtext has an alignment of
// more than 4 bytes; the section that is loaded last would overwrite the other.
func checkSRAM(pieces []piece) error {
	c := chip.ESP32C3()
	const shift = 0x4038_0000 - 0x3fc8_0000
	for _, code := range pieces {
		for _, data := range pieces {
			if !c.IRAM.Contains(code.addr) || !c.DRAM.Contains(data.addr) {
				continue
			}
			for _, a := range code.sections {
				for _, b := range data.sections {
					from := max(a.addr, b.addr+shift)
					if uint64(from) < min(uint64(a.addr)+uint64(a.size), uint64(b.addr)+shift+uint64(b.size)) {
						return &AliasError{A: a.name, B: b.name, Addr: from, Alias: from - shift}
					}
				}
			}
		}
	}
	return nil
}

// placed is a segment of flash at its offset in the image.
type placed struct {
	piece
	offset int // of the data
}

// checkMapping refuses two segments that need different flash pages at the same
// entry of the MMU. The ESP32-C3 has one table of 128 entries for both buses:
// 0x3c000000 and 0x42000000 show the same page of flash, and so on for every
// 64 KiB (technical reference manual, "System and Memory", "External Memory").
func checkMapping(segments []placed) error {
	c := chip.ESP32C3()
	window := c.DROM.End - c.DROM.Start
	for i, a := range segments {
		for _, b := range segments[i+1:] {
			al, bl := a.addr%window, b.addr%window // addresses as the table counts
			from := max(al, bl) &^ (c.PageSize - 1)
			to := min(uint64(al)+uint64(len(a.data)), uint64(bl)+uint64(len(b.data)))
			if uint64(from) >= to || int64(a.offset)-int64(al) == int64(b.offset)-int64(bl) {
				continue
			}
			return &MapError{A: a.sectionAt(from - al + a.addr), B: b.sectionAt(from - bl + b.addr), Page: from, PageSize: c.PageSize}
		}
	}
	return nil
}

// sectionAt names the section in the page of addr, or the two that a gap is
// between.
func (p piece) sectionAt(addr uint32) string {
	page := chip.ESP32C3().PageSize
	addr &^= page - 1
	before := ""
	for _, s := range p.sections {
		if uint64(s.addr)+uint64(s.size) > uint64(addr) {
			if uint64(s.addr) < uint64(addr)+uint64(page) || before == "" {
				return "section " + s.name
			}
			return fmt.Sprintf("the gap between the sections %s and %s", before, s.name)
		}
		before = s.name
	}
	return "section " + before
}

// largestGap returns the widest gap between neighbouring sections of pieces in
// bytes, and their names.
func largestGap(pieces []piece) (size uint64, before, after string) {
	for _, p := range pieces {
		for i := 1; i < len(p.sections); i++ {
			a, b := p.sections[i-1], p.sections[i]
			if n := uint64(b.addr) - uint64(a.addr) - uint64(a.size); n > size {
				size, before, after = n, a.name, b.name
			}
		}
	}
	return size, before, after
}
